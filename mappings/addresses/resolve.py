"""Fill street, number, flat and neighbourhood of an address from its lines, where it is sure. It never guesses.

Storefront schemas load the lines as written; `streets` reads one of them, this brings together what the platform, the
store's settings and the lines say.
"""

import re
from dataclasses import dataclass, replace

from mappings.addresses.regions import COUNTRIES, look_around
from mappings.addresses.street_parser import Reading, Surroundings, read_line, show_readings
from mappings.addresses.tokenizer import DISTRICTS, Piece, join_pieces, name_district, repeats_place, scan
from mappings.order import Address
from mappings.text import JOINER, clean_text, fold

#: Longer lines are no address: they stay whole, and cost no time.
LONGEST_LINE = 300

#: What shops and plugins write where they know no street.
PLACEHOLDERS = {"no informado", "no informada", "sin direccion", "sin datos", "s/d", "n/a", "na", "ninguna", "ninguno"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What the second line holds."""

    unit: str | None = None
    district: str | None = None
    reference: str | None = None


def settle_address(
    address: Address, *, number: str | None = None, unit: str | None = None, district: str | None = None
) -> Address:
    """Return `address` with street, number, unit, district and reference told apart.

    The platform's own fields and separator win; `number`, `unit` and `district` come from where the store's settings
    say; the lines' own text is the last resort. Where the first line can be read in two ways it stays whole as the
    street, and `doubt` says how.
    """
    line1, line2 = address.line1, address.line2
    around = look_around(address) if line1 or line2 else Surroundings()
    first = read_first_line(line1, number, around)
    if line1 and line2 and first.number is None and starts_with_number(line2):
        both = read_first_line(f"{line1} {line2}", number, around)
        if both.reason is None and both.number is not None:
            first, line2 = both, None
    second = read_second_line(line2, district, has_district=bool(first.district), around=around)
    street = address.street or first.street
    reason = first.reason if street == line1 and address.country in COUNTRIES else None  # elsewhere none is told apart
    return replace(
        address,
        street=street,
        number=address.number or first.number,
        unit=address.unit or join_distinct(first.unit, unit, second.unit),
        district=address.district or second.district or first.district,
        reference=address.reference or join_distinct(first.reference, second.reference),
        doubt=describe_doubt(line1, reason) if line1 and reason else None,
    )


#: What is read to tell the parts of an address apart, and the parts.
READ = (
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
TOLD = ("street", "number", "unit", "district", "reference", "doubt")


def settle_billing(address: Address, *, shipping: Address | None, settled: Address | None) -> Address:
    """As `settle_address`, which costs half of reading a small order, where this is not the `shipping` one again."""
    if shipping is None or any(getattr(address, name) != getattr(shipping, name) for name in READ):
        return settle_address(address)
    return replace(address, **{name: getattr(settled, name) for name in TOLD})


def read_first_line(line: str | None, given_number: str | None, around: Surroundings) -> Reading:
    if line is None or is_placeholder(line):
        return Reading(number=given_number)
    if JOINER in line:
        street, _, number = line.partition(JOINER)
        return Reading(street=clean_text(street), number=clean_text(number) or given_number)
    if len(line) > LONGEST_LINE:
        return Reading(street=line, number=given_number)
    if given_number is not None:
        mark = r"(?:#|\bN[º°]\.?|\b(?:Nro|N[uú]m|No)\b\.?|\bN[uú]mero\b)"
        street = re.sub(rf"[\s,]*(?:{mark}\s*)?(?<!\w){re.escape(given_number)}$", "", line, flags=re.IGNORECASE)
        return Reading(street=clean_text(street.strip(" ,")) or line, number=given_number)
    reading = read_line(line, around)
    return replace(reading, street=line) if reading.reason else reading


def starts_with_number(line: str) -> bool:
    """Whether a second line goes on with the number that the first one lacks: "#1130 depto 701"."""
    pieces = scan(line, is_street=False) if JOINER not in line and len(line) <= LONGEST_LINE else []
    return bool(pieces) and pieces[0].kind in {"door", "plot", "lot", "kilometre", "absent"}


def read_second_line(
    line: str | None, given_district: str | None, *, has_district: bool, around: Surroundings
) -> Second:
    """Read what the platform calls the flat, and where people write whatever does not fit elsewhere.

    It stays as written, but for a neighbourhood and a reference that are marked as such.
    """
    given = name_given_district(given_district) if given_district else None
    if line is None:
        return Second(district=given)
    if JOINER in line:
        flat, _, district = line.partition(JOINER)
        return Second(unit=clean_text(flat), district=clean_text(district) or given)
    if len(line) > LONGEST_LINE:
        return Second(unit=line, district=given)
    pieces = [piece for piece in scan(line, is_street=False) if not repeats_place(piece, around.places)]
    if given_district == line:
        return split_district_line(pieces)
    districts = [piece for piece in pieces if piece.kind in DISTRICTS]
    if not districts and not given and not has_district:
        districts = [piece for piece in pieces if is_name_behind_flat(piece, pieces)]
    if len(districts) > 1 or (given and districts and fold(name_district(districts[0])) != fold(given)):
        return Second(unit=line, district=given)  # two neighbourhoods: neither gets lost
    references = [piece for piece in pieces if piece.kind in {"reference", "crossing"}]
    units = [piece for piece in pieces if piece not in districts and piece not in references]
    if not districts and not references and len(units) != 1:
        return Second(unit=line, district=given)
    return Second(
        unit=join_pieces(units, drop_interior_mark=True),
        district=given or (name_district(districts[0]) if districts else None),
        reference=join_pieces(references),
    )


def is_name_behind_flat(piece: Piece, pieces: list[Piece]) -> bool:
    """Whether it is a neighbourhood as in "Depto 4, Palermo"."""
    return (
        piece is pieces[-1]
        and piece.kind == "text"
        and piece.separator == ","
        and all(other.kind == "unit" for other in pieces[:-1])
        and piece.flat.replace(" ", "").isalpha()
    )


def split_district_line(pieces: list[Piece]) -> Second:
    """Read a second line of which the store says that it holds the neighbourhood; a flat may stand beside it."""
    marked = [piece for piece in pieces if piece.kind in DISTRICTS]
    units = [piece for piece in pieces if piece.kind == "unit"]
    rest = [piece for piece in pieces if piece not in units and piece not in marked]
    if len(marked) == 1:
        return Second(
            unit=join_distinct(join_pieces(units, drop_interior_mark=True), join_pieces(rest)),
            district=name_district(marked[0]),
        )
    return Second(unit=join_pieces(units, drop_interior_mark=True), district=join_pieces([*marked, *rest]))


def name_given_district(text: str) -> str | None:
    pieces = scan(text, is_street=False)
    marked = [piece for piece in pieces if piece.kind == "district"]
    return clean_text(name_district(marked[0])) if len(pieces) == len(marked) == 1 else clean_text(text)


def describe_doubt(line: str, reason: str) -> str:
    """Return what a merchant has to know to settle it: the line, why it is not sure, and how it can be read."""
    return f"address “{line}” is not sure, since {reason}: {show_readings(line)}."


def is_placeholder(line: str) -> bool:
    return fold(line.replace(JOINER, " ")).strip(" .,-") in PLACEHOLDERS or not re.search(r"\w", line)


def join_distinct(*texts: str | None) -> str | None:
    """Join the texts, each once."""
    kept: dict[str, str] = {}
    for text in texts:
        if text:
            kept.setdefault(fold(text), text)
    return ", ".join(kept.values()) or None
