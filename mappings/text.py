"""Cleans and normalizes text from payloads. It corrects no spelling."""

import html
import html.entities
import re
import unicodedata
from typing import Any

#: Shopify's separator inside address lines: https://github.com/Shopify/worldwide, data/regions/MX.yml, read 2026-11-21.
WORD_JOINER = "\u2060"

#: Control characters, and lone surrogates, which cannot be encoded.
UNREADABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")

#: A numeric or named HTML entity. Without its semicolon it is the shop's own text, as in the SKU "TE&LT-1".
ENTITY = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")

#: Characters of Unicode's category Cf that are drawn: signs over Arabic, Syriac and Kaithi numbers.
#: https://www.unicode.org/Public/16.0.0/ucd/PropList.txt, Prepended_Concatenation_Mark, read 2026-11-30.
VISIBLE_FORMAT = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")

#: Format characters that are part of an emoji: the joiner between two, and the tags that make a black flag a region's.
#: https://www.unicode.org/reports/tr51/#EBNF_and_Regex, read 2026-11-30.
EMOJI_PART = re.compile(
    "(?<=[\u2190-\u2bff\u3030-\u3299\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\u3030-\u3299\U0001f000-\U0001faff])"
    "|(?<=\U0001f3f4)[\U000e0020-\U000e007e]+\U000e007f"
)

#: Every dash: Unicode's category Pd, the minus sign, the hyphen bullet.
DASHES = re.compile(
    "[\u002d\u058a\u05be\u1400\u1806\u2010-\u2015\u2043\u2212\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c\u3030\u30a0"
    "\ufe31\ufe32\ufe58\ufe63\uff0d\U00010ead]"
)

#: Characters that people write for a letter, a dash or a degree sign.
SIGN_VARIANTS = str.maketrans("º˚–—−“”´’‘", "°°---\"\"'''")

#: No platform has longer ids, and Python refuses to print the longest integers.
MAX_INTEGER_ID = 10**40


def clean_text(
    value: Any, *, is_escaped: bool = False, keeps_word_joiner: bool = False, is_verbatim: bool = False
) -> str | None:
    """Return `value` without extra blanks and unseen characters; None if nothing is left or it is not text.

    Whole numbers are taken as text.

    Args:
        is_escaped: the platform writes HTML entities.
        keeps_word_joiner: Shopify's separator stays.
        is_verbatim: the text is an identifier such as a SKU: it is trimmed, and otherwise stays as it is.
    """
    if not isinstance(value, str):
        is_id = isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_INTEGER_ID
        return str(value) if is_id else None
    if is_escaped and "&" in value:
        value = ENTITY.sub(decode_entity, value)
    if not value.isprintable():  # format characters are not printable either
        value = remove_unseen(value, except_for=WORD_JOINER if keeps_word_joiner else "")
        value = UNREADABLE.sub(keep_blanks if is_verbatim else " ", value)
    if is_verbatim:
        return value.strip() or None
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    return " ".join(value.split()) or None


def decode_entity(match: re.Match[str]) -> str:
    entity = match[0]
    return html.unescape(entity) if entity[1] == "#" else html.entities.html5.get(entity[1:], entity)


def keep_blanks(match: re.Match[str]) -> str:
    return "".join(char for char in match[0] if char.isspace())


def remove_unseen(text: str, *, except_for: str = "") -> str:
    """Return `text` without invisible characters: Unicode's category Cf. Those inside an emoji stay."""
    if text.isascii():
        return text
    parts_of_emoji = {index for match in EMOJI_PART.finditer(text) for index in range(*match.span())}
    return "".join(
        char
        for index, char in enumerate(text)
        if unicodedata.category(char) != "Cf" or char in except_for or char in VISIBLE_FORMAT or index in parts_of_emoji
    )


def replace_dashes(text: str) -> str:
    """Return `text` with every kind of dash as the hyphen of ASCII."""
    return text if text.isascii() else DASHES.sub("-", text)


def casefold_ascii(text: str) -> str:
    """Return `text` in lower case without accents, for comparisons."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def casefold_ascii_same_length(text: str) -> str:
    """Return `text` in lower case without accents, of the same length, so that indexes are valid in both."""
    if text.isascii():
        return text.lower()
    return "".join(map(_casefold_char, text.translate(SIGN_VARIANTS)))


def _casefold_char(char: str) -> str:
    return char.lower() if char.isascii() else unicodedata.normalize("NFD", char)[0].lower()[:1] or char


def match_key(text: str) -> str:
    """Return letters and digits in lower case without accents: the same for "Mercado Pago" and "MERCADO_PAGO"."""
    return "".join(filter(str.isalnum, casefold_ascii(text)))
