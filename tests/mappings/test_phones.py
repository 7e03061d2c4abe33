"""Telephone numbers as people write them in Mexico."""

import pytest
from marshmallow import ValidationError

from mappings.fields import Phone


def written(text):
    """Return what is sent, or what is wrong with it."""
    phone = Phone(country="MX")
    number = phone._serialize(text)
    try:
        assert phone.deserialize(number) == number
    except ValidationError as error:
        return error.messages[0]
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
    ],
)
def test_number_is_brought_to_ten_digits(text):
    assert written(text) == "5565320691"


@pytest.mark.parametrize("text", ["5212345678", "0155123456", "1234567890"])
def test_national_number_may_begin_as_a_prefix_does(text):
    assert written(text) == text


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
def test_other_numbers_are_problems_and_never_cut_to_fit(text, problem):
    assert written(text) == problem
