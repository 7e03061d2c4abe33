"""Cut an address line into pieces at the marks that people write. It does not tell what they mean together."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mappings.addresses.vocabulary import GREEDY, PIECE, SEPARATOR, STREET_KIND, flatten


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    kind: str  # of `address_marks.KINDS`, or "text"
    text: str  # as written
    flat: str  # to look at
    separator: str = ""  # what stands before it: "", "," or "-"


KIND_AT_END = re.compile(rf"(?<![a-z0-9])(?!c$){STREET_KIND}\.?\s*$", re.VERBOSE)
#: Housing where building and flat are the whole address.
BUILDING_AT_START = re.compile(r"(?:torre|edif(?:icio)?|block|bloque|monobloc?k|duplex|tira|nudo)\b")
BARRIO_AHEAD = re.compile(r"\b(?:barrio\b|b°|bo\.)")
WALKWAY = re.compile(r"and(?:ador)?\b")
HOUSING_AT_START = re.compile(rf"{WALKWAY.pattern}|barrio\b|b°|country\b|chacra\b|torre\b|edif|u\.?\s?h\b|unidad\s+hab")
DISTRICTS = frozenset({"district", "named_district"})


def scan(line: str, *, is_street: bool = True) -> list[Piece]:
    """Cut `line` at its marks and separators. Nothing but separators is lost.

    Where a street is expected, words such as "Torre" count as marks only behind it.
    """
    flat = flatten(line)
    marks: list[tuple[str, int, int]] = []
    position = 0
    while match := PIECE.search(flat, position):
        kind = match.lastgroup or ""
        if not is_street or _is_mark(kind, match, flat):
            marks.append((kind, match.start(), match.end()))
            position = max(match.end(), match.start() + 1)
        else:
            position = match.start() + 1
    pieces: list[Piece] = []
    position = 0
    for place, (kind, start, end) in enumerate(marks):
        if start < position:
            continue
        pieces += _cut_text(line, flat, position, start)
        if kind in GREEDY:
            limit = next((other[1] for other in marks[place + 1 :] if not _goes_on(kind, end, other, flat)), len(line))
            comma = re.compile("[,;]").search(flat, end, limit)
            end = comma.start() if comma else limit
        before = flat[:start].rstrip()[-1:]
        separator = before if before in {",", "-"} else ""
        pieces.append(Piece(kind=kind, text=line[start:end].strip(), flat=flat[start:end].strip(), separator=separator))
        position = end
    pieces += _cut_text(line, flat, position, len(line))
    return pieces


def _goes_on(kind: str, end: int, other: tuple[str, int, int], flat: str) -> bool:
    """Whether another mark is within a neighbourhood's name: "Col. Puerta de Hierro", "U. Hab. Infonavit El Hueso"."""
    if kind not in DISTRICTS:
        return False
    is_next_word = not flat[end : other[1]].strip() and not flat[end - 1].isdigit()
    return other[0] in DISTRICTS or (is_next_word and other[0] in {"reference", "building", "unit"})


def _is_mark(kind: str, match: re.Match[str], flat: str) -> bool:
    """Whether what looks like a mark is one there: "Torre Blanca 12" may well be a street."""
    before = flat[: match.start()].rstrip()
    if not before.strip(" ,.-"):
        if kind == "unit":
            return bool(BUILDING_AT_START.match(match[0]) and BARRIO_AHEAD.search(flat, match.end()))
        return kind in {"district", "named_district", "plot", "house", "lot", "kilometre", "door"}
    if KIND_AT_END.search(before):  # "Av. Colonia del Valle", "Av. X 12"
        return kind in {"door", "absent", "kilometre", "parenthesis"}
    has_number = bool(re.search(r"\d", before)) or "s/n" in before
    is_apart = has_number or before[-1] in ",-)"
    if kind == "district":
        return is_apart or match[0].endswith(".") or "°" in match[0]
    if kind == "named_district":
        return is_apart or bool(re.match(r"fracc|u\.?\s?h|s\.?m|supermanzana", match[0]))
    if kind == "reference":
        return is_apart or bool(re.match(r"entre|e/|esq|casi", match[0]))
    if kind in {"unit", "building"}:
        is_numbered = bool(re.search(r"\d", match[0]))
        return is_apart or (is_numbered and bool(HOUSING_AT_START.match(flat)))
    return True


def _cut_text(line: str, flat: str, start: int, end: int) -> Iterator[Piece]:
    """Cut what stands between marks at its separators."""
    separator = "-" if flat[:start].rstrip().endswith("-") else ""
    while start < end:
        found = SEPARATOR.search(flat, start, end)
        stop = found.start() if found else end
        text = line[start:stop].strip(" ,.;")
        if re.search(r"\w", text):
            at = line.index(text, start)
            yield Piece(kind="text", text=text, flat=flat[at : at + len(text)], separator=separator)
        if found is None:
            return
        separator = "-" if "-" in found[0] else ","
        start = found.end()


def repeats_place(piece: Piece, places: frozenset[str]) -> bool:
    """Whether a piece says nothing but the city, the state or the postcode over again."""
    if piece.kind == "postcode" or re.fullmatch(r"\(\d{4,5}\)", piece.flat):
        return True
    if piece.kind != "text":
        return False
    words = piece.flat.replace(".", "").strip()
    for place in sorted((place for place in places if place in words), key=len, reverse=True):
        words = re.sub(rf"(?<!\w){re.escape(place)}(?!\w)", "", words).strip(" ,")
    return words == "" or bool(re.fullmatch(r"\d{5}|\d{5}\s*mexico|capital", words))


def name_district(piece: Piece) -> str:
    """Return a neighbourhood's name, without the words that only say that it is one."""
    cut = re.match(r"(?:col(?:onia)?\b\.?|barrio\b(?:\s+de\b(?!\s+(?:la|los|las|el)\b))?|b°|bo\.)\s*", piece.flat)
    return piece.text[cut.end() if cut else 0 :].strip(" ,.")


def join_pieces(pieces: Sequence[Piece], *, drop_interior_mark: bool = False) -> str | None:
    """Join pieces as they were written. A lone interior number loses its mark."""
    texts = [drop_parentheses(piece.text).strip(" ,") for piece in pieces]
    if not texts:
        return None
    if drop_interior_mark and len(pieces) == 1:
        mark = re.match(r"(?:n[ou]m?\.?\s*|n°\s*)?int(?:erior)?\b\.?\s*(?:n°|no\.|#)?:?\s*", pieces[0].flat)
        texts[0] = texts[0][mark.end() if mark else 0 :]
    text = texts[0]
    for piece, more in zip(pieces[1:], texts[1:], strict=True):
        text += {"": " ", "-": " - "}.get(piece.separator, ", ") + more
    return text or None


def drop_parentheses(text: str) -> str:
    return text[1:-1].strip() if text.startswith("(") and text.endswith(")") and len(text) > 3 else text
