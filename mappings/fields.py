"""Field types that storefronts and destinations share.

Loading validates. Dumping does not: a dumped body is validated by the same schema before it is sent.
"""

import re
from collections.abc import Mapping, Sized
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, missing

from mappings.money.allocation import round_to_cent
from mappings.phones import NATIONAL_DIGITS, is_possible, national_number
from mappings.problems import FieldError, field_error
from mappings.text import clean_text, remove_unseen

#: https://github.com/Shopify/worldwide, data/regions/MX.yml, read 2026-11-21.
POSTCODE_PATTERNS = {"MX": re.compile(r"\d{5}", re.ASCII)}
AMOUNT_PATTERN = re.compile(r"[+-]?\d{1,12}(\.\d{0,12})?", re.ASCII)
INTEGER_PATTERN = re.compile(r"-?\d{1,9}(\.0*)?", re.ASCII)
MAX_QUANTITY = 10**9
MAX_AMOUNT = 10**12  # also excludes NaN and infinity

#: For a list whose label is a plural: "Products are missing."
MISSING_LIST_MESSAGES: dict[str, Any] = {
    "required": [FieldError("missing_plural")],
    "null": [FieldError("missing_plural")],
}


class WireField(fields.Field[Any]):
    """The base class of these fields. A value is read at once if the field has no validators and no processors.

    marshmallow prepares to call them even if there are none, which takes longer than reading most values. What this
    saves is in docs/performance.md, "Mapping an order".
    """

    is_lenient = False  # see `LenientField`

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        try:
            if value is missing or value is None or self.validators or self.pre_load or self.post_load:
                return super().deserialize(value, attr, data, **kwargs)
            return self._deserialize(value, attr, data, **kwargs)
        except ValidationError:
            if self.is_lenient:
                return missing
            raise


class LenientField(WireField):
    """A field that treats invalid values as absent if `is_lenient` is set.

    `StorefrontSchema` sets it for optional fields: an odd value that is not needed does not stop an order.
    """


def validate_not_negative(value: Decimal | int) -> None:
    if value < 0:
        raise field_error("negative")


class NonEmpty:
    """A validator: the list must not be empty.

    Args:
        code: of the problem where it is.
    """

    def __init__(self, code: str) -> None:
        self.code = code

    def __call__(self, items: Sized) -> None:
        if not items:
            raise field_error(self.code)


class Text(LenientField, fields.String):
    """Text without stray blanks. Whole numbers are taken as text; blank counts as absent.

    Args:
        is_escaped: the platform writes HTML entities (`O&#8217;Connor`).
        keeps_word_joiner: Shopify's separator is kept, for the code that splits the line.
    """

    def __init__(self, *, is_escaped: bool = False, keeps_word_joiner: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_escaped = is_escaped
        self.keeps_word_joiner = keeps_word_joiner

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        cleaned = clean_text(value, is_escaped=self.is_escaped, keeps_word_joiner=self.keeps_word_joiner)
        if cleaned is None:
            raise self.make_error("null" if isinstance(value, str) else "invalid")
        return cleaned


class Identifier(Text):
    """A SKU or barcode. It is trimmed, and otherwise read as it is: inner blanks and accents distinguish products."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        cleaned = clean_text(value, is_escaped=self.is_escaped, is_verbatim=True)
        if cleaned is None:
            raise self.make_error("null" if isinstance(value, str) else "invalid")
        return cleaned


class StrictBoolean(LenientField):
    """A JSON boolean."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise field_error("not_a_boolean")
        return value


class UTCDateTime(LenientField):
    """An instant in ISO 8601, read as UTC and written in RFC 3339 with whole seconds.

    Args:
        is_utc: the platform writes UTC without saying so (WooCommerce's `*_gmt`).
    """

    def __init__(self, *, is_utc: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_utc = is_utc

    def _serialize(self, value: datetime | None, *args: Any, **kwargs: Any) -> str | None:
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z" if value else None

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        instant = parse_datetime(value, is_utc=self.is_utc)
        if instant is None:
            raise field_error("not_a_datetime")
        return instant


def parse_datetime(value: Any, *, is_utc: bool = False) -> datetime | None:
    """Return the instant in `value` as UTC; None if it is none, or has no offset (unless `is_utc`)."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(remove_unseen(value).strip())
        if instant.tzinfo is None:
            return instant.replace(tzinfo=UTC) if is_utc else None
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):  # "-0001-11-30…" is not a date, and year 1 has no earlier zone
        return None


class Money(WireField):
    """An amount in major units, as text or as a number. Never lenient: without it, sums would be wrong."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Decimal:
        if isinstance(value, str) and AMOUNT_PATTERN.fullmatch(amount := remove_unseen(value).strip()):
            return Decimal(amount)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < MAX_AMOUNT:
            return Decimal(str(value))
        raise field_error("not_money")


class MoneyNumber(Money):
    """An amount that is written as a JSON number of at most two decimals.

    Python prints a float of up to 15 digits with the decimals that it was made of, so the number in the body is the
    `Decimal`'s own, to the cent.
    """

    def _serialize(self, value: Decimal | None, *args: Any, **kwargs: Any) -> float | None:
        return None if value is None else float(round_to_cent(value))


class InformativeMoney(LenientField, Money):
    """An amount that no sum needs, so that an odd one does not stop an order."""


class Coordinate(LenientField, Money):
    """Degrees of latitude or longitude."""


class SumOf(Money):
    """Adds up the amounts under `key` in a list of objects, such as a line's taxes."""

    def __init__(self, key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key = key

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Decimal:
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise field_error("not_a_money_list")
        amounts = [super(SumOf, self)._deserialize(item.get(self.key)) for item in value]
        return sum(amounts, Decimal(0))


class StrictInteger(WireField, fields.Integer):
    """A JSON integer."""

    def _serialize(self, value: int | None, *args: Any, **kwargs: Any) -> int | None:
        return value

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        return value


class Quantity(StrictInteger):
    """A whole number of at least `minimum`. Text such as "2" is read; 1.5 is an error, not cut to 1."""

    def __init__(self, *, minimum: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum = minimum

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        number = parse_integer(value)
        if number is None or number < self.minimum:
            raise field_error("not_a_quantity", value=abbreviate(value), minimum=self.minimum)
        return number


def parse_integer(value: Any) -> int | None:
    """Return the whole number in `value`, of at most nine digits; None if it is none."""
    if type(value) is int:  # true and false are not
        return value if abs(value) < MAX_QUANTITY else None
    text = clean_text(value) if isinstance(value, str) else str(value)
    return int(float(text)) if text and INTEGER_PATTERN.fullmatch(text) else None


def abbreviate(value: Any) -> str:
    """Return a value short enough for a sentence."""
    if isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 10**20):
        text = clean_text(str(value)) or ""
        return text if len(text) <= 40 else text[:39] + "…"
    return "…"


class Phone(Text):
    """A telephone number as the destination wants it: national digits, nothing else.

    Args:
        country: ISO 3166-1 alpha-2 code of the only country whose numbers are accepted.
    """

    def __init__(self, *, country: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.country = country

    def _serialize(self, value: str | None, *args: Any, **kwargs: Any) -> str | None:
        return national_number(value, self.country) if value else None

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        number: str = super()._deserialize(value, *args, **kwargs)
        if number.startswith("+"):
            raise field_error("foreign_phone", country=self.country)
        if len(number) != NATIONAL_DIGITS[self.country] or not is_possible(number, self.country):
            raise field_error("wrong_digit_count", digits=len(number), needed=NATIONAL_DIGITS[self.country])
        return number


class PostalCode(Text):
    """A postcode, kept as text so that "01000" keeps its zero.

    Args:
        country: ISO 3166-1 alpha-2 code of the only country whose format is accepted.
    """

    def __init__(self, *, country: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.country = country

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        code: str = super()._deserialize(value, *args, **kwargs)
        if not POSTCODE_PATTERNS[self.country].fullmatch(code):
            raise field_error("not_a_postcode", value=abbreviate(code), country=self.country)
        return code


class CodeLookup(Text):
    """A code for which the destination has its own words.

    Args:
        wire_values: code in the canonical order -> word on the wire. A code without a word is written as it is, and
            validating the body then names it.
    """

    def __init__(self, wire_values: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wire_values = dict(wire_values)

    def _serialize(self, value: str | None, *args: Any, **kwargs: Any) -> str | None:
        return self.wire_values.get(value, value) if value else None

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        wire_value: str = super()._deserialize(value, *args, **kwargs)
        if wire_value not in self.wire_values.values():
            raise field_error("not_served", value=abbreviate(wire_value), choices=", ".join(self.wire_values.values()))
        return wire_value
