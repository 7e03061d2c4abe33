"""Read one address line as people type it in Mexico and Argentina. What is not sure is said, never guessed.

What stands between the pieces that are marked is told apart by place: the street and its number come first, names of
neighbourhoods last.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mappings.addresses.street_patterns import (
    BARE_FLAT,
    BARE_NUMBER,
    COMPASS_SIGN,
    COMPASS_WORD,
    CROSSING_STREETS,
    DASHED_FLAT,
    DOOR_START,
    FIRST_NUMBER,
    KIND_AND_NUMBER,
    KIND_AT_START,
    LEADING_NUMBER,
    LONG_CORNER,
    NAME,
    NAME_WITH_NUMBER,
    NAMED,
    NEXT_NUMBER,
    NUMBERED_ROAD,
    NUMBERED_STREET,
    PLOT_WITHIN,
    SECOND_NUMBER,
    STREET_WITHIN,
)
from mappings.addresses.tokenizer import (
    DISTRICTS,
    WALKWAY,
    Piece,
    drop_parentheses,
    join_pieces,
    name_district,
    repeats_place,
    scan,
)
from mappings.addresses.vocabulary import COMPASS, NAMED_BY_NUMBER, NUMBER, flatten


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a line says. Where `reason` says why that is not sure, nothing else is told."""

    street: str | None = None
    number: str | None = None
    unit: str | None = None
    district: str | None = None
    reference: str | None = None
    reason: str | None = None


class UnsureError(Exception):
    """The line can be read in more than one way; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is known of an address beside its lines. Names are as `flatten` writes them."""

    country: str | None = None  # ISO 3166-1 alpha-2
    places: frozenset[str] = frozenset()  # what only repeats the city, the state or the country
    municipalities: frozenset[str] = frozenset()  # of the state: names that are no neighbourhood's


def read_line(line: str, surroundings: Surroundings) -> Reading:
    """Return what `line` says, or why it is not sure."""
    pieces = scan(line)
    street = next((piece for piece in pieces if piece.kind == "text"), None)
    pieces = [piece for piece in pieces if piece is street or not repeats_place(piece, surroundings.places)]
    try:
        return _read_pieces(pieces, surroundings)
    except UnsureError as error:
        return Reading(reason=str(error))


def _read_pieces(pieces: Sequence[Piece], surroundings: Surroundings) -> Reading:
    street_at = next((place for place, piece in enumerate(pieces) if piece.kind == "text"), None)
    number, others = _pick_marked_number(pieces)
    if street_at is None:
        return _read_place(number, others)
    head = pieces[street_at]
    if street_at and not (KIND_AT_START.match(head.flat) or (number is None and FIRST_NUMBER.fullmatch(head.flat))):
        raise UnsureError("no street is told apart")
    street, door, tail = _split_head(head)
    after = [piece for piece in others if piece is not head]
    if door is not None and number is not None:
        if number.kind not in {"plot", "house"}:
            raise UnsureError("two numbers may be the door's")
        after = [piece for piece in pieces if piece is not head]  # block and lot say more than the door's number
        number = None
    if door is None and number is None:
        loose = [piece for piece in after if piece.kind == "text"]
        if loose and loose[0] is after[0] and not NUMBERED_STREET.fullmatch(head.flat):
            door, tail = _cut_first_number(loose[0])
            after = after[1:] if door else after
    shown = door or (_show_number(number) if number else None)
    if shown is None:
        _refuse_without_number(street, after)
    elif _is_generic(flatten(street)):
        raise UnsureError("the number may be the street's name")
    if tail is not None:
        after = [tail, *after]
    return _sort_rest(street, shown, after, surroundings)


def _pick_marked_number(pieces: Sequence[Piece]) -> tuple[Piece | None, list[Piece]]:
    """Return the piece that is the number by its mark, and all others."""
    by_kind = {kind: [piece for piece in pieces if piece.kind == kind] for kind in ("door", "kilometre", "absent")}
    plots = [piece for piece in pieces if piece.kind in {"plot", "house", "lot"}]
    doors, kilometres, absents = by_kind["door"], by_kind["kilometre"], by_kind["absent"]
    sure_plots = [piece for piece in plots if piece.kind != "lot"]
    is_twice = len(doors) > 1 or len(kilometres) > 1 or (sure_plots and len(plots) > 1)
    if is_twice or (doors and (kilometres or absents)):
        raise UnsureError("two numbers may be the door's")
    found = next(iter([*doors, *kilometres, *sure_plots, *absents]), None)
    return found, [piece for piece in pieces if piece is not found and piece.kind != "absent"]


def _show_number(piece: Piece) -> str:
    if piece.kind == "absent":
        return "S/N"
    if piece.kind == "kilometre":
        return "KM " + re.sub(r"(?i)km\.?\s*", "", piece.text)
    if piece.kind == "door":
        mark = DOOR_START.match(piece.flat)
        return piece.text[mark.end() if mark else 0 :].strip()
    return piece.text


def _split_head(head: Piece) -> tuple[str, str | None, Piece | None]:
    """Return street, number and what stands behind it in the text with which a line begins."""
    flat = head.flat
    if NUMBERED_ROAD.fullmatch(flat):
        return head.text, None, None
    named = NAMED.match(flat)
    last = None
    if named:
        rest = flat[named.end() :].strip(" .,")
        match = NEXT_NUMBER.match(flat, named.end())
        if match is None and named.lastgroup != "numbered":
            match = FIRST_NUMBER.fullmatch(flat, named.end())
        if match is None and re.fullmatch(r"(?:y|e)\s+\d+", rest):
            return head.text, None, None  # "Calle 7 y 50"
        if match is None and rest and re.search(r"\d", rest):
            raise UnsureError("two numbers may be the door's")
    else:
        match = FIRST_NUMBER.fullmatch(flat)
        if match and re.fullmatch(r".*\sde", match["name"]):
            match = None
        if match is None:
            match = last = SECOND_NUMBER.fullmatch(flat)
    if match is None:
        if re.match(r"\d", flat) and not (
            named or BARE_NUMBER.fullmatch(flat) or re.fullmatch(r"\d+ y \d+", flat) or NAME_WITH_NUMBER.fullmatch(flat)
        ):
            raise UnsureError("the number may be the door's or the street's name")
        return head.text, None, None
    name = head.text[: match.start("number")].strip(" ,")
    flat_name = flat[: match.start("number")].strip(" ,.")
    if not re.search(r"\w", flat_name) or re.search(r"\b(?:y|e|o|x|con|entre|esq|esquina|casi|frente|al)$", flat_name):
        raise UnsureError("the number may be the door's or the other street's name")
    if not named and match is not last and (_takes_number_as_name(flat_name) or _is_generic(flat_name)):
        if match["tail"].strip() and re.search(r"\d", match["tail"]):
            raise UnsureError("two numbers may be the door's")
        return head.text, None, None
    return name, head.text[match.start("number") : match.end("number")].strip(), _cut_tail(head, match.start("tail"))


def _cut_first_number(piece: Piece) -> tuple[str | None, Piece | None]:
    """Return the number with which a piece begins, and what follows it."""
    match = LEADING_NUMBER.fullmatch(piece.flat)
    return (piece.text[: match.end("number")], _cut_tail(piece, match.start("tail"))) if match else (None, None)


def _cut_tail(piece: Piece, start: int) -> Piece | None:
    text = piece.text[start:].strip(" ,")
    if not text:
        return None
    at = piece.text.index(text, start)
    return Piece(kind="text", text=text, flat=piece.flat[at : at + len(text)])


def _refuse_without_number(street: str, after: Sequence[Piece]) -> None:
    """Raise where a line without a number may be no street, or its number may stand in it unseen."""
    flat = flatten(street)
    if any(piece.kind in {"unit", "building", "lot"} for piece in after) and not WALKWAY.match(flat):
        raise UnsureError("a flat is named, and no number of the door")
    crossing = CROSSING_STREETS.fullmatch(flat)
    if crossing and not flat.startswith("esq"):
        if bool(re.search(r"\d\b", crossing["one"])) is not bool(re.match(r"\d+\b", crossing["other"])):
            raise UnsureError("the number may be the door's or the other street's name")
        return
    if re.match(r"esq(?:uina)?\b", flat) or (re.search(r"\d", flat) and not _is_name_with_number(flat)):
        raise UnsureError("the number may be the door's or the street's name")
    is_street = KIND_AT_START.match(flat) or NAMED.match(flat) or any(piece.kind == "crossing" for piece in after)
    if not is_street or (_is_generic(flat) and not NAMED.match(flat)):
        raise UnsureError("neither the kind of a street nor a number tells that it is one")


def _read_place(number: Piece | None, others: Sequence[Piece]) -> Reading:
    """Read a line that names a neighbourhood and no street: "Barrio Los Alisos, lote 123"."""
    districts = [piece for piece in others if piece.kind in DISTRICTS]
    lots = [piece for piece in others if piece.kind == "lot" or re.match(r"casa\b|u\.?\s?f\b|lote", piece.flat)]
    units = [piece for piece in others if piece.kind == "unit"]
    if len(districts) != 1 or (number and lots) or len(lots) > 1 or not (number or lots or units):
        raise UnsureError("no street is told apart")
    [district] = districts
    door = number or next(iter(lots), None)
    rest = [piece for piece in others if piece not in (district, door)]
    return Reading(
        street=district.text,
        number=_show_number(door) if door else None,
        unit=join_pieces([piece for piece in rest if piece.kind in {"unit", "building", "lot", "house", "plot"}]),
        district=name_district(district),
        reference=join_pieces([piece for piece in rest if piece.kind in {"reference", "crossing", "parenthesis"}]),
    )


def _sort_rest(street: str, number: str | None, after: Sequence[Piece], surroundings: Surroundings) -> Reading:
    """Sort what is neither street nor number. Raises where a piece may be two things."""
    units: list[Piece] = []
    districts: list[Piece] = []
    references: list[Piece] = []
    previous: str | None = None
    for place, piece in enumerate(after):
        kind = piece.kind
        if kind == "text":
            kind = _tell_text(piece, number, surroundings, previous=previous)
            is_last_marked = any(later.kind in DISTRICTS for later in after[place + 1 :])
            if kind == "name":
                kind = "reference" if districts or is_last_marked else "named_district"
        elif kind == "parenthesis" and COMPASS_SIGN.fullmatch(piece.flat):
            kind = "compass"
        if kind == "compass":
            street = f"{street} {drop_parentheses(piece.text)}"
        elif kind in {"unit", "building", "plot", "lot", "house"}:
            units.append(piece)
        elif kind in DISTRICTS:
            if STREET_WITHIN.search(piece.flat) or PLOT_WITHIN.search(piece.flat):
                raise UnsureError(f"“{piece.text}” names a neighbourhood and something else")
            districts.append(piece)
        else:
            if surroundings.country == "MX" and not districts and LONG_CORNER.fullmatch(piece.flat):
                raise UnsureError(f"“{piece.text}” may hold a neighbourhood")
            references.append(piece)
        previous = kind
    if len(districts) > 1:
        named = [piece for piece in districts if piece.kind == "district"]
        keeper = named[0] if len(named) == 1 else districts[0]
        references += [piece for piece in districts if piece is not keeper]
        districts = [keeper]
    return Reading(
        street=street,
        number=number,
        unit=join_pieces(units, drop_interior_mark=True),
        district=name_district(districts[0]) if districts else None,
        reference=join_pieces(references),
    )


def _tell_text(piece: Piece, number: str | None, surroundings: Surroundings, *, previous: str | None) -> str:
    """Return what unmarked text behind the number is. Raises where it may be two things."""
    flat = piece.flat
    if previous is None and COMPASS_WORD.fullmatch(flat) and number is not None and not piece.separator:
        return "compass"
    if piece.separator == "-" and DASHED_FLAT.fullmatch(flat) and previous in {None, "unit"}:
        return "unit"
    is_argentine = surroundings.country == "AR"
    if is_argentine and number is not None and BARE_FLAT.fullmatch(flat) and previous in {None, "unit", "building"}:
        return "unit"
    if flat in surroundings.municipalities and number is not None:
        return "reference"
    is_glued_to_unit = is_argentine and previous == "unit" and not piece.separator
    if NAME.fullmatch(flat) and number is not None and not is_glued_to_unit and len(flat) > 2:
        return "name"
    raise UnsureError(f"“{piece.text}” may be more than one thing")


def _takes_number_as_name(flat: str) -> bool:
    """Whether a number behind it would be its name: "Retorno", but neither "Av. de la Torre" nor "Calle C"."""
    words = re.findall(r"[a-z0-9°]+", flat)
    if not words or words[-1] not in NAMED_BY_NUMBER:
        return False
    return len(words) == 1 or (words[-1] != "c" and words[-2] not in {"la", "las", "el", "los", "del"})


def _is_name_with_number(flat: str) -> bool:
    return bool(NAMED.fullmatch(flat) or BARE_NUMBER.fullmatch(flat) or KIND_AND_NUMBER.fullmatch(flat))


def _is_generic(flat: str) -> bool:
    """Whether nothing in it is a name: "Calle", "Av. Norte"."""
    words = re.findall(r"[a-z]+|\d+", flat)
    if words[1:] == ["c"]:
        return False
    return bool(words) and all(word in NAMED_BY_NUMBER or re.fullmatch(COMPASS, word) for word in words)


def show_readings(line: str) -> str:
    """Return the two readings that come first to mind, in a merchant's words."""
    flat = flatten(line)
    splits = []
    for match in re.finditer(rf"(?<![\w#.,/-]){NUMBER}", flat):
        before, after = line[: match.start()].strip(" ,.-#"), line[match.end() :].strip(" ,.-#")
        if before:
            rest = f", then “{after}”" if after else ""
            splits.append(f"street “{before}”, number “{line[match.start() : match.end()]}”{rest}")
    if not splits:
        return f"street “{line}” without a number; or a place without a street"
    return f"{splits[0]}; or {splits[-1] if len(splits) > 1 else f'street “{line}” without a number'}"
