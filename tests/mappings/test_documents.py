import pytest

from mappings.documents import TaxDocument, read_tax_document


@pytest.mark.parametrize("written", ["28333444", "28.333.444", " 28 333 444 ", "DNI 28.333.444", "D.N.I. N° 28333444"])
def test_dni_is_read_however_it_is_written(written):
    assert read_tax_document(written) == TaxDocument(kind="dni", digits="28333444", is_company=False)


def test_short_dni_keeps_its_digits():
    assert read_tax_document("0123456") == TaxDocument(kind="dni", digits="0123456", is_company=False)


@pytest.mark.parametrize(
    ("written", "digits", "is_company", "is_good"),
    [
        ("27-28333444-4", "27283334444", False, True),
        ("CUIL: 20-30111222-0", "20301112220", False, True),
        ("C.U.I.T. 30/71234567/1", "30712345671", True, True),
        ("30712345672", "30712345672", True, False),
        ("55-00000000-5", "55000000005", None, False),
    ],
)
def test_cuit_says_whose_it_is_and_whether_it_can_be_one(written, digits, is_company, is_good):
    assert read_tax_document(written) == TaxDocument(
        kind="cuit", digits=digits, is_company=is_company, has_good_check_digit=is_good
    )


@pytest.mark.parametrize(
    "written",
    ["A1234567", "12.345.678-5", "XAXX010101000", "99999999999", "123456", "28333444 DNI 1", "²8333444", "", "DNI"],
)
def test_anything_else_is_no_document_of_argentina(written):
    assert read_tax_document(written) is None
