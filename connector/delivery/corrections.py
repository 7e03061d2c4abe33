"""What an operator enters for fields of an order that are missing or doubtful.

The API, the dashboard and the command line all call these functions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connector.core.exceptions import InvalidRequestError
from connector.core.fields import MAX_TEXT_LENGTH
from connector.database import corrections
from connector.database.corrections import CorrectionResult, ensure_open
from connector.database.idempotency import IdempotentRequest
from connector.database.models import Delivery
from connector.database.queries.deliveries import load_delivery
from connector.delivery.preview import map_with_corrections
from connector.runtime import Runtime
from mappings.correctable_fields import ITEM_FORMS, LABEL_PATHS, clean_value, is_correctable
from mappings.corrections import Correction, has_field
from mappings.problems import FieldValues, Problem, load_problems, render_problems


class InvalidCorrectionError(InvalidRequestError):
    """The values cannot be sent. `problems` say why; the exception's text does not, since they may be personal data."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} of the values cannot be sent")
        self.problems = list(problems)

    def describe(self) -> str:
        """Return the problems as English sentences, for whoever sent the values."""
        return " ".join(render_problems(self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectableField:
    """A field that a person can enter to solve a problem of a delivery."""

    field: str
    problem: Problem
    choices: Sequence[str] = ()  # the values that it takes; empty if it takes any


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """What can be entered for a delivery's order."""

    fields: list[CorrectableField] = field(default_factory=list)
    readings: list[FieldValues] = field(default_factory=list)  # of an ambiguous address


def find_correctable(runtime: Runtime, delivery: Delivery) -> Corrections:
    """Return the fields that the delivery's problems name, without those of a delivery that has ended."""
    if delivery.state in corrections.ENDED_STATES:
        return Corrections()
    account = runtime.settings.accounts.get(delivery.account)
    fields: dict[str, CorrectableField] = {}
    readings: list[FieldValues] = []
    for problem in load_problems(delivery.problems):
        readings += problem.readings
        for name in problem.fields:
            choices = runtime.settings.destination(account).field_choices(name, account) if account else ()
            fields.setdefault(name, CorrectableField(field=name, problem=problem, choices=choices))
    return Corrections(fields=list(fields.values()), readings=readings)


def enter_corrections(
    runtime: Runtime,
    delivery_id: int,
    values: Mapping[str, str],
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> CorrectionResult:
    """Store values for fields of a delivery's order, and queue the delivery.

    An order that its webhook only names is fetched, so that the values can be judged.

    Raises `NotFoundError`, `ConflictError`, `StoreUnavailableError`, `InvalidRequestError`, or
    `InvalidCorrectionError` with what the mapping says of the values.
    """
    if not values:
        raise InvalidRequestError("no value was entered")
    delivery = load_delivery(runtime.database, delivery_id)
    ensure_open(delivery)
    cleaned = {name: clean(name, value) for name, value in values.items()}
    if problems := find_refusals(runtime, delivery, cleaned, actor):
        raise InvalidCorrectionError(problems)
    result = corrections.enter_corrections(
        runtime.database,
        delivery_id,
        cleaned,
        actor=actor,
        note=note,
        destinations_with_idempotency=runtime.destinations_with_idempotency,
        idempotency=idempotency,
    )
    runtime.log.info("corrected", delivery_id=delivery_id, fields=len(cleaned), queued=result.is_queued)
    return result


def clean(name: str, value: str) -> str:
    """Raises `InvalidRequestError`, whose text does not repeat what was sent."""
    if not is_correctable(name):
        raise InvalidRequestError(f"unknown field; there are {', '.join([*LABEL_PATHS, *ITEM_FORMS])}")
    text = clean_value(name, value)
    if text is None or len(text) > MAX_TEXT_LENGTH:
        raise InvalidRequestError(f"a value must have from 1 to {MAX_TEXT_LENGTH} characters")
    return text


def find_refusals(runtime: Runtime, delivery: Delivery, values: Mapping[str, str], actor: str) -> list[Problem]:
    """Return what the mapping says against the values. What it says of other fields is no reason to refuse them.

    A missing row of a lookup table is none either: it can be added afterwards.
    """
    in_force = corrections.load_corrections(runtime.database, delivery.store, delivery.order_id)
    entered = [Correction(field=name, value=value, entered_by=actor) for name, value in values.items()]
    others = [correction for correction in in_force if correction.field not in values]
    order, problems = map_with_corrections(runtime, delivery, [*others, *entered])
    if any(not has_field(order, name) for name in values):
        raise InvalidRequestError("the order has no product or payment of this field")
    return [problem for problem in problems if problem.table is None and not values.keys().isdisjoint(problem.fields)]


def withdraw_corrections(
    runtime: Runtime,
    delivery_id: int,
    fields: Sequence[str],
    *,
    actor: str,
    note: str | None = None,
    idempotency: IdempotentRequest | None = None,
) -> CorrectionResult:
    """Withdraw what was entered for fields of a delivery's order. Raises `NotFoundError`, `ConflictError`."""
    result = corrections.withdraw_corrections(
        runtime.database,
        delivery_id,
        fields,
        actor=actor,
        note=note,
        destinations_with_idempotency=runtime.destinations_with_idempotency,
        idempotency=idempotency,
    )
    runtime.log.info("correction_withdrawn", delivery_id=delivery_id, fields=len(fields), queued=result.is_queued)
    return result
