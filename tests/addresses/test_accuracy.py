"""Accuracy of the address parser on labelled lines: the published figures hold and no word is lost."""

import re
from collections import Counter
from pathlib import Path

import pytest

from mappings.addresses.resolve import resolve_address
from mappings.order import Address
from mappings.text import casefold_ascii_same_length
from tests.addresses.__main__ import OUTCOMES, Verdict, judge_rows

VERDICTS = list(judge_rows())
DOCUMENT = (Path(__file__).parents[2] / "docs" / "addresses.md").read_text(encoding="utf-8")
#: Said by the column in which a word stands, or by another field of the address.
MARKER_WORDS = """
    no n nro num numero ext int interior col colonia barrio b bo de altura al exterior sin s sn cp y km
    cdmx caba capital guadalajara jalisco jal monterrey nl oaxaca oax mexico ciudad cordoba rosario santa fe quilmes
    bahia blanca lomas zamora
"""


def count_outcomes(half: str, *countries: str) -> list[int]:
    outcomes = Counter(verdict.outcome for verdict in VERDICTS if verdict.half == half and verdict.country in countries)
    return [outcomes.total(), *(outcomes[name] for name in OUTCOMES)]


@pytest.mark.parametrize("half", ["tuning", "aside"])
@pytest.mark.parametrize("countries", [("MX",), ("AR",), ("MX", "AR")])
def test_published_accuracy_matches_measurement(half: str, countries: tuple[str, ...]) -> None:
    row = [half, "+".join(countries), *(str(number) for number in count_outcomes(half, *countries))]
    assert re.search(r"\| " + r" \| ".join(re.escape(cell) + r"(?: \([\d.]+ %\))?" for cell in row) + r" \|", DOCUMENT)


def test_holdout_accuracy_meets_the_floor() -> None:
    total, _, unsure, _, wrong = count_outcomes("aside", "MX", "AR")
    assert (wrong / total < 0.005, unsure / total < 0.08) == (True, True)


def words(*texts: str) -> set[str]:
    return set(re.findall(r"[a-z0-9ñ½]+", casefold_ascii_same_length(" ".join(texts))))


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda verdict: verdict.row["line1"])
def test_parsing_keeps_every_word_of_the_line(verdict: Verdict) -> None:
    line_words = words(verdict.row["line1"], verdict.row["line2"])
    lost = {
        word for word in line_words - words(MARKER_WORDS, *verdict.read.values()) if not re.fullmatch(r"\d{4,5}", word)
    }
    assert not lost - {word for word in lost if re.fullmatch(r"[a-z]\d{4}[a-z]{3}", word)}


EXAMPLES = re.findall(r"^\| ([^|]+) \| ([^|]+) \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES[2:], ids=lambda example: example[0])
def test_documented_examples_parse_as_documented(example: tuple[str, ...]) -> None:
    line, *expected = (cell.strip() or None for cell in example)
    country = "AR" if line and "5 B" in line else "MX"
    address = resolve_address(Address(line1=line, country=country, state="Ciudad de México"))
    assert [address.street, address.number, address.unit, address.district, address.reference] == expected
