"""Phone numbers as people write them in Mexico and Argentina."""

from typing import Any

import pytest
from marshmallow import ValidationError

from mappings.fields import Phone
from mappings.phones import format_e164
from mappings.problems import Problem, render_problem


def format_or_problem(text: str) -> str:
    """Return the number as sent, or its problem."""
    phone = Phone(country="MX")
    number = phone._serialize(text)
    assert number is not None
    try:
        assert phone.deserialize(number) == number
    except ValidationError as error:
        message: Any = error.messages[0]
        return render_problem(Problem(code=message.code, params=message.params)).removeprefix("The order ")
    return number


@pytest.mark.parametrize(
    "text",
    [
        "5565320691",
        "55 6532 0691",
        "(55) 6532-0691",
        "+52 55 6532 0691",
        "+52 1 55 6532 0691",
        "+5215565320691",
        "52 55 6532 0691",
        "5215565320691",
        "0052 55 6532 0691",
        "01 55 6532 0691",
        "044 55 6532 0691",
        "045 55 6532 0691",
        "+52 01 55 6532 0691",
        "55 6532 0691 ext. 12",
        "55 6532 0691 x12",
        "55 6532 0691 extensión 4",
        "55 6532 0691 #4",
        "55–6532‑0691",
        "55﹣6532−0691",
    ],
)
def test_phone_number_is_normalized_to_ten_digits(text: str) -> None:
    assert format_or_problem(text) == "5565320691"


@pytest.mark.parametrize("text", ["5212345678", "0155123456", "1234567890"])
def test_national_number_may_begin_as_a_prefix_does(text: str) -> None:
    assert format_or_problem(text) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("123", "has 3 digits; 10 are needed."),
        ("55 6532 069", "has 9 digits; 10 are needed."),
        ("+52 55 6532 0691 12345", "has 15 digits; 10 are needed."),
        ("55 6532 0691 / 55 1234 5678", "has 20 digits; 10 are needed."),
        ("1 55 6532 0691", "has 11 digits; 10 are needed."),
        ("555-555-SHIP", "has 6 digits; 10 are needed."),
        ("+54 9 11 4567 8901", "is not a number of MX."),
        ("+1 (502) 459-2181", "is not a number of MX."),
        ("001 502 459 2181", "is not a number of MX."),
    ],
)
def test_other_numbers_are_problems_and_never_truncated(text: str, problem: str) -> None:
    assert format_or_problem(text) == problem


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("011 15-4321-5678", "AR", "+5491143215678"),
        ("011 15–4321‑5678", "AR", "+5491143215678"),
        ("+54 9 11 4321﹣5678", "AR", "+5491143215678"),
        ("011 15⁃4321⁃5678", "AR", "+5491143215678"),
        ("+54 9 11 4321-5678", "AR", "+5491143215678"),
        ("0223 155 123 456", "AR", "+5492235123456"),
        ("+54 9 0223 15 512 3456", "AR", "+5492235123456"),
        ("+54 9 11 15 4321 5678", "AR", "+5491143215678"),
        ("0054 9 0351 15 234 5678", "AR", "+5493512345678"),
        ("54 11 4321-5678", "AR", "+541143215678"),
        ("351 15 234-5678", "AR", "+5493512345678"),
        ("+54 9 0223 15 512 345", "AR", "+54 9 0223 15 512 345"),
        ("044 55 6532 0691", "MX", "+525565320691"),
        ("+52 1 55 6532 0691", "MX", "+525565320691"),
        ("+52 1 55 6532 0691", "AR", "+525565320691"),
        ("52 1 55 6532 0691", "MX", "+525565320691"),
        ("01 55 6532 0691", "MX", "+525565320691"),
        ("6532 0691", "MX", "6532 0691"),
        ("044 55 6532 0691 ext. 12", "MX", "044 55 6532 0691 ext. 12"),
        ("+1 044 55 6532 0691", "MX", "+1 044 55 6532 0691"),
        ("011 4321-5678", "AR", "+541143215678"),
        ("+52 55 5123 4567", "AR", "+525551234567"),
        ("55 5123 4567", "MX", "+525551234567"),
        ("15 4321 5678", "AR", "15 4321 5678"),
        ("011 4321-5678 ext. 12", "AR", "011 4321-5678 ext. 12"),
        ("011 4321-5678 / 011 4321-5679", "AR", "011 4321-5678 / 011 4321-5679"),
        ("011 4321-5678", "Argentina", "011 4321-5678"),
        ("1" * 300, "AR", "1" * 300),
    ],
)
def test_valid_number_is_formatted_internationally(text: str, country: str, expected: str) -> None:
    assert format_e164(text, country) == expected
