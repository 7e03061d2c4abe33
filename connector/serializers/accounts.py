"""JSON of accounts: their circuit breakers and open deliveries."""

from collections.abc import Mapping
from typing import Any, cast

from marshmallow import fields
from marshmallow.validate import OneOf

from connector.core.fields import UTCDateTime
from connector.database.circuits import CircuitState, circuit_state, read_circuits
from connector.database.models import Circuit
from connector.database.stats.gauges import count_open
from connector.runtime import Runtime
from connector.serializers.base import ProblemText, ResponseSchema
from mappings.settings import Account

NO_DELIVERIES = {"waiting": 0, "sending": 0, "parked": 0}


class CountsSchema(ResponseSchema):
    waiting = fields.Integer()
    sending = fields.Integer()
    parked = fields.Integer()


class AccountSchema(ResponseSchema):
    id = fields.String()
    destination = fields.String()
    state = fields.String(validate=OneOf(["flowing", "circuit open", "paused"]))
    since = UTCDateTime(allow_none=True)
    reason = ProblemText(
        allow_none=True,
        metadata={"description": "why the circuit is open, as an English sentence; who paused it, with their note"},
    )
    failures = fields.Integer(metadata={"description": "consecutive failures"})
    next_probe_at = UTCDateTime(allow_none=True)
    deliveries = fields.Nested(CountsSchema)


def load_accounts(runtime: Runtime) -> list[dict[str, Any]]:
    """Load the status of each configured account and its number of open deliveries."""
    circuits, counts = read_circuits(runtime.database), count_open(runtime.database)
    return [
        account_status(account, circuits.get(account.id), counts.get(account.id, NO_DELIVERIES))
        for account in runtime.settings.accounts.values()
    ]


def account_status(account: Account, circuit: Circuit | None, counts: Mapping[str, int]) -> dict[str, Any]:
    """Return the values of `AccountSchema`. `counts` is the number of deliveries by open state."""
    return {
        "id": account.id,
        "destination": account.destination,
        "deliveries": counts,
        **circuit_status(circuit),
    }


def circuit_status(circuit: Circuit | None) -> dict[str, Any]:
    """Return `state`, `since`, `reason`, `failures` and `next_probe_at` of an account's circuit breaker.

    `reason` is a person's words if the account is paused, else a message as it is stored.
    """
    state = circuit_state(circuit)
    if circuit is None:
        return {"state": state, "since": None, "reason": None, "failures": 0, "next_probe_at": None}
    return {
        "state": state,
        "since": circuit.paused_at or circuit.opened_at,
        "reason": circuit.pause_reason if circuit.paused_at else circuit.reason,
        "failures": circuit.failures,
        "next_probe_at": circuit.probe_at if state is CircuitState.OPEN else None,
    }


def serialize_accounts(runtime: Runtime) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], AccountSchema(many=True).dump(load_accounts(runtime)))


def serialize_account_by_id(runtime: Runtime, account_id: str) -> dict[str, Any]:
    return next(account for account in serialize_accounts(runtime) if account["id"] == account_id)
