"""Measures the address parser against labelled lines: `python -m tests.addresses [tuning|aside] [--show]`.

`--show` lists the lines that were not parsed exactly. Use it only with the tuning half.
"""

import csv
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mappings.addresses.resolve import resolve_address
from mappings.order import Address
from mappings.text import casefold_ascii

HERE = Path(__file__).parent
FIELDS = {
    "street": "street",
    "exterior": "number",
    "interior": "unit",
    "district": "district",
    "reference": "reference",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    country: str
    half: str  # "tuning" or "aside"
    row: dict[str, str]
    outcome: str
    read: dict[str, str]


def judge_rows() -> Iterator[Verdict]:
    """Parse every labelled line and classify the result."""
    for country in ("MX", "AR"):
        with (HERE / f"{country.lower()}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                address = resolve_address(
                    Address(
                        line1=row["line1"],
                        line2=row["line2"] or None,
                        city=row["city"],
                        state=row["state"],
                        country=country,
                    )
                )
                read = {column: getattr(address, name) or "" for column, name in FIELDS.items()}
                yield Verdict(
                    country=country,
                    half=assigned_half(row),
                    row=row,
                    outcome=classify_reading(row, read, is_sure=address.ambiguity is None),
                    read=read,
                )


def assigned_half(row: dict[str, str]) -> str:
    digest = hashlib.sha256(f"{row['line1']}|{row['line2']}".encode()).hexdigest()
    return "aside" if int(digest[-1], 16) % 2 else "tuning"


def classify_reading(row: dict[str, str], read: dict[str, str], *, is_sure: bool) -> str:
    """Return "exact", "unsure", "unsure, as a person is", or "wrong". Being sure of an unsure label is wrong."""
    if not is_sure:
        return "unsure, as a person is" if row["unsure"] else "unsure"
    is_exact = not row["unsure"] and all(normalize(row[column]) == normalize(read[column]) for column in FIELDS)
    return "exact" if is_exact else "wrong"


def normalize(text: str) -> str:
    """What two equal values share: no capitals, accents, blanks, quotation marks, or punctuation around words."""
    folded = re.sub(r"[\"“”'´’()]", "", casefold_ascii(text.replace("°", "º")))
    return re.sub(r"[.,;:]+(?=\s|$)|[\s-]+(?=\s)|\s", "", folded)


OUTCOMES = ("exact", "unsure", "unsure, as a person is", "wrong")


def main() -> None:
    halves = [half for half in ("tuning", "aside") if half in sys.argv[1:]] or ["tuning", "aside"]
    verdicts = [verdict for verdict in judge_rows() if verdict.half in halves]
    for half in halves:
        for countries in (("MX",), ("AR",), ("MX", "AR")):
            outcomes = Counter(
                verdict_row.outcome
                for verdict_row in verdicts
                if verdict_row.half == half and verdict_row.country in countries
            )
            total = outcomes.total()
            shares = ", ".join(f"{name} {outcomes[name]} ({outcomes[name] / total:.1%})" for name in OUTCOMES)
            print(f"{half} {'+'.join(countries)}: {total} lines: {shares}")
    if "--show" in sys.argv:
        for verdict_row in verdicts:
            if verdict_row.outcome in {"wrong", "unsure"}:
                lines = [verdict_row.row["line1"], verdict_row.row["line2"]]
                print(f"\n{verdict_row.outcome}: {' | '.join(filter(None, lines))}")
                print(f"   want {[verdict_row.row[name] for name in FIELDS]}")
                print(f"   read {list(verdict_row.read.values())}")


if __name__ == "__main__":
    main()
