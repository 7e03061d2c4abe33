"""The faults that can be injected into a fake service: their kinds, and the schema of one.

The fakes and `responses` carry them out.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates, validates_schema
from marshmallow.validate import Length, OneOf, Range


class FaultKind(StrEnum):
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


DESCRIPTIONS = {
    FaultKind.DROP_UNREAD: "close the connection without reading the body",
    FaultKind.DROP_AFTER_READING: "read the whole request, process nothing, close without a response",
    FaultKind.STATUS: "process nothing, respond with `status` and the vendor's error body",
    FaultKind.LATENCY: "process and respond correctly, `latency_s` late",
    FaultKind.PROCESS_THEN_DROP: "process the order, close without a response",
    FaultKind.PROCESS_THEN_STATUS: "process the order, respond with `status`",
    FaultKind.GARBAGE: "process the order, respond with bytes that are not HTTP",
    FaultKind.GARBAGE_JSON: "process the order, respond with 200 and JSON that breaks the contract",
    FaultKind.CUT_BODY: "process the order, announce the whole response, send half of it and close",
    FaultKind.SLOW_DRIP: "process the order, send the response at a byte every `latency_s`",
    FaultKind.TOKEN_STATUS: "respond with `status` to a request for a token",
    FaultKind.EXPIRE_TOKENS: "immediately invalidate every token issued so far",
    FaultKind.REJECT_KEY: "refuse the API key that is `match`, or every key",
}

#: The order is read, and not processed.
UNPROCESSED_FAULTS = frozenset({FaultKind.DROP_AFTER_READING, FaultKind.STATUS})
#: These apply only to an order that was accepted. A refused order leaves them for the next one.
PROCESSED_FAULTS = frozenset(
    {
        FaultKind.PROCESS_THEN_DROP,
        FaultKind.PROCESS_THEN_STATUS,
        FaultKind.GARBAGE,
        FaultKind.GARBAGE_JSON,
        FaultKind.CUT_BODY,
        FaultKind.SLOW_DRIP,
    }
)
ORDER_FAULTS = UNPROCESSED_FAULTS | PROCESSED_FAULTS | {FaultKind.LATENCY}

_NEEDS_STATUS = {FaultKind.STATUS, FaultKind.PROCESS_THEN_STATUS, FaultKind.TOKEN_STATUS}
_DEFAULT_LATENCY_S = {FaultKind.LATENCY: 1.0, FaultKind.SLOW_DRIP: 0.1}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault of one service. `times_left` counts down each time it applies; None: until it is cleared."""

    destination: str
    kind: FaultKind
    times_left: int | None = 1
    match: str | None = None  # text that the body or its idempotency key must contain
    status: int = 500
    code: str | None = None  # the vendor's error code, instead of its usual one for `status`
    retry_after_s: int | None = None
    latency_s: float = 0.0  # before the response; with `slow_drip`, between two bytes

    def matches(self, text: str) -> bool:
        if self.times_left == 0:
            return False
        if self.match is None:
            return True
        return self.match == text if self.kind is FaultKind.REJECT_KEY else self.match in text

    def serialize(self) -> dict[str, Any]:
        """Return the fault as JSON, without an API key."""
        data = {("fault" if name == "kind" else name): value for name, value in asdict(self).items()}
        if self.kind is FaultKind.REJECT_KEY and self.match is not None:
            data["match"] = "…"
        return data


class FaultSchema(Schema):
    """The body of `POST /sandbox/faults`."""

    class Meta(Schema.Meta):
        unknown = RAISE

    destination = fields.String(required=True)
    kind = fields.Enum(FaultKind, by_value=True, data_key="fault", required=True)
    times_left = fields.Integer(strict=True, data_key="times", allow_none=True, validate=Range(min=1))
    match = fields.String(allow_none=True, validate=Length(min=1))
    status = fields.Integer(strict=True, validate=Range(min=200, max=599))
    code = fields.String(allow_none=True)
    retry_after_s = fields.Integer(strict=True, allow_none=True, validate=Range(min=0))
    latency_s = fields.Float(validate=Range(min=0, max=3600))

    def __init__(self, destinations: Iterable[str]) -> None:
        super().__init__()
        self._validate_destination = OneOf(destinations)

    @validates("destination")
    def check_destination(self, name: str, **_: Any) -> None:
        self._validate_destination(name)

    @validates_schema
    def check_combination(self, data: dict[str, Any], **_: Any) -> None:
        kind = data["kind"]
        if kind is FaultKind.DROP_UNREAD and data.get("match") is not None:
            raise ValidationError("cannot look into a body that is not read.", "match")
        if kind in {FaultKind.STATUS, FaultKind.TOKEN_STATUS} and data.get("status", 500) < 300:
            raise ValidationError("must be a failure, 300 to 599.", "status")
        if "status" in data and kind not in _NEEDS_STATUS:
            raise ValidationError(f"means nothing to {kind}.", "status")

    @post_load
    def build_fault(self, data: dict[str, Any], **_: Any) -> Fault:
        data.setdefault("latency_s", _DEFAULT_LATENCY_S.get(data["kind"], 0.0))
        return Fault(**data)
