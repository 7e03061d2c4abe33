"""How long the content of orders, and the audit trail, are kept: `keep_days`, `keep_parked_days`, `keep_audit_days`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from marshmallow import ValidationError

from connector.settings.coercion import coerce_value
from mappings import setting_fields as fields

FOREVER = "forever"
MAX_DAYS = 36_500
#: People are told two weeks before an order expires.
MIN_PARKED_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """In days. None: forever."""

    keep_days: int | None = 90  # after all deliveries of an order ended
    keep_parked_days: int | None = 365  # after anything happened to a parked delivery
    keep_audit_days: int | None = 365  # entries of sign-ins, looks and searches

    @property
    def keep(self) -> timedelta | None:
        return timedelta(days=self.keep_days) if self.keep_days is not None else None

    @property
    def keep_parked(self) -> timedelta | None:
        return timedelta(days=self.keep_parked_days) if self.keep_parked_days is not None else None

    @property
    def keep_audit(self) -> timedelta | None:
        return timedelta(days=self.keep_audit_days) if self.keep_audit_days is not None else None

    @property
    def is_forever(self) -> bool:
        """Nothing is ever deleted."""
        return self.keep_days is None and self.keep_parked_days is None and self.keep_audit_days is None

    def describe(self) -> str:
        """Return both in a sentence, for the command line."""
        ended, parked = describe_days(self.keep_days), describe_days(self.keep_parked_days)
        return f"ended orders are kept {ended}, parked orders that nobody acts on {parked}"


def describe_days(days: int | None) -> str:
    return FOREVER if days is None else f"for {days} {'day' if days == 1 else 'days'}"


class Days(fields.Field[int]):
    """A number of days. `"forever"` is loaded as None."""

    default_error_messages = {"invalid": f'must be a whole number of days, or "{FOREVER}".'}

    def __init__(self, *, min_days: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_days = min_days

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value == FOREVER:
            return None
        days = coerce_value(self, value)  # of a `${VARIABLE}`
        if isinstance(days, bool) or not isinstance(days, int):
            raise self.make_error("invalid")
        if not self.min_days <= days <= MAX_DAYS:
            raise ValidationError(
                f'must be from {self.min_days} to {MAX_DAYS} days; to delete nothing, write "{FOREVER}".'
            )
        return days
