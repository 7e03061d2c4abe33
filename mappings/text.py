"""Cleans and normalizes text from payloads. It corrects no spelling."""

import html
import re
import unicodedata
from typing import Any

#: Shopify's separator inside address lines: https://github.com/Shopify/worldwide, data/regions/MX.yml, read 2026-11-21.
WORD_JOINER = "\u2060"

#: Control characters, and lone surrogates, which cannot be encoded.
UNREADABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")

#: No platform has longer ids, and Python refuses to print the longest integers.
MAX_INTEGER_ID = 10**40


def clean_text(value: Any, *, is_escaped: bool = False, keeps_word_joiner: bool = False) -> str | None:
    """Return `value` without extra blanks and unreadable characters; None if nothing is left or it is not text.

    Whole numbers are taken as text. `is_escaped`: the platform writes HTML entities.
    """
    if not isinstance(value, str):
        is_id = isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_INTEGER_ID
        return str(value) if is_id else None
    if is_escaped:
        value = html.unescape(value)
    if not value.isprintable():  # the word joiner is not printable either
        value = UNREADABLE.sub(" ", value if keeps_word_joiner else value.replace(WORD_JOINER, ""))
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    return " ".join(value.split()) or None


def casefold_ascii(text: str) -> str:
    """Return `text` in lower case without accents, for comparisons."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def match_key(text: str) -> str:
    """Return letters and digits in lower case without accents: the same for "Mercado Pago" and "MERCADO_PAGO"."""
    return "".join(filter(str.isalnum, casefold_ascii(text)))
