"""Text cleaning and comparison keys."""

from typing import Any

import pytest

from mappings.text import WORD_JOINER, casefold_ascii, clean_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Ximena", "Ximena"),
        ("  Av.  Corrientes\t1234 \n", "Av. Corrientes 1234"),
        ("A\x00B\x7f", "A B"),
        ("Caf\ud83d\u00e9", "Caf \u00e9"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("Roma\u00a0Norte", "Roma Norte"),
        (f"Calle {WORD_JOINER}5", "Calle 5"),
        (7, "7"),
        ("", None),
        (" \x00 ", None),
        (WORD_JOINER, None),
        (True, None),
        (1.5, None),
        (10**40, None),
        (None, None),
        (["Ximena"], None),
    ],
)
def test_invisible_characters_are_removed(raw: Any, text: str | None) -> None:
    assert clean_text(raw) == text


def test_word_joiner_can_be_kept_as_a_separator() -> None:
    assert clean_text(f" Calle\x00 {WORD_JOINER}5", keeps_word_joiner=True) == f"Calle {WORD_JOINER}5"


@pytest.mark.parametrize(
    ("raw", "text"), [("O&#8217;Connor", "O\u2019Connor"), ("A &amp;&nbsp;B", "A & B"), ("&#0;", "\ufffd")]
)
def test_html_entities_are_decoded_for_platforms_that_use_them(raw: str, text: str) -> None:
    assert clean_text(raw, is_escaped=True) == text
    assert clean_text(raw) == raw


@pytest.mark.parametrize(
    ("text", "folded"), [("Córdoba", "cordoba"), ("STRASSE", "strasse"), ("Straße", "strasse"), ("ÑU", "nu")]
)
def test_match_key_ignores_case_and_accents(text: str, folded: str) -> None:
    assert casefold_ascii(text) == folded
