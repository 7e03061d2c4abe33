from dataclasses import replace

import pytest

from mappings.problems import render_problems
from mappings.tax_ids import TaxId, parse_tax_id
from tests.support.mapping_cases import SAMPLES, build_body, parse_order


@pytest.mark.parametrize("text", ["28333444", "28.333.444", " 28 333 444 ", "DNI 28.333.444", "D.N.I. N° 28333444"])
def test_dni_is_recognised_in_any_format(text: str) -> None:
    assert parse_tax_id(text) == TaxId(kind="dni", number="28333444", is_company=False)


@pytest.mark.parametrize("dash", "-‐‑‒–—−－")
def test_every_dash_separates_the_parts_of_a_tax_id(dash: str) -> None:
    tax_ids = [parse_tax_id(text.replace("-", dash)) for text in ("27-28333444-4", "GODE-561231-GR8")]
    assert [tax_id and tax_id.number for tax_id in tax_ids] == ["27283334444", "GODE561231GR8"]


def test_short_dni_keeps_its_digits() -> None:
    assert parse_tax_id("0123456") == TaxId(kind="dni", number="0123456", is_company=False)


@pytest.mark.parametrize(
    ("text", "digits", "is_company", "is_good"),
    [
        ("27-28333444-4", "27283334444", False, True),
        ("CUIL: 20-30111222-0", "20301112220", False, True),
        ("C.U.I.T. 30/71234567/1", "30712345671", True, True),
        ("30712345672", "30712345672", True, False),
        ("55-00000000-5", "55000000005", None, False),
    ],
)
def test_cuit_holder_and_check_digit_are_recognised(
    text: str, digits: str, is_company: bool | None, is_good: bool
) -> None:
    assert parse_tax_id(text) == TaxId(kind="cuit", number=digits, is_company=is_company, has_good_check_digit=is_good)


@pytest.mark.parametrize(
    "text",
    [
        "A1234567",
        "12.345.678-5",
        "ABC990230AB1",
        "GODE561331GR8",
        "99999999999",
        "123456",
        "28333444 DNI 1",
        "²8333444",
        "",
        "DNI",
    ],
)
def test_other_text_is_no_tax_document(text: str) -> None:
    assert parse_tax_id(text) is None


@pytest.mark.parametrize(
    ("text", "number", "is_company", "is_good"),
    [
        ("GODE561231GR8", "GODE561231GR8", False, True),
        ("RFC: gode-561231-gr8", "GODE561231GR8", False, True),
        ("R.F.C. GODE 561231 GR8", "GODE561231GR8", False, True),
        ("GODE561231GR9", "GODE561231GR9", False, False),
        ("COMG600703", "COMG600703", False, True),
        ("MAB9307148T4", "MAB9307148T4", True, True),
        ("XAXX010101000", "XAXX010101000", None, True),
    ],
)
def test_rfc_holder_and_check_digit_are_recognised(
    text: str, number: str, is_company: bool | None, is_good: bool
) -> None:
    assert parse_tax_id(text) == TaxId(kind="rfc", number=number, is_company=is_company, has_good_check_digit=is_good)


@pytest.mark.parametrize(
    ("sample", "destination"), [("shopify_mx", "rayo"), ("shopify_ar", "lapyme"), ("shopify_ar", "centelar")]
)
def test_rfc_with_a_wrong_check_digit_is_sent_with_a_warning(sample: str, destination: str) -> None:
    order = replace(parse_order("shopify", SAMPLES[sample]), document="GODE561231GR9")
    assert "Tax document: the check digit of RFC GODE561231GR9 is wrong." in render_problems(
        build_body(order, destination).warnings
    )


def test_rfc_is_not_sent_to_centelar() -> None:
    request = build_body(replace(parse_order("shopify", SAMPLES["shopify_ar"]), document="GODE561231GR8"), "centelar")
    assert "document" not in request.body["customer"]
    assert "Tax document “GODE561231GR8” is not sent: it is neither a CUIT nor a DNI." in render_problems(
        request.warnings
    )
