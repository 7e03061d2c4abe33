"""How a played service can be made to misbehave: the kinds, and one fault as it was asked for.

It only describes; `destinations` and `wire` act.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates, validates_schema
from marshmallow.validate import Length, OneOf, Range


class Kind(StrEnum):
    DROP_UNREAD = "drop_unread"
    DROP_AFTER_READING = "drop_after_reading"
    STATUS = "status"
    LATENCY = "latency"
    PROCESS_THEN_DROP = "process_then_drop"
    PROCESS_THEN_STATUS = "process_then_status"
    GARBAGE = "garbage"
    GARBAGE_JSON = "garbage_json"
    CUT_BODY = "cut_body"
    SLOW_DRIP = "slow_drip"
    TOKEN_STATUS = "token_status"  # noqa: S105
    EXPIRE_TOKENS = "expire_tokens"
    REJECT_KEY = "reject_key"


MEANINGS = {
    Kind.DROP_UNREAD: "close the connection without reading the body",
    Kind.DROP_AFTER_READING: "read the whole request, process nothing, close without an answer",
    Kind.STATUS: "process nothing, answer `status` in the vendor's error shape",
    Kind.LATENCY: "process and answer correctly, `latency_s` late",
    Kind.PROCESS_THEN_DROP: "process the order, close without an answer",
    Kind.PROCESS_THEN_STATUS: "process the order, answer `status`",
    Kind.GARBAGE: "process the order, answer bytes that are no HTTP",
    Kind.GARBAGE_JSON: "process the order, answer 200 with JSON that breaks the contract",
    Kind.CUT_BODY: "process the order, announce the whole reply, send half of it and close",
    Kind.SLOW_DRIP: "process the order, send the reply a byte every `latency_s`",
    Kind.TOKEN_STATUS: "answer `status` where tokens are given",
    Kind.EXPIRE_TOKENS: "at once: every token given so far is invalid",
    Kind.REJECT_KEY: "refuse the API key that is `match`, or every key",
}

#: The order is read and then never looked at.
UNPROCESSED = frozenset({Kind.DROP_AFTER_READING, Kind.STATUS})
#: These happen only to an order that was taken: a refused one leaves them for the next.
PROCESSED = frozenset(
    {
        Kind.PROCESS_THEN_DROP,
        Kind.PROCESS_THEN_STATUS,
        Kind.GARBAGE,
        Kind.GARBAGE_JSON,
        Kind.CUT_BODY,
        Kind.SLOW_DRIP,
    }
)
ON_ORDERS = UNPROCESSED | PROCESSED | {Kind.LATENCY}

_NEEDS_STATUS = {Kind.STATUS, Kind.PROCESS_THEN_STATUS, Kind.TOKEN_STATUS}
_DEFAULT_LATENCY_S = {Kind.LATENCY: 1.0, Kind.SLOW_DRIP: 0.1}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One misbehaviour of one destination. `times_left` counts down as it happens; None: until it is cleared."""

    destination: str
    kind: Kind
    times_left: int | None = 1
    match: str | None = None  # text that the body or its idempotency key must hold
    status: int = 500
    code: str | None = None  # the vendor's word in the error, in place of the usual one for `status`
    retry_after_s: int | None = None
    latency_s: float = 0.0  # before any answer; between two bytes of `slow_drip`

    def hits(self, text: str) -> bool:
        if self.times_left == 0:
            return False
        if self.match is None:
            return True
        return self.match == text if self.kind is Kind.REJECT_KEY else self.match in text

    def describe(self) -> dict[str, Any]:
        """Return what may be shown: an API key is not."""
        shown = {("fault" if name == "kind" else name): value for name, value in asdict(self).items()}
        if self.kind is Kind.REJECT_KEY and self.match is not None:
            shown["match"] = "…"
        return shown


class FaultSchema(Schema):
    """What `POST /sandbox/faults` takes."""

    class Meta(Schema.Meta):
        unknown = RAISE

    destination = fields.String(required=True)
    kind = fields.Enum(Kind, by_value=True, data_key="fault", required=True)
    times_left = fields.Integer(strict=True, data_key="times", allow_none=True, validate=Range(min=1))
    match = fields.String(allow_none=True, validate=Length(min=1))
    status = fields.Integer(strict=True, validate=Range(min=200, max=599))
    code = fields.String(allow_none=True)
    retry_after_s = fields.Integer(strict=True, allow_none=True, validate=Range(min=0))
    latency_s = fields.Float(validate=Range(min=0, max=3600))

    def __init__(self, destinations: Iterable[str]) -> None:
        super().__init__()
        self._is_played = OneOf(destinations)

    @validates("destination")
    def check_destination(self, name: str, **_: Any) -> None:
        self._is_played(name)

    @validates_schema
    def check_combination(self, data: dict[str, Any], **_: Any) -> None:
        kind = data["kind"]
        if kind is Kind.DROP_UNREAD and data.get("match") is not None:
            raise ValidationError("cannot look into a body that is not read.", "match")
        if kind in {Kind.STATUS, Kind.TOKEN_STATUS} and data.get("status", 500) < 300:
            raise ValidationError("must be a failure, 300 to 599.", "status")
        if "status" in data and kind not in _NEEDS_STATUS:
            raise ValidationError(f"means nothing to {kind}.", "status")

    @post_load
    def build_fault(self, data: dict[str, Any], **_: Any) -> Fault:
        data.setdefault("latency_s", _DEFAULT_LATENCY_S.get(data["kind"], 0.0))
        return Fault(**data)
