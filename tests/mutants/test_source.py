"""Replacing code by its tokens: formatting does not matter, and anything but one match is refused."""

import pytest

from tests.mutants.source import Location, NotFoundOnceError, locate, replace_code

SOURCE = """\
def pay(order):
    if (
        order.is_paid  # checked by the storefront
        and order.total > 0,
    ):
        return "PAID AT ONCE"
    return None
"""
WHOLE = Location("shop.py", 1, 7)


def test_code_is_replaced_whatever_its_line_breaks_comments_and_trailing_commas() -> None:
    changed = replace_code(SOURCE, WHOLE, "if (order.is_paid and order.total > 0):", "if order.is_paid:")
    assert changed == 'def pay(order):\n    if order.is_paid:\n        return "PAID AT ONCE"\n    return None\n'


def test_replacement_is_indented_like_what_it_replaces() -> None:
    changed = replace_code(SOURCE, WHOLE, "return None", "for _ in ():\n    pass")
    assert changed.endswith("    for _ in ():\n        pass\n")


def test_part_of_a_string_is_replaced() -> None:
    assert '"PAID LATER"' in replace_code(SOURCE, WHOLE, "AT ONCE", "LATER")


@pytest.mark.parametrize("code", ["order", "return 1"])
def test_code_that_does_not_occur_once_is_refused(code: str) -> None:
    with pytest.raises(NotFoundOnceError):
        replace_code(SOURCE, WHOLE, code, "")


def test_function_is_located_in_its_file() -> None:
    location = locate(replace_code)
    assert location.file == "tests/mutants/source.py"
    assert location.first_line < location.last_line
