"""Tell street, number, flat and neighbourhood apart in address lines, where it is sure. It never guesses.

Storefront schemas load the lines as written; this fills the hub's separate fields from them.
"""

import re
from dataclasses import dataclass, replace

from mappings.order import Address
from mappings.text import JOINER, clean_text, fold

FLAGS = re.IGNORECASE
#: Longer lines are no address: they stay whole, and cost no time.
LONGEST_LINE = 300

DISTRICT_MARK = r"(?:\bCol\.|\bCol\b|\bColonia\b|\bBarrio\b|(?=\bFracc\b|\bFraccionamiento\b))"
NUMBER_MARK = r"(?:#|\bN[º°]\.?|\b(?:Nro|N[uú]m|No)\b\.?|\bN[uú]mero\b)"
UNIT_WORD = r"\b(?:Int|Interior|Depto|Dpto|Departamento|Piso|Torre|Local|Oficina)\b\.?"
FLOOR = r"\b\d{1,2}\s?[º°]\s?[\"“']?[A-Z]?\b[\"”']?"  # "5° B"

#: 12, 12-B, 123 A, 45 bis
NUMBER = r"\d+(?:-[A-Z0-9]+\b|\s?[A-Z]\b|\s?bis\b)*"

DISTRICT = re.compile(rf"[\s,]*{DISTRICT_MARK}\s*(?P<name>[^,]+)(?:,|$)", FLAGS)
ABBREVIATED_DISTRICT = re.compile(r"\b(?:Col|Fracc)\.", FLAGS)
UNIT_START = re.compile(rf"[\s,]*(?P<unit>(?:{UNIT_WORD}|{FLOOR}).*)$", FLAGS)
#: One unit amid other text: "Torre 3", "Int. B"; but "Torre Blanca" is a neighbourhood.
UNIT_AMID = re.compile(rf"[\s,]*(?P<unit>{UNIT_WORD}\s*(?:\d[\w-]*|PB\b|[A-Z]\b)|{FLOOR})[\s,]*", FLAGS)
INTERIOR = re.compile(r"Int(?:erior)?\b\.?\s*(?:#|No\.)?\s*", FLAGS)

MARKED_NUMBER = re.compile(rf"[\s,]*{NUMBER_MARK}\s*(?P<number>{NUMBER})", FLAGS)
KILOMETRE = re.compile(r"[\s,]*\bKM\b\.?\s*(?P<number>\d+(?:[.,+]\d+)?)", FLAGS)
NO_NUMBER = re.compile(r"[\s,]*(?:\bS\s?/\s?N\b\.?|\bsin n[uú]mero\b)", FLAGS)
HAS_NUMBER = re.compile(rf"\d|{NO_NUMBER.pattern}", FLAGS)
LAST_NUMBER = re.compile(rf"(?P<street>[^\d#]*[^\d#\s,])[\s,]+(?P<number>{NUMBER})", FLAGS)

WORD = re.compile(r"\w+")
#: Words that take a number as their name: "Calle 10" is a street, not number 10 of a street.
STREET_WORDS = """
    and andador autopista av avda ave avenida blvd boulevard bulevar c calle calz calzada camino carr carretera casa
    cda cerrada circuito cto cuadra departamento depto diag diagonal dpto edif edificio eje etapa fase int interior
    km local lote lt manzana mz mza nivel oficina pasaje piso pje predio priv privada prol prolongacion reg region ret
    retorno rta ruta secc seccion sector sm supermanzana torre unidad vereda via zona
"""
NAMED_BY_NUMBER = frozenset(STREET_WORDS.split())
COMPASS = {"norte", "sur", "oriente", "poniente", "este", "oeste", "nte", "ote", "pte", "n", "s"}
#: What shops and plugins write where they know no street.
PLACEHOLDERS = {"no informado", "no informada", "sin direccion", "sin datos", "s/d", "n/a", "na", "ninguna", "ninguno"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a line holds."""

    street: str | None = None
    number: str | None = None
    unit: str | None = None
    district: str | None = None


def settle_address(
    address: Address, *, number: str | None = None, unit: str | None = None, district: str | None = None
) -> Address:
    """Return `address` with street, number, unit and district told apart.

    The platform's own fields and separator win; `number`, `unit` and `district` come from where the store's settings
    say; the lines' own text is the last resort.
    """
    first = read_first_line(address.line1, number)
    second = read_second_line(address.line2, district)
    return replace(
        address,
        street=address.street or first.street,
        number=address.number or first.number,
        unit=address.unit or join_distinct(first.unit, unit, second.unit),
        district=address.district or second.district or first.district,
    )


def read_first_line(line: str | None, given_number: str | None) -> Parts:
    if line is None or is_placeholder(line):
        return Parts(number=given_number)
    if JOINER in line:
        street, _, number = line.partition(JOINER)
        return Parts(street=clean_text(street), number=clean_text(number) or given_number)
    if len(line) > LONGEST_LINE:
        return Parts(street=line, number=given_number)
    if given_number is not None:
        street = re.sub(rf"[\s,]*(?:{NUMBER_MARK}\s*)?(?<!\w){re.escape(given_number)}$", "", line, flags=FLAGS)
        return Parts(street=clean_text(street.strip(" ,")) or line, number=given_number)
    return split_line(line)


def read_second_line(line: str | None, given_district: str | None) -> Parts:
    given = clean_text(DISTRICT.sub(r"\g<name>", given_district)) if given_district else None
    if line is None:
        return Parts(district=given)
    if JOINER in line:
        flat, _, district = line.partition(JOINER)
        return Parts(unit=clean_text(flat), district=clean_text(district) or given)
    if len(line) > LONGEST_LINE:
        return Parts(unit=line, district=given)
    if given_district == line:
        units = [drop_interior(match["unit"]) for match in UNIT_AMID.finditer(line)]
        rest = UNIT_AMID.sub(", ", line).strip(" ,")
        marked, others = cut_district(rest)
        if marked is None:
            return Parts(unit=join_distinct(*units), district=clean_text(rest))
        return Parts(unit=join_distinct(*units, others), district=marked)
    written, unit = cut_district(line)
    if given and written and fold(written) != fold(given):
        return Parts(unit=line, district=given)  # two neighbourhoods: neither gets lost
    return Parts(unit=unit, district=given or written)


def split_line(line: str) -> Parts:
    """Tell the parts of "street number, flat, neighbourhood" apart. Where the number is not sure, nothing is split."""
    district, rest = cut_first_line_district(line)
    if rest is None:
        return Parts(district=district)
    before, unit = cut_unit(rest)
    found = split_number(before.strip(" ,."))
    if found is None or ABBREVIATED_DISTRICT.search(rest):  # "Juárez Col. Centro 123": whose is the number?
        return Parts(street=rest, district=district)
    street, number = found
    return Parts(street=street, number=number, unit=unit, district=district)


def cut_unit(text: str) -> tuple[str, str | None]:
    """Return what stands before the flat, and the flat. A flat follows a number: "Torre 5" alone is a street."""
    match = UNIT_START.search(text)
    if match is None or MARKED_NUMBER.search(match["unit"]) or not HAS_NUMBER.search(text[: match.start()]):
        return text, None
    return text[: match.start()], drop_interior(match["unit"])


def split_number(text: str) -> tuple[str, str] | None:
    """Return street and number, or None where it is not sure which is which."""
    marks = [match for pattern in (MARKED_NUMBER, KILOMETRE, NO_NUMBER) for match in pattern.finditer(text)]
    if len(marks) > 1:
        return None
    if marks:
        [mark] = marks
        after = text[mark.end() :].strip(" ,.")
        street = glue(text[: mark.start()], after)
        is_sure = not is_generic(street) and (not after or mark.re is KILOMETRE)
        return (street, write_number(mark)) if is_sure else None
    last = LAST_NUMBER.fullmatch(text)
    if last is None or is_generic(last["street"]) or words(last["street"])[-1] in NAMED_BY_NUMBER:
        return None
    return last["street"].strip(" ,"), write_number(last)


def write_number(match: re.Match[str]) -> str:
    if match.re is NO_NUMBER:
        return "S/N"
    return f"KM {match['number']}" if match.re is KILOMETRE else match["number"]


def cut_district(line: str) -> tuple[str | None, str | None]:
    """Return the marked neighbourhood in `line`, and the rest."""
    match = DISTRICT.search(line)
    if match is None:
        return None, line
    return clean_text(match["name"]), glue(line[: match.start()], line[match.end() :]) or None


def cut_first_line_district(line: str) -> tuple[str | None, str | None]:
    """Cut the marked neighbourhood out of a street line, up to the number or flat that may follow it.

    A word that may as well be the street's name is no mark: "Av. Colonia del Valle 615".
    """
    match = DISTRICT.search(line)
    if match is None:
        return None, line
    before, name = line[: match.start()], match["name"]
    is_mark = not before or "," in match[0] or HAS_NUMBER.search(before) or ABBREVIATED_DISTRICT.search(match[0])
    tail = MARKED_NUMBER.search(name) or UNIT_START.search(name)
    if tail:
        before, name = before + name[tail.start() :], name[: tail.start()]
    rest = glue(before, line[match.end() :])
    takes_the_number = re.search(r"\d\W*$", name) and not HAS_NUMBER.search(rest)
    if not is_mark or takes_the_number:
        return None, line
    return clean_text(name.strip(" ,")), rest or None


def glue(before: str, after: str) -> str:
    """Join what is left around something that was cut out."""
    return ", ".join(part for part in (before.strip(" ,"), after.strip(" ,")) if part)


def drop_interior(unit: str) -> str:
    """Take off the mark of an interior number; "Piso 5" would lose something without its word."""
    return (INTERIOR.sub("", unit, count=1) if INTERIOR.match(unit) else unit).strip(" ,.")


def words(text: str) -> list[str]:
    return WORD.findall(fold(text))


def is_generic(street: str) -> bool:
    """Whether nothing in `street` is a name: "Calle", "Av. Norte"."""
    return all(word in NAMED_BY_NUMBER or word in COMPASS for word in words(street))


def is_placeholder(line: str) -> bool:
    return fold(line.replace(JOINER, " ")).strip(" .,-") in PLACEHOLDERS or not WORD.search(line)


def join_distinct(*texts: str | None) -> str | None:
    """Join the texts, each once."""
    kept: dict[str, str] = {}
    for text in texts:
        if text:
            kept.setdefault(fold(text), text)
    return ", ".join(kept.values()) or None
