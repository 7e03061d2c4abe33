"""States, countries and postcodes have one name in every spelling."""

import re

import pytest

from mappings.addresses.postcodes import complete_postal_code, find_mismatch
from mappings.addresses.regions import SHOPIFY_STATES, WOOCOMMERCE_STATES, resolve_country_code, resolve_state_name
from mappings.addresses.states import ARGENTINA, MEXICO, STATES, State
from mappings.problems import render_problem


def test_state_codes_are_unique_per_platform() -> None:
    for states, count in ((MEXICO, 32), (ARGENTINA, 24)):
        for field in ("iso", "name", "shopify", "woocommerce"):
            assert len({getattr(state, field) for state in states}) == count


@pytest.mark.parametrize("country", STATES)
def test_platforms_map_to_the_same_state_names(country: str) -> None:
    assert set(SHOPIFY_STATES[country].values()) == set(WOOCOMMERCE_STATES[country].values())


@pytest.mark.parametrize(
    ("text", "country", "name"),
    [
        ("NUEVO LEON", "MX", "Nuevo León"),
        ("N.L.", "MX", "Nuevo León"),
        ("Qro.", "MX", "Querétaro"),
        ("MX-JAL", "MX", "Jalisco"),
        ("Edo. de México", "MX", "México"),
        ("Estado de Mexico", "MX", "México"),
        ("Coahuila de Zaragoza", "MX", "Coahuila"),
        ("D.F.", "MX", "Ciudad de México"),
        ("capital federal", "AR", "Ciudad Autónoma de Buenos Aires"),
        ("C.A.B.A.", "AR", "Ciudad Autónoma de Buenos Aires"),
        ("Bs. As.", "AR", "Buenos Aires"),
        ("Gran Buenos Aires", "AR", "Buenos Aires"),
        ("CORDOBA", "AR", "Córdoba"),
        ("AR-X", "AR", "Córdoba"),
        ("X", "AR", "X"),
        ("Jalisco", "AR", "Jalisco"),
        ("Texas", "US", "Texas"),
        ("CDMX", None, "Ciudad de México"),
        ("Jal", None, "Jal"),
        (None, "MX", None),
    ],
)
def test_written_state_gets_its_official_name_or_stays(text: str | None, country: str | None, name: str | None) -> None:
    assert resolve_state_name(text, country=country, codes={}) == name


@pytest.mark.parametrize(
    ("text", "code"),
    [("mx", "MX"), ("México", "MX"), ("MEX", "MX"), ("República Argentina", "AR"), ("Chile", "Chile"), (None, None)],
)
def test_country_is_mapped_to_its_code(text: str | None, code: str | None) -> None:
    assert resolve_country_code(text) == code


@pytest.mark.parametrize(
    ("text", "country", "state", "code"),
    [
        ("06700", "MX", None, "06700"),
        ("6700", "MX", "Ciudad de México", "06700"),
        ("6700", "MX", "Jalisco", "6700"),
        ("6700", "MX", None, "6700"),
        ("700", "MX", "Ciudad de México", "700"),
        ("C.P. 06700", "MX", None, "06700"),
        ("CP06700", "MX", None, "06700"),
        ("06 700", "MX", None, "06700"),
        ("c1425dka", "AR", None, "C1425DKA"),
        ("C 1425 DKA", "AR", None, "C1425DKA"),
        ("CP 1425", "AR", None, "1425"),
        ("14 25 1", "AR", None, "14 25 1"),
        ("SW1A 1AA", "GB", None, "SW1A 1AA"),
        (None, "MX", None, None),
    ],
)
def test_postcode_is_normalized_and_never_invented(
    text: str | None, country: str, state: str | None, code: str | None
) -> None:
    assert complete_postal_code(text, country=country, state=state) == code


@pytest.mark.parametrize(
    ("code", "country", "state", "fault"),
    [
        ("44100", "MX", "Jalisco", None),
        ("44100", "MX", "Ciudad de México", "Postcode “44100” is of Jalisco, not of Ciudad de México."),
        ("17000", "MX", "Jalisco", "Postcode “17000” is of another state, not of Jalisco."),
        ("4410", "MX", "Jalisco", None),
        ("44100", "MX", "Jalisco y Colima", None),
        ("44100", "MX", None, None),
        ("1425", "AR", "Ciudad Autónoma de Buenos Aires", None),
        ("1900", "AR", "Buenos Aires", None),
        ("B1900ABC", "AR", "Salta", "Postcode “B1900ABC” is of Buenos Aires, not of Salta."),
        ("C1425DKA", "AR", "Ciudad Autónoma de Buenos Aires", None),
        ("5000", "AR", "Salta", "Postcode “5000” is of another state, not of Salta."),
        ("142", "AR", "Salta", "Postcode “142” is not a postcode of AR."),
        ("90210", "US", "California", None),
    ],
)
def test_postcode_of_another_state_is_detected(code: str, country: str, state: str | None, fault: str | None) -> None:
    mismatch = find_mismatch(code, country=country, state=state)
    assert (mismatch and render_problem(mismatch)) == fault


@pytest.mark.parametrize("state", [*MEXICO, *ARGENTINA], ids=lambda state: state.name)
def test_postcode_prefixes_are_digits(state: State) -> None:
    assert re.fullmatch(r"[\d|\[\]-]+", state.postcode_prefix)
