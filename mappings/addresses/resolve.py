"""Fills street, number, unit and neighbourhood of an address from its lines. It never guesses.

Storefront schemas load the lines as written, and `street_parser` parses one line. This module combines the platform's
own fields, the store's settings and the lines.
"""

import re
from dataclasses import dataclass, replace

from mappings.addresses.context import AddressContext, build_address_context
from mappings.addresses.placeholders import is_placeholder
from mappings.addresses.regions import COUNTRIES
from mappings.addresses.street_parser import ParsedLine, likely_readings, parse_line
from mappings.addresses.tokenizer import DISTRICT_KINDS, Token, district_name, join_tokens, repeats_region, tokenize
from mappings.order import Address
from mappings.problems import ParamValue, Problem
from mappings.text import WORD_JOINER, casefold_ascii, clean_text

#: Longer lines are not parsed.
MAX_LINE_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLine:
    """The parts of the second line."""

    unit: str | None = None
    district: str | None = None
    reference: str | None = None


def resolve_address(
    address: Address, *, number: str | None = None, unit: str | None = None, district: str | None = None
) -> Address:
    """Return `address` with street, number, unit, district and reference separated.

    The platform's own fields and separator come first, then `number`, `unit` and `district`, which the store's settings
    select, then the text of the lines. If the first line can be read in two ways, the whole line is the street, and
    `ambiguity` has the readings.
    """
    line1, line2 = address.line1, address.line2
    context = build_address_context(address) if line1 or line2 else AddressContext()
    first = parse_first_line(line1, number, context)
    if line1 and line2 and first.number is None and starts_with_number(line2):
        joined = parse_first_line(f"{line1} {line2}", number, context)
        if joined.reason is None and joined.number is not None:
            first, line2 = joined, None
    second = parse_second_line(line2, district, has_district=bool(first.district), context=context)
    street = address.street or first.street
    reason = first.reason if street == line1 and address.country in COUNTRIES else None  # other countries: not parsed
    return replace(
        address,
        street=street,
        number=address.number or first.number,
        unit=address.unit or join_distinct(first.unit, unit, second.unit),
        district=address.district or second.district or first.district,
        reference=address.reference or join_distinct(first.reference, second.reference),
        ambiguity=build_ambiguity(line1, reason) if line1 and reason else None,
    )


#: The fields that an address is resolved from, and those that are filled.
INPUT_FIELDS = (
    "line1",
    "line2",
    "street",
    "number",
    "unit",
    "district",
    "reference",
    "city",
    "state",
    "postal_code",
    "country",
)
RESOLVED_FIELDS = ("street", "number", "unit", "district", "reference", "ambiguity")


def resolve_billing_address(
    address: Address, *, shipping: Address | None, resolved_shipping: Address | None
) -> Address:
    """Return the billing address resolved. It copies the result for an address that equals the shipping address."""
    if shipping is None or any(getattr(address, name) != getattr(shipping, name) for name in INPUT_FIELDS):
        return resolve_address(address)
    return replace(address, **{name: getattr(resolved_shipping, name) for name in RESOLVED_FIELDS})


def parse_first_line(line: str | None, configured_number: str | None, context: AddressContext) -> ParsedLine:
    if line is None or is_placeholder(line):
        return ParsedLine(number=configured_number)
    if WORD_JOINER in line:
        street, _, number = line.partition(WORD_JOINER)
        return ParsedLine(street=clean_text(street), number=clean_text(number) or configured_number)
    if len(line) > MAX_LINE_LENGTH:
        return ParsedLine(street=line, number=configured_number)
    if configured_number is not None:
        number_mark = r"(?:#|\bN[º°]\.?|\b(?:Nro|N[uú]m|No)\b\.?|\bN[uú]mero\b)"
        street = re.sub(
            rf"[\s,]*(?:{number_mark}\s*)?(?<!\w){re.escape(configured_number)}$", "", line, flags=re.IGNORECASE
        )
        return ParsedLine(street=clean_text(street.strip(" ,")) or line, number=configured_number)
    parsed = parse_line(line, context)
    return replace(parsed, street=line) if parsed.reason else parsed


def starts_with_number(line: str) -> bool:
    """Return whether a second line starts with a street number: "#1130 depto 701"."""
    tokens = tokenize(line, is_street=False) if WORD_JOINER not in line and len(line) <= MAX_LINE_LENGTH else []
    return bool(tokens) and tokens[0].kind in {"door", "plot", "lot", "kilometre", "absent"}


def parse_second_line(
    line: str | None, configured_district: str | None, *, has_district: bool, context: AddressContext
) -> SecondLine:
    """Parse the second line: the unit, according to its label, and whatever people could not write elsewhere.

    It stays as written, except for a neighbourhood and a reference that are marked as such.
    """
    clean_district = configured_district_name(configured_district) if configured_district else None
    if line is None:
        return SecondLine(district=clean_district)
    if WORD_JOINER in line:
        unit, _, district = line.partition(WORD_JOINER)
        return SecondLine(unit=clean_text(unit), district=clean_text(district) or clean_district)
    if len(line) > MAX_LINE_LENGTH:
        return SecondLine(unit=line, district=clean_district)
    tokens = [token for token in tokenize(line, is_street=False) if not repeats_region(token, context.region_names)]
    if configured_district == line:
        return parse_district_line(tokens)
    districts = [token for token in tokens if token.kind in DISTRICT_KINDS]
    if not districts and not clean_district and not has_district:
        districts = [token for token in tokens if is_district_after_unit(token, tokens)]
    if len(districts) > 1 or (
        clean_district and districts and casefold_ascii(district_name(districts[0])) != casefold_ascii(clean_district)
    ):
        return SecondLine(unit=line, district=clean_district)  # two neighbourhoods: keep both
    references = [token for token in tokens if token.kind in {"reference", "crossing"}]
    units = [token for token in tokens if token not in districts and token not in references]
    if not districts and not references and len(units) != 1:
        return SecondLine(unit=line, district=clean_district)
    return SecondLine(
        unit=join_tokens(units, drop_interior_mark=True),
        district=clean_district or (district_name(districts[0]) if districts else None),
        reference=join_tokens(references),
    )


def is_district_after_unit(token: Token, tokens: list[Token]) -> bool:
    """Return whether the token is a neighbourhood, as in "Depto 4, Palermo"."""
    return (
        token is tokens[-1]
        and token.kind == "text"
        and token.separator == ","
        and all(previous.kind == "unit" for previous in tokens[:-1])
        and token.normalized.replace(" ", "").isalpha()
    )


def parse_district_line(tokens: list[Token]) -> SecondLine:
    """Parse a second line that the store's settings name as the neighbourhood. It may also contain a unit."""
    marked = [token for token in tokens if token.kind in DISTRICT_KINDS]
    units = [token for token in tokens if token.kind == "unit"]
    rest = [token for token in tokens if token not in units and token not in marked]
    if len(marked) == 1:
        return SecondLine(
            unit=join_distinct(join_tokens(units, drop_interior_mark=True), join_tokens(rest)),
            district=district_name(marked[0]),
        )
    return SecondLine(unit=join_tokens(units, drop_interior_mark=True), district=join_tokens([*marked, *rest]))


def configured_district_name(text: str) -> str | None:
    tokens = tokenize(text, is_street=False)
    marked = [token for token in tokens if token.kind == "district"]
    return clean_text(district_name(marked[0])) if len(tokens) == len(marked) == 1 else clean_text(text)


def build_ambiguity(line: str, reason: tuple[str, ...]) -> Problem:
    """Return the problem that names the line, why it is ambiguous, and how it can be read."""
    params: dict[str, ParamValue] = {"line": line, "reason": [reason], "readings": likely_readings(line)}
    return Problem(code="ambiguous_address", path=("line1",), params=params)


def join_distinct(*texts: str | None) -> str | None:
    """Join the texts without duplicates."""
    distinct: dict[str, str] = {}
    for text in texts:
        if text:
            distinct.setdefault(casefold_ascii(text), text)
    return ", ".join(distinct.values()) or None
