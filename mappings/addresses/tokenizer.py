"""Splits an address line into tokens at the marks that people write. It does not interpret them together."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mappings.addresses.vocabulary import OPEN_ENDED_KINDS, SEPARATOR, STREET_KIND, TOKEN_PATTERN
from mappings.text import casefold_ascii_same_length


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    kind: str  # of `vocabulary.KINDS`, or "text"
    text: str  # as written
    normalized: str  # for matching
    separator: str = ""  # before the token: "", "," or "-"


STREET_KIND_AT_END = re.compile(rf"(?<![a-z0-9])(?!c$){STREET_KIND}\.?\s*$", re.VERBOSE)
#: Housing in which building and unit are the whole address.
BUILDING_AT_START = re.compile(r"(?:torre|edif(?:icio)?|block|bloque|monobloc?k|duplex|tira|nudo)\b")
BARRIO_AHEAD = re.compile(r"\b(?:barrio\b|b°|bo\.)")
WALKWAY = re.compile(r"and(?:ador)?\b")
HOUSING_AT_START = re.compile(rf"{WALKWAY.pattern}|barrio\b|b°|country\b|chacra\b|torre\b|edif|u\.?\s?h\b|unidad\s+hab")
DISTRICT_KINDS = frozenset({"district", "named_district"})


def tokenize(line: str, *, is_street: bool = True) -> list[Token]:
    """Split `line` at its marks and separators. Only separators are dropped.

    Where a street is expected, words such as "Torre" count as marks only after it.
    """
    normalized = casefold_ascii_same_length(line)
    marks: list[tuple[str, int, int]] = []
    position = 0
    while match := TOKEN_PATTERN.search(normalized, position):
        kind = match.lastgroup or ""
        if not is_street or _is_mark(kind, match, normalized):
            marks.append((kind, match.start(), match.end()))
            position = max(match.end(), match.start() + 1)
        else:
            position = match.start() + 1
    tokens: list[Token] = []
    position = 0
    for index, (kind, start, end) in enumerate(marks):
        if start < position:
            continue
        tokens += _split_text(line, normalized, position, start)
        if kind in OPEN_ENDED_KINDS:
            limit = next(
                (later[1] for later in marks[index + 1 :] if not _extends_district_name(kind, end, later, normalized)),
                len(line),
            )
            comma = re.compile("[,;]").search(normalized, end, limit)
            end = comma.start() if comma else limit
        before = normalized[:start].rstrip()[-1:]
        separator = before if before in {",", "-"} else ""
        tokens.append(
            Token(
                kind=kind, text=line[start:end].strip(), normalized=normalized[start:end].strip(), separator=separator
            )
        )
        position = end
    tokens += _split_text(line, normalized, position, len(line))
    return tokens


def _extends_district_name(kind: str, end: int, next_mark: tuple[str, int, int], normalized: str) -> bool:
    """Whether another mark is within a neighbourhood's name: "Col. Puerta de Hierro", "U. Hab. Infonavit El Hueso"."""
    if kind not in DISTRICT_KINDS:
        return False
    is_next_word = not normalized[end : next_mark[1]].strip() and not normalized[end - 1].isdigit()
    return next_mark[0] in DISTRICT_KINDS or (is_next_word and next_mark[0] in {"reference", "building", "unit"})


def _is_mark(kind: str, match: re.Match[str], normalized: str) -> bool:
    """Return whether a possible mark is one: "Torre Blanca 12" may be a street."""
    before = normalized[: match.start()].rstrip()
    if not before.strip(" ,.-"):
        if kind == "unit":
            return bool(BUILDING_AT_START.match(match[0]) and BARRIO_AHEAD.search(normalized, match.end()))
        return kind in {"district", "named_district", "plot", "house", "lot", "kilometre", "door"}
    if STREET_KIND_AT_END.search(before):  # "Av. Colonia del Valle", "Av. X 12"
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
        return is_apart or (is_numbered and bool(HOUSING_AT_START.match(normalized)))
    return True


def _split_text(line: str, normalized: str, start: int, end: int) -> Iterator[Token]:
    """Split the text between marks at its separators."""
    separator = "-" if normalized[:start].rstrip().endswith("-") else ""
    while start < end:
        match = SEPARATOR.search(normalized, start, end)
        text_end = match.start() if match else end
        text = line[start:text_end].strip(" ,.;")
        if re.search(r"\w", text):
            text_start = line.index(text, start)
            yield Token(
                kind="text", text=text, normalized=normalized[text_start : text_start + len(text)], separator=separator
            )
        if match is None:
            return
        separator = "-" if "-" in match[0] else ","
        start = match.end()


def repeats_region(token: Token, region_names: frozenset[str]) -> bool:
    """Return whether a token only repeats the city, the state or the postcode."""
    if token.kind == "postcode" or re.fullmatch(r"\(\d{4,5}\)", token.normalized):
        return True
    if token.kind != "text":
        return False
    words = token.normalized.replace(".", "").strip()
    for region_name in sorted(
        (region_name for region_name in region_names if region_name in words), key=len, reverse=True
    ):
        words = re.sub(rf"(?<!\w){re.escape(region_name)}(?!\w)", "", words).strip(" ,")
    return words == "" or bool(re.fullmatch(r"\d{5}|\d{5}\s*mexico|capital", words))


def district_name(token: Token) -> str:
    """Return a neighbourhood's name without its mark."""
    prefix = re.match(
        r"(?:col(?:onia)?\b\.?|barrio\b(?:\s+de\b(?!\s+(?:la|los|las|el)\b))?|b°|bo\.)\s*", token.normalized
    )
    return token.text[prefix.end() if prefix else 0 :].strip(" ,.")


def join_tokens(tokens: Sequence[Token], *, drop_interior_mark: bool = False) -> str | None:
    """Join tokens as written. A single interior number loses its mark."""
    texts = [strip_parentheses(token.text).strip(" ,") for token in tokens]
    if not texts:
        return None
    if drop_interior_mark and len(tokens) == 1:
        mark = re.match(r"(?:n[ou]m?\.?\s*|n°\s*)?int(?:erior)?\b\.?\s*(?:n°|no\.|#)?:?\s*", tokens[0].normalized)
        texts[0] = texts[0][mark.end() if mark else 0 :]
    text = texts[0]
    for token, next_text in zip(tokens[1:], texts[1:], strict=True):
        text += {"": " ", "-": " - "}.get(token.separator, ", ") + next_text
    return text or None


def strip_parentheses(text: str) -> str:
    return text[1:-1].strip() if text.startswith("(") and text.endswith(")") and len(text) > 3 else text
