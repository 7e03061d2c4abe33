"""Normalizes postcodes, and checks them against the state."""

import re

from mappings.addresses.states import STATES, STATES_BY_NAME, State
from mappings.problems import ParamValue, Problem
from mappings.text import match_key

#: Mexico's five digits; Argentina's four, or the eight characters of the CPA ("C1425DKA").
#: https://www.correoargentino.com.ar/formularios/cpa, read 2026-11-21.
POSTCODE_FORMATS = {
    "MX": re.compile(r"\d{5}"),
    "AR": re.compile(r"(?P<letter>[A-HJ-NP-Z])?(?P<digits>\d{4})(?:[A-Z]{3})?"),
}
PATH = ("postal_code",)
CP_PREFIX = re.compile(r"C\.?\s?P\.?\s*:?\s*(?=[A-Z]?\d)")


def complete_postal_code(code: str | None, *, country: str | None, state: str | None) -> str | None:
    """Return a postcode in capitals without blanks and "C.P."; a lost leading zero is restored if it is certain.

    Mexican codes that begin with 0 are Mexico City's, and no other state's.
    """
    if code is None or country not in POSTCODE_FORMATS:
        return code
    compact = re.sub(r"[\s-]", "", CP_PREFIX.sub("", code.strip().upper()))
    if (
        country == "MX"
        and re.fullmatch(r"[1-9]\d{3}", compact, re.ASCII)
        and is_of_state("0" + compact, country, state)
    ):
        return "0" + compact
    return (
        compact if POSTCODE_FORMATS[country].fullmatch(compact) else code.replace(" ", "") if country == "MX" else code
    )


def is_of_state(code: str, country: str, state: str | None) -> bool:
    """Return whether the postcode belongs to the state. False if either is unknown."""
    known_state = STATES_BY_NAME.get(country, {}).get(match_key(state or ""))
    return bool(
        known_state and (digits := postcode_digits(code, country)) and re.match(known_state.postcode_prefix, digits)
    )


def postcode_digits(code: str, country: str) -> str | None:
    match = POSTCODE_FORMATS[country].fullmatch(code) if country in POSTCODE_FORMATS else None
    return match["digits"] if match and country == "AR" else match and match[0]


def find_mismatch(code: str | None, *, country: str | None, state: str | None) -> Problem | None:
    """Return the problem of a postcode that belongs to another state; None if it matches, or nothing is known."""
    if code is None or state is None or country not in POSTCODE_FORMATS:
        return None
    known_state = STATES_BY_NAME[country].get(match_key(state))
    if known_state is None:
        return None
    digits = postcode_digits(code, country)
    if digits is None:
        if country != "AR":
            return None
        return Problem(code="not_a_postcode", path=PATH, params={"value": code, "country": country})
    letter = code[0] if code[0].isalpha() else None

    def matches_state(candidate: State) -> bool:
        return bool(re.match(candidate.postcode_prefix, digits)) and (letter is None or letter == candidate.iso)

    if matches_state(known_state):
        return None
    owners = [candidate.name for candidate in STATES[country] if matches_state(candidate)]
    params: dict[str, ParamValue] = {"value": code, "state": state}
    if not 0 < len(owners) < 4:
        return Problem(code="postcode_of_other_state", path=PATH, params=params)
    return Problem(code="postcode_of_states", path=PATH, params={**params, "owners": (tuple(owners),)})
