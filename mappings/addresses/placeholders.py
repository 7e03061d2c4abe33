"""Texts in place of a street."""

import re

from mappings.text import WORD_JOINER, casefold_ascii

#: Texts that shops and plugins write instead of a street.
PLACEHOLDER_TEXTS = {
    "no informado",
    "no informada",
    "sin direccion",
    "sin datos",
    "s/d",
    "n/a",
    "na",
    "ninguna",
    "ninguno",
}


def is_placeholder(line: str) -> bool:
    return casefold_ascii(line.replace(WORD_JOINER, " ")).strip(" .,-") in PLACEHOLDER_TEXTS or not re.search(
        r"\w", line
    )
