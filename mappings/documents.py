"""Tell Argentine tax documents apart: CUIT (CUIL too) and DNI. It corrects no digit and makes none up.

Forms and check digit are those of python-stdnum 2, stdnum/ar/cuit.py and dni.py.
"""

import re
from dataclasses import dataclass
from typing import Literal

#: What people write before a number.
LABEL = re.compile(r"\W*(?:D\.?N\.?I|C\.?U\.?I\.?[TL])\b\W*(?:N(?:º|ro)?\W+)?", re.IGNORECASE)
SEPARATORS = re.compile(r"[\s.\-/]+")

#: The first two digits of a CUIT say whose it is.
# Unverified: 25 and 26, which stdnum does not know; whether 50, 51 and 55, "for international purposes", are companies.
OF_PEOPLE = {"20", "23", "24", "25", "26", "27"}
OF_COMPANIES = {"30", "33", "34"}
ABROAD = {"50", "51", "55"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxDocument:
    kind: Literal["cuit", "dni"]
    digits: str
    is_company: bool | None = None  # None: it does not say
    has_good_check_digit: bool = True  # a DNI has none


def read_tax_document(written: str) -> TaxDocument | None:
    """Return the document in `written`; None where that is no CUIT and no DNI, such as a passport."""
    from stdnum.ar import cuit, dni  # here, since it takes 2 MB that whoever only takes webhooks can do without

    digits = SEPARATORS.sub("", written[found.end() if (found := LABEL.match(written)) else 0 :])
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) == 11 and digits[:2] in OF_PEOPLE | OF_COMPANIES | ABROAD:
        return TaxDocument(
            kind="cuit",
            digits=digits,
            is_company=None if digits[:2] in ABROAD else digits[:2] in OF_COMPANIES,
            has_good_check_digit=cuit.calc_check_digit(digits[:-1]) == digits[-1],
        )
    return TaxDocument(kind="dni", digits=digits, is_company=False) if dni.is_valid(digits) else None
