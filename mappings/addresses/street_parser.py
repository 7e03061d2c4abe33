"""Parses one address line as people type it in Mexico and Argentina. Ambiguous lines are reported, never guessed.

Text between marked tokens is classified by its position: street and number come first, neighbourhoods last.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mappings.addresses.ambiguity import Reading
from mappings.addresses.context import AddressContext
from mappings.addresses.street_patterns import (
    BARE_NUMBER,
    BARE_UNIT,
    COMPASS_SIGN,
    COMPASS_WORD,
    CROSSING_STREETS,
    DASHED_UNIT,
    DOOR_START,
    FIRST_NUMBER,
    KIND_AND_NUMBER,
    LEADING_NUMBER,
    LONG_CORNER,
    NAME_WITH_NUMBER,
    NEXT_NUMBER,
    NUMBERED_ROAD,
    NUMBERED_STREET,
    NUMERIC_STREET_NAME,
    PLOT_WITHIN,
    SECOND_NUMBER,
    STREET_KIND_AT_START,
    STREET_WITHIN,
    UNMARKED_DISTRICT_NAME,
)
from mappings.addresses.tokenizer import (
    DISTRICT_KINDS,
    WALKWAY,
    Token,
    district_name,
    join_tokens,
    repeats_region,
    strip_parentheses,
    tokenize,
)
from mappings.addresses.vocabulary import COMPASS, NAMED_BY_NUMBER, NUMBER
from mappings.text import casefold_ascii_same_length


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedLine:
    """The parts of a line. If it is ambiguous, only `reason` is set."""

    street: str | None = None
    number: str | None = None
    unit: str | None = None
    district: str | None = None
    reference: str | None = None
    reason: tuple[str, ...] | None = None  # a code of `REASONS`, then the text that it is about


class AmbiguousAddressError(Exception):
    """The line can be read in more than one way.

    Args:
        code: of `REASONS`.
        texts: the part of the line that it is about, if any.
    """

    def __init__(self, code: str, *texts: str) -> None:
        super().__init__(code)
        self.reason = (code, *texts)


def parse_line(line: str, context: AddressContext) -> ParsedLine:
    """Return the parts of `line`, or why it is ambiguous."""
    tokens = tokenize(line)
    street = next((token for token in tokens if token.kind == "text"), None)
    tokens = [token for token in tokens if token is street or not repeats_region(token, context.region_names)]
    try:
        return _parse_tokens(tokens, context)
    except AmbiguousAddressError as error:
        return ParsedLine(reason=error.reason)


def _parse_tokens(tokens: Sequence[Token], context: AddressContext) -> ParsedLine:
    street_index = next((index for index, token in enumerate(tokens) if token.kind == "text"), None)
    number, other_tokens = _find_marked_number(tokens)
    if street_index is None:
        return _parse_district_only(number, other_tokens)
    head = tokens[street_index]
    if street_index and not (
        STREET_KIND_AT_START.match(head.normalized) or (number is None and FIRST_NUMBER.fullmatch(head.normalized))
    ):
        raise AmbiguousAddressError("no_street")
    street, door, tail = _split_head(head)
    following = [token for token in other_tokens if token is not head]
    if door is not None and number is not None:
        if number.kind not in {"plot", "house"}:
            raise AmbiguousAddressError("two_numbers")
        following = [token for token in tokens if token is not head]  # block and lot say more than a number
        number = None
    if door is None and number is None:
        text_tokens = [token for token in following if token.kind == "text"]
        if text_tokens and text_tokens[0] is following[0] and not NUMBERED_STREET.fullmatch(head.normalized):
            door, tail = _split_leading_number(text_tokens[0])
            following = following[1:] if door else following
    door_number = door or (_format_number(number) if number else None)
    if door_number is None:
        _check_street_without_number(street, following)
    elif _is_generic(casefold_ascii_same_length(street)):
        raise AmbiguousAddressError("number_may_be_name")
    if tail is not None:
        following = [tail, *following]
    return _classify_rest(street, door_number, following, context)


def _find_marked_number(tokens: Sequence[Token]) -> tuple[Token | None, list[Token]]:
    """Return the token that is marked as the number, and all other tokens."""
    by_kind = {kind: [token for token in tokens if token.kind == kind] for kind in ("door", "kilometre", "absent")}
    plots = [token for token in tokens if token.kind in {"plot", "house", "lot"}]
    doors, kilometres, absents = by_kind["door"], by_kind["kilometre"], by_kind["absent"]
    block_plots = [token for token in plots if token.kind != "lot"]
    has_two_numbers = len(doors) > 1 or len(kilometres) > 1 or (block_plots and len(plots) > 1)
    if has_two_numbers or (doors and (kilometres or absents)):
        raise AmbiguousAddressError("two_numbers")
    number_token = next(iter([*doors, *kilometres, *block_plots, *absents]), None)
    return number_token, [token for token in tokens if token is not number_token and token.kind != "absent"]


def _format_number(token: Token) -> str:
    if token.kind == "absent":
        return "S/N"
    if token.kind == "kilometre":
        return "KM " + re.sub(r"(?i)km\.?\s*", "", token.text)
    if token.kind == "door":
        mark = DOOR_START.match(token.normalized)
        return token.text[mark.end() if mark else 0 :].strip()
    return token.text


def _split_head(head: Token) -> tuple[str, str | None, Token | None]:
    """Return street, number and the rest of the text that a line begins with."""
    normalized = head.normalized
    if NUMBERED_ROAD.fullmatch(normalized):
        return head.text, None, None
    numeric_name = NUMERIC_STREET_NAME.match(normalized)
    second_number_match = None
    if numeric_name:
        rest = normalized[numeric_name.end() :].strip(" .,")
        match = NEXT_NUMBER.match(normalized, numeric_name.end())
        if match is None and numeric_name.lastgroup != "numbered":
            match = FIRST_NUMBER.fullmatch(normalized, numeric_name.end())
        if match is None and re.fullmatch(r"(?:y|e)\s+\d+", rest):
            return head.text, None, None  # "Calle 7 y 50"
        if match is None and rest and re.search(r"\d", rest):
            raise AmbiguousAddressError("two_numbers")
    else:
        match = FIRST_NUMBER.fullmatch(normalized)
        if match and re.fullmatch(r".*\sde", match["name"]):
            match = None
        if match is None:
            match = second_number_match = SECOND_NUMBER.fullmatch(normalized)
    if match is None:
        if re.match(r"\d", normalized) and not (
            numeric_name
            or BARE_NUMBER.fullmatch(normalized)
            or re.fullmatch(r"\d+ y \d+", normalized)
            or NAME_WITH_NUMBER.fullmatch(normalized)
        ):
            raise AmbiguousAddressError("number_or_street_name")
        return head.text, None, None
    name = head.text[: match.start("number")].strip(" ,")
    normalized_name = normalized[: match.start("number")].strip(" ,.")
    if not re.search(r"\w", normalized_name) or re.search(
        r"\b(?:y|e|o|x|con|entre|esq|esquina|casi|frente|al)$", normalized_name
    ):
        raise AmbiguousAddressError("number_or_other_street")
    if (
        not numeric_name
        and match is not second_number_match
        and (_takes_number_as_name(normalized_name) or _is_generic(normalized_name))
    ):
        if match["tail"].strip() and re.search(r"\d", match["tail"]):
            raise AmbiguousAddressError("two_numbers")
        return head.text, None, None
    return name, head.text[match.start("number") : match.end("number")].strip(), _tail_token(head, match.start("tail"))


def _split_leading_number(token: Token) -> tuple[str | None, Token | None]:
    """Return the number that a token begins with, and what follows it."""
    match = LEADING_NUMBER.fullmatch(token.normalized)
    return (token.text[: match.end("number")], _tail_token(token, match.start("tail"))) if match else (None, None)


def _tail_token(token: Token, start: int) -> Token | None:
    text = token.text[start:].strip(" ,")
    if not text:
        return None
    text_start = token.text.index(text, start)
    return Token(kind="text", text=text, normalized=token.normalized[text_start : text_start + len(text)])


def _check_street_without_number(street: str, following: Sequence[Token]) -> None:
    """Raise if a line without a number may not be a street, or may contain an unmarked number."""
    normalized = casefold_ascii_same_length(street)
    if any(token.kind in {"unit", "building", "lot"} for token in following) and not WALKWAY.match(normalized):
        raise AmbiguousAddressError("flat_without_door")
    crossing = CROSSING_STREETS.fullmatch(normalized)
    if crossing and not normalized.startswith("esq"):
        if bool(re.search(r"\d\b", crossing["one"])) is not bool(re.match(r"\d+\b", crossing["other"])):
            raise AmbiguousAddressError("number_or_other_street")
        return
    if re.match(r"esq(?:uina)?\b", normalized) or (
        re.search(r"\d", normalized) and not _is_name_with_number(normalized)
    ):
        raise AmbiguousAddressError("number_or_street_name")
    is_street = (
        STREET_KIND_AT_START.match(normalized)
        or NUMERIC_STREET_NAME.match(normalized)
        or any(token.kind == "crossing" for token in following)
    )
    if not is_street or (_is_generic(normalized) and not NUMERIC_STREET_NAME.match(normalized)):
        raise AmbiguousAddressError("not_a_street")


def _parse_district_only(number: Token | None, other_tokens: Sequence[Token]) -> ParsedLine:
    """Parse a line that names a neighbourhood and no street: "Barrio Los Alisos, lote 123"."""
    districts = [token for token in other_tokens if token.kind in DISTRICT_KINDS]
    lots = [
        token for token in other_tokens if token.kind == "lot" or re.match(r"casa\b|u\.?\s?f\b|lote", token.normalized)
    ]
    units = [token for token in other_tokens if token.kind == "unit"]
    if len(districts) != 1 or (number and lots) or len(lots) > 1 or not (number or lots or units):
        raise AmbiguousAddressError("no_street")
    [district] = districts
    door = number or next(iter(lots), None)
    rest = [token for token in other_tokens if token not in (district, door)]
    return ParsedLine(
        street=district.text,
        number=_format_number(door) if door else None,
        unit=join_tokens([token for token in rest if token.kind in {"unit", "building", "lot", "house", "plot"}]),
        district=district_name(district),
        reference=join_tokens([token for token in rest if token.kind in {"reference", "crossing", "parenthesis"}]),
    )


def _classify_rest(street: str, number: str | None, following: Sequence[Token], context: AddressContext) -> ParsedLine:
    """Classify the tokens after street and number. Raises if a token may be two things."""
    units: list[Token] = []
    districts: list[Token] = []
    references: list[Token] = []
    previous: str | None = None
    for index, token in enumerate(following):
        kind = token.kind
        if kind == "text":
            kind = _classify_text(token, number, context, previous=previous)
            is_district_later = any(later.kind in DISTRICT_KINDS for later in following[index + 1 :])
            if kind == "name":
                kind = "reference" if districts or is_district_later else "named_district"
        elif kind == "parenthesis" and COMPASS_SIGN.fullmatch(token.normalized):
            kind = "compass"
        if kind == "compass":
            street = f"{street} {strip_parentheses(token.text)}"
        elif kind in {"unit", "building", "plot", "lot", "house"}:
            units.append(token)
        elif kind in DISTRICT_KINDS:
            if STREET_WITHIN.search(token.normalized) or PLOT_WITHIN.search(token.normalized):
                raise AmbiguousAddressError("district_and_more", token.text)
            districts.append(token)
        else:
            if context.country == "MX" and not districts and LONG_CORNER.fullmatch(token.normalized):
                raise AmbiguousAddressError("may_hold_district", token.text)
            references.append(token)
        previous = kind
    if len(districts) > 1:
        marked_districts = [token for token in districts if token.kind == "district"]
        main_district = marked_districts[0] if len(marked_districts) == 1 else districts[0]
        references += [token for token in districts if token is not main_district]
        districts = [main_district]
    return ParsedLine(
        street=street,
        number=number,
        unit=join_tokens(units, drop_interior_mark=True),
        district=district_name(districts[0]) if districts else None,
        reference=join_tokens(references),
    )


def _classify_text(token: Token, number: str | None, context: AddressContext, *, previous: str | None) -> str:
    """Return the kind of unmarked text after the number. Raises if it may be two things."""
    normalized = token.normalized
    if previous is None and COMPASS_WORD.fullmatch(normalized) and number is not None and not token.separator:
        return "compass"
    if token.separator == "-" and DASHED_UNIT.fullmatch(normalized) and previous in {None, "unit"}:
        return "unit"
    is_argentine = context.country == "AR"
    if (
        is_argentine
        and number is not None
        and BARE_UNIT.fullmatch(normalized)
        and previous in {None, "unit", "building"}
    ):
        return "unit"
    if normalized in context.municipalities and number is not None:
        return "reference"
    is_glued_to_unit = is_argentine and previous == "unit" and not token.separator
    if (
        UNMARKED_DISTRICT_NAME.fullmatch(normalized)
        and number is not None
        and not is_glued_to_unit
        and len(normalized) > 2
    ):
        return "name"
    raise AmbiguousAddressError("several_meanings", token.text)


def _takes_number_as_name(normalized: str) -> bool:
    """Return whether a number after it would be its name: "Retorno", but neither "Av. de la Torre" nor "Calle C"."""
    words = re.findall(r"[a-z0-9°]+", normalized)
    if not words or words[-1] not in NAMED_BY_NUMBER:
        return False
    return len(words) == 1 or (words[-1] != "c" and words[-2] not in {"la", "las", "el", "los", "del"})


def _is_name_with_number(normalized: str) -> bool:
    return bool(
        NUMERIC_STREET_NAME.fullmatch(normalized)
        or BARE_NUMBER.fullmatch(normalized)
        or KIND_AND_NUMBER.fullmatch(normalized)
    )


def _is_generic(normalized: str) -> bool:
    """Return whether it contains no name: "Calle", "Av. Norte"."""
    words = re.findall(r"[a-z]+|\d+", normalized)
    if words[1:] == ["c"]:
        return False
    return bool(words) and all(word in NAMED_BY_NUMBER or re.fullmatch(COMPASS, word) for word in words)


def likely_readings(line: str) -> list[Reading]:
    """Return the two most likely readings of an ambiguous line."""
    normalized = casefold_ascii_same_length(line)
    splits: list[Reading] = []
    for match in re.finditer(rf"(?<![\w#.,/-]){NUMBER}", normalized):
        before, following = line[: match.start()].strip(" ,.-#"), line[match.end() :].strip(" ,.-#")
        if before:
            splits.append((before, line[match.start() : match.end()], *([following] if following else [])))
    if not splits:
        return [(line,), ()]
    return [splits[0], splits[-1] if len(splits) > 1 else (line,)]
