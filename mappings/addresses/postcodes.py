"""Postcodes as people and spreadsheets write them, and whether one can be of its state. Nothing is made up."""

import re

from mappings.addresses.states import BY_NAME, STATES, State
from mappings.text import squeeze

#: Mexico's five digits; Argentina's four, or the eight characters of the CPA ("C1425DKA").
#: https://www.correoargentino.com.ar/formularios/cpa, read 2026-11-21.
FORMS = {"MX": re.compile(r"\d{5}"), "AR": re.compile(r"(?P<letter>[A-HJ-NP-Z])?(?P<digits>\d{4})(?:[A-Z]{3})?")}
MARK = re.compile(r"C\.?\s?P\.?\s*:?\s*(?=[A-Z]?\d)")


def complete_postal_code(code: str | None, *, country: str | None, state: str | None) -> str | None:
    """Return a postcode without blanks and "C.P.", in capitals, with a lost first zero where that is sure.

    Mexican codes that begin with 0 are Mexico City's, and no other state's.
    """
    if code is None or country not in FORMS:
        return code
    plain = re.sub(r"[\s-]", "", MARK.sub("", code.strip().upper()))
    if country == "MX" and re.fullmatch(r"[1-9]\d{3}", plain, re.ASCII) and is_of_state("0" + plain, country, state):
        return "0" + plain
    return plain if FORMS[country].fullmatch(plain) else code.replace(" ", "") if country == "MX" else code


def is_of_state(code: str, country: str, state: str | None) -> bool:
    """Whether the postcode begins as those of the state do. False where either is unknown."""
    known = BY_NAME.get(country, {}).get(squeeze(state or ""))
    return bool(known and (digits := digits_of(code, country)) and re.match(known.postcodes, digits))


def digits_of(code: str, country: str) -> str | None:
    found = FORMS[country].fullmatch(code) if country in FORMS else None
    return found["digits"] if found and country == "AR" else found and found[0]


def describe_mismatch(code: str | None, *, country: str | None, state: str | None) -> str | None:
    """Say that a postcode is of another state than the one given; None where it may be of it, or nothing is known."""
    if code is None or state is None or country not in FORMS or squeeze(state) not in BY_NAME[country]:
        return None
    digits = digits_of(code, country)
    if digits is None:
        return f"postcode “{code}” is not a postcode of {country}." if country == "AR" else None
    letter = code[0] if code[0].isalpha() else None

    def is_of(each: State) -> bool:
        return bool(re.match(each.postcodes, digits)) and (letter is None or letter == each.iso)

    if is_of(BY_NAME[country][squeeze(state)]):
        return None
    owners = [each.name for each in STATES[country] if is_of(each)]
    whose = f"is of {' or '.join(owners)}" if 0 < len(owners) < 4 else "is of another state"
    return f"postcode “{code}” {whose}, not of {state}."
