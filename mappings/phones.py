"""Normalizes telephone numbers. Digits are never cut to make a number fit."""

import re
import unicodedata

import phonenumbers

from mappings.text import replace_dashes

#: Number of digits of a national number.
NATIONAL_DIGITS = {"MX": 10}
#: Dialling prefixes that are not part of the number. Mexico's numbering plan dropped them on 3 August 2019:
#: 01, 044, 045, and the "1" between the country's code and a mobile number. People still write them.
#: https://xataka.com.mx/telecomunicaciones/adios-al-044-045-01-telefonos-mexico-nueva-marcacion-10-digitos-explicada,
#: read 2026-11-21, quotes the IFT.
TRUNK_PREFIXES = {"MX": ("044", "045", "01")}
MOBILE_PREFIXES = {"MX": "1"}

EXTENSION_PATTERN = re.compile(
    r"[\s,;.(]*(?:\b(?:extensi[oó]n|ext|interno|int)\b|(?<=[\d\s)])x|#)[\s.:#]*\d{1,6}\W*$", re.I
)
#: Argentina's mobile prefix 9 before the area code, together with the 15 after it or the trunk prefix 0: phonenumbers
#: 9.0 parses a number with one of them, and none with two.
DOUBLE_MOBILE_PREFIX = re.compile(r"549(?P<national>0?[1-9]\d+)")
MAX_LENGTH_WITH_EXTENSION = 60  # characters; longer texts are not searched for an extension


def has_digits(text: str | None) -> bool:
    """Return whether the text is a number at all: people write "N/A", and some shops an e-mail address."""
    return text is not None and "@" not in text and any(char.isdigit() for char in text)


def national_number(text: str, country: str) -> str:
    """Return the national digits in `text`; a number with another country's code keeps its "+"."""
    text = replace_dashes(unicodedata.normalize("NFKC", text)).strip()
    if len(text) <= MAX_LENGTH_WITH_EXTENSION:
        text = EXTENSION_PATTERN.sub("", text)
    digits = re.sub(r"[^0-9]", "", text)
    is_international = text.lstrip("( ").startswith("+")
    if not is_international and digits.startswith("00"):
        is_international, digits = True, digits[2:]
    code = str(phonenumbers.country_code_for_region(country))
    expected_digits, mobile_prefix = NATIONAL_DIGITS[country], MOBILE_PREFIXES[country]
    has_code = digits.startswith(code) and (
        is_international or len(digits) - len(code) in {expected_digits, len(mobile_prefix) + expected_digits}
    )
    if is_international and not has_code:
        return "+" + digits
    if has_code:
        digits = digits.removeprefix(code)
    for prefix in (*TRUNK_PREFIXES[country], *([mobile_prefix] if has_code else [])):
        if digits.startswith(prefix) and len(digits) == len(prefix) + expected_digits:
            return digits.removeprefix(prefix)
    return digits


def is_possible(digits: str, country: str) -> bool:
    """Return whether the country's numbering plan allows such a number."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(digits, country))
    except phonenumbers.NumberParseException:
        return False


def format_e164(text: str, country: str) -> str:
    """Return `text` as "+5491143215678" if it is a valid number, else unchanged.

    Argentina's mobile prefix is correct however it is written: 15 after the area code, 9 before it, or both; and
    Mexico's old 1, 01, 044 and 045 are left out. A number with an extension stays as it is: E.164 has no room for that.
    """
    original, text = text, replace_dashes(text)
    number = parse_valid_number(text, country)
    if number is None and len(text) <= MAX_LENGTH_WITH_EXTENSION and not EXTENSION_PATTERN.search(text):
        digits = re.sub(r"[^0-9]", "", text).removeprefix("00")
        if digits.startswith("52") or (country == "MX" and not text.lstrip("( ").startswith("+")):
            national = national_number(text, "MX")
            number = parse_valid_number("+52" + national, "MX") if len(national) == NATIONAL_DIGITS["MX"] else None
        elif double_prefix := DOUBLE_MOBILE_PREFIX.fullmatch(digits):
            number = parse_valid_number("0" + double_prefix["national"].removeprefix("0"), "AR")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if number else original


def parse_valid_number(text: str, country: str) -> phonenumbers.PhoneNumber | None:
    """Return the number in `text`; None if it is not valid or has an extension."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return None if number.extension or not phonenumbers.is_valid_number(number) else number
