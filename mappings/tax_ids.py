"""Parses tax ids: Argentina's CUIT (or CUIL) and DNI, and Mexico's RFC. It corrects and invents no digits.

Forms and check digits are those of python-stdnum 2, stdnum/ar/cuit.py and dni.py, stdnum/mx/rfc.py.
"""

import re
from dataclasses import dataclass
from typing import Literal

from mappings.text import replace_dashes

#: Labels that people write before a number.
LABEL_PATTERN = re.compile(r"\W*(?:D\.?N\.?I|C\.?U\.?I\.?[TL]|R\.?F\.?C)\b\W*(?:N(?:º|ro)?\W+)?", re.IGNORECASE)
SEPARATORS = re.compile(r"[\s.\-/]+")

RFC_PATTERN = re.compile(r"[A-ZÑ&]{3,4}\d{6}(?:[A-Z0-9]{2}[0-9A])?")
#: For customers who give none, and for foreigners. They have no valid check digit.
#: https://siemprealdia.co/mexico/fiscal/rfc-generico-para-extranjeros-en-el-cfdi/, read 2026-11-21, quotes the rule.
GENERIC_RFCS = {"XAXX010101000", "XEXX010101000"}

#: The first two digits of a CUIT tell persons from companies.
# Unverified: 25 and 26, which stdnum does not know; whether 50, 51 and 55, "for international purposes", are companies.
CUIT_PERSON_PREFIXES = {"20", "23", "24", "25", "26", "27"}
CUIT_COMPANY_PREFIXES = {"30", "33", "34"}
CUIT_INTERNATIONAL_PREFIXES = {"50", "51", "55"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxId:
    kind: Literal["cuit", "dni", "rfc"]
    number: str  # without separators
    is_company: bool | None = None  # None: unknown
    has_good_check_digit: bool = True  # True for a DNI and an RFC of ten characters, which have none


def parse_tax_id(text: str) -> TaxId | None:
    """Return the tax id in `text`; None if it is none of these, such as a passport."""
    from stdnum.ar import cuit, dni  # imported here: the web processes need not load it

    text = replace_dashes(text)
    digits = SEPARATORS.sub("", text[label.end() if (label := LABEL_PATTERN.match(text)) else 0 :])
    if RFC_PATTERN.fullmatch(digits.upper()):
        return parse_rfc(digits.upper())
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) == 11 and digits[:2] in CUIT_PERSON_PREFIXES | CUIT_COMPANY_PREFIXES | CUIT_INTERNATIONAL_PREFIXES:
        return TaxId(
            kind="cuit",
            number=digits,
            is_company=None if digits[:2] in CUIT_INTERNATIONAL_PREFIXES else digits[:2] in CUIT_COMPANY_PREFIXES,
            has_good_check_digit=cuit.calc_check_digit(digits[:-1]) == digits[-1],
        )
    return TaxId(kind="dni", number=digits, is_company=False) if dni.is_valid(digits) else None


def parse_rfc(number: str) -> TaxId | None:
    """Return an RFC: three letters before the date are a company's, four a person's. None if it is not valid."""
    from stdnum.mx import rfc

    if not rfc.is_valid(number):
        return None
    # About 1.5 % of the numbers in use fail theirs (stdnum/mx/rfc.py), so a wrong one is only a warning.
    has_good_check_digit = number in GENERIC_RFCS or rfc.is_valid(number, validate_check_digits=True)
    is_company = None if number in GENERIC_RFCS else number[3].isdigit()
    return TaxId(kind="rfc", number=number, is_company=is_company, has_good_check_digit=has_good_check_digit)
