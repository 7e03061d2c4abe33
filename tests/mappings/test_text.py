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


FAMILY, RAINBOW_FLAG = "👩\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
UNSEEN = "\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2066\ufeff\u00ad" + WORD_JOINER


@pytest.mark.parametrize("unseen", UNSEEN)
def test_format_characters_count_as_nothing(unseen: str) -> None:
    assert clean_text(f"{unseen} Indepen{unseen}dencia{unseen} 77 {unseen}") == "Independencia 77"
    assert clean_text(f"{unseen}ROPERO{unseen}-1 {unseen}", is_verbatim=True) == "ROPERO-1"
    assert clean_text(f" {unseen} ") is None
    assert clean_text(f"A&#{ord(unseen)};B", is_escaped=True) == "AB"


@pytest.mark.parametrize("emoji", [FAMILY, RAINBOW_FLAG, ENGLAND])
def test_emoji_keeps_its_joiners(emoji: str) -> None:
    assert clean_text(f"Taza\u200d {emoji}\u200d") == f"Taza {emoji}"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (" CAJA  12\n", "CAJA  12"),
        ("A\u00a0B\tC", "A\u00a0B\tC"),
        ("Cafe\u0301-1", "Cafe\u0301-1"),
        ("A\x00B\ud83d", "AB"),
        ("\u00a0 ", None),
        (7790001, "7790001"),
        (None, None),
    ],
)
def test_verbatim_text_is_only_trimmed(raw: Any, text: str | None) -> None:
    assert clean_text(raw, is_verbatim=True) == text


@pytest.mark.parametrize("raw", ["TE&LT-1", "A&notin", "R&D;", "A&ltb;", "&#12", "&amp", "A & B;"])
def test_entity_without_its_semicolon_is_text(raw: str) -> None:
    assert clean_text(raw, is_escaped=True) == raw


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("O&#8217;Connor", "O\u2019Connor"),
        ("A &amp;&nbsp;B", "A & B"),
        ("&#0;", "\ufffd"),
        ("&#x41;&eacute;&amp;lt;", "A\u00e9&lt;"),
    ],
)
def test_html_entities_are_decoded_for_platforms_that_use_them(raw: str, text: str) -> None:
    assert clean_text(raw, is_escaped=True) == text
    assert clean_text(raw) == raw


@pytest.mark.parametrize(
    ("text", "folded"), [("Córdoba", "cordoba"), ("STRASSE", "strasse"), ("Straße", "strasse"), ("ÑU", "nu")]
)
def test_match_key_ignores_case_and_accents(text: str, folded: str) -> None:
    assert casefold_ascii(text) == folded
