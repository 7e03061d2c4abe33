"""Accounts and stores' APIs for which orders wait: paused, failing, or with credentials that are not accepted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector.database.circuits import parse_circuit, read_circuits
from connector.database.models import Circuit
from connector.database.queries.deliveries import DeliveryFilter, count_deliveries
from connector.runtime import Runtime
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import ngettext, translate_text
from mappings.advice import UNAUTHORIZED


class BlockCause(StrEnum):
    PAUSED = "paused"
    UNAUTHORIZED = UNAUTHORIZED
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Why orders for an account, or from a store's API, wait.

    Args:
        part: "account" or "store", with its `id`.
        reason: who paused it, with the note.
        probe_at: when the next order is tried.
    """

    part: str
    id: str
    cause: BlockCause
    since: datetime
    reason: str | None
    probe_at: datetime | None

    @property
    def summary(self) -> str:
        """The cause in a few words, for lists."""
        match self.cause:
            case BlockCause.PAUSED:
                return _("waits: the account is paused")
            case BlockCause.UNAUTHORIZED:
                return _("waits: credentials rejected")
            case _:
                return _("waits: the destination fails")


def find_account_blocks(runtime: Runtime) -> dict[str, Block]:
    """Return what holds the orders of accounts back, by account id."""
    return {id_: block for (part, id_), block in find_blocks(runtime).items() if part == "account"}


def find_blocks(runtime: Runtime) -> dict[tuple[str, str], Block]:
    """Return what holds orders back, by part ("account" or "store") and id."""
    blocks = {}
    for name, circuit in read_circuits(runtime.database).items():
        part, id_ = parse_circuit(name)
        if block := build_block(part, id_, circuit):
            blocks[part, id_] = block
    return blocks


def build_block(part: str, id_: str, circuit: Circuit) -> Block | None:
    since = circuit.paused_at or circuit.opened_at
    if since is None:
        return None
    is_unauthorized = (circuit.reason or {}).get("code") == "credentials_rejected"
    failure = BlockCause.UNAUTHORIZED if is_unauthorized else BlockCause.FAILING
    return Block(
        part=part,
        id=id_,
        cause=BlockCause.PAUSED if circuit.paused_at else failure,
        since=since,
        reason=circuit.pause_reason if circuit.paused_at else None,
        probe_at=None if circuit.paused_at else circuit.probe_at,
    )


def describe_waiting(runtime: Runtime, block: Block) -> str:
    """Say how many orders wait for the same account or store."""
    names: Mapping[str, Any] = {block.part: block.id}
    count = count_deliveries(runtime.database, DeliveryFilter(state="waiting", **names))
    return ngettext("%(num)s order waits for this.", "%(num)s orders wait for this.", count)


def explain_block(runtime: Runtime, block: Block) -> str:
    if block.part == "store":
        if block.cause is BlockCause.UNAUTHORIZED:
            return _("The API of store %(store)s rejects the connector's credentials.", store=block.id)
        return _("The API of store %(store)s fails. Orders that must be fetched from it wait.", store=block.id)
    account = runtime.settings.accounts.get(block.id)
    destination = account.destination if account else block.id
    match block.cause:
        case BlockCause.PAUSED:
            return _("Account %(account)s is paused. %(reason)s", account=block.id, reason=block.reason or "")
        case BlockCause.UNAUTHORIZED:
            return _(
                "The credentials of account %(account)s are rejected by %(destination)s.",
                account=block.id,
                destination=destination,
            )
        case _:
            return _("Account %(account)s is failing (%(destination)s).", account=block.id, destination=destination)


def block_steps(runtime: Runtime, block: Block) -> list[str]:
    """Return what to do, and where."""
    if block.part == "store":
        if block.cause is BlockCause.UNAUTHORIZED:
            return [
                _("Correct the access to the store's API under [stores.%(store)s] in connector.toml.", store=block.id),
                _("Restart the service. The orders then follow automatically."),
            ]
        return [_("No action needed at first: the API is tried again and again. If it lasts, check the store.")]
    if block.cause is BlockCause.PAUSED:
        return [_("Click Resume on the Accounts page when orders may flow again.")]
    if block.cause is BlockCause.FAILING:
        return [
            _("No action needed at first: one order at a time is tried, and when it arrives, the others follow."),
            _("If it lasts, test the connection on the Accounts page, and ask the destination."),
        ]
    if runtime.settings.environment.token_keys:
        step = _("Enter it under “Replace the key”. It is tested, and the orders that wait are sent at once.")
    else:
        step = _("Set it in the configuration and restart the service. The orders that wait are then sent.")
    return [*destination_steps(runtime, block.id, UNAUTHORIZED), step]


def destination_steps(runtime: Runtime, account_id: str, reason: str) -> list[str]:
    """Return what the destination adds to the advice for a reason."""
    account = runtime.settings.accounts.get(account_id)
    if account is None:
        return []
    destination = runtime.settings.destination(account)
    names = {"account": account.name, "setting": destination.credential_setting(account)}
    return [translate_text(step) % names for step in destination.advice.steps.get(reason, ())]
