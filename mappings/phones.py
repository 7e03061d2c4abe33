"""Bring telephone numbers into national digits. Digits are never cut to make a number fit."""

import re
import unicodedata

import phonenumbers

#: How many digits a national number has.
NATIONAL_DIGITS = {"MX": 10}
#: Prefixes that are dialled within the country and are no part of the number. Mexico gave up 01, 044, 045 and the
#: "1" between country code and mobile number in 2019: https://www.ift.org.mx, plan of 3 August 2019.
TRUNK_PREFIXES = {"MX": ("044", "045", "01")}
MOBILE_PREFIXES = {"MX": "1"}

EXTENSION = re.compile(r"[\s,;.(]*(?:\b(?:extensi[oó]n|ext|interno|int)\b|(?<=[\d\s)])x|#)[\s.:#]*\d{1,6}\W*$", re.I)


LONGEST_WITH_EXTENSION = 60  # characters


def has_digits(text: str | None) -> bool:
    """Whether there is a number at all: people write "N/A", and some shops an e-mail address."""
    return bool(text) and "@" not in str(text) and any(char.isdigit() for char in str(text))


def national_number(text: str, country: str) -> str:
    """Return the national digits in `text`; a number with another country's code keeps its "+"."""
    text = unicodedata.normalize("NFKC", text).strip()
    if len(text) <= LONGEST_WITH_EXTENSION:
        text = EXTENSION.sub("", text)
    digits = re.sub(r"[^0-9]", "", text)
    is_international = text.lstrip("( ").startswith("+")
    if not is_international and digits.startswith("00"):
        is_international, digits = True, digits[2:]
    code = str(phonenumbers.country_code_for_region(country))
    wanted, mobile = NATIONAL_DIGITS[country], MOBILE_PREFIXES.get(country, "")
    if is_international:
        if not digits.startswith(code):
            return "+" + digits
        digits = digits.removeprefix(code)
    elif digits.startswith(code) and len(digits) in {len(code) + wanted, len(code + mobile) + wanted}:
        digits = digits.removeprefix(code)
    for prefix in (mobile, *TRUNK_PREFIXES.get(country, ())):
        if prefix and digits.startswith(prefix) and len(digits) == len(prefix) + wanted:
            came_with_code = is_international or len(prefix) > 1 or has_code(text, code)
            return digits.removeprefix(prefix) if came_with_code else digits
    return digits


def has_code(text: str, code: str) -> bool:
    return re.sub(r"[^0-9]", "", text).startswith(code)


def is_possible(digits: str, country: str) -> bool:
    """Whether the country's numbering plan has room for such a number."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(digits, country))
    except phonenumbers.NumberParseException:
        return False
