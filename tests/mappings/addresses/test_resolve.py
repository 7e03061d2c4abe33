"""Address lines as people write them in Mexico and Argentina, and how they are parsed."""

from dataclasses import replace
from typing import Any

import pytest
from marshmallow import ValidationError

from mappings import DESTINATIONS
from mappings.addresses.resolve import resolve_address
from mappings.order import Address
from mappings.problems import render_problem, render_problems
from tests.support.mapping_cases import (
    SAMPLES,
    build_account,
    build_body,
    build_store,
    mapping_problems,
    parse_order,
    shipping_address,
)

JOINER = "\u2060"


def resolved_parts(line1: str | None = None, line2: str | None = None, **fields: str) -> tuple[Any, ...]:
    settled = resolve_address(Address(line1=line1, line2=line2), **fields)
    return settled.street, settled.number, settled.unit, settled.district


@pytest.mark.parametrize(
    ("line1", "expected"),
    [
        # an explicit mark
        ("Calle 5 de Mayo #123", ("Calle 5 de Mayo", "123", None, None)),
        ("Calle 10 # 5", ("Calle 10", "5", None, None)),
        ("Av. Juárez No. 45", ("Av. Juárez", "45", None, None)),
        ("Av. Juárez No 45", ("Av. Juárez", "45", None, None)),
        ("Av. 9 de Julio N° 1200", ("Av. 9 de Julio", "1200", None, None)),
        ("Av. 9 de Julio Nº1200", ("Av. 9 de Julio", "1200", None, None)),
        ("Salta Nro. 77", ("Salta", "77", None, None)),
        ("Reforma Núm. 222", ("Reforma", "222", None, None)),
        ("Reforma num. 222", ("Reforma", "222", None, None)),
        ("Reforma número 222", ("Reforma", "222", None, None)),
        ("Morelos #12-B", ("Morelos", "12-B", None, None)),
        ("Morelos #123 bis", ("Morelos", "123 bis", None, None)),
        ("Morelos, #12", ("Morelos", "12", None, None)),
        ("Carretera Federal 57 KM 14.5", ("Carretera Federal 57", "KM 14.5", None, None)),
        ("Km. 8 Carretera a Chapala", ("Carretera a Chapala", "KM 8", None, None)),
        ("Camino Real S/N", ("Camino Real", "S/N", None, None)),
        ("Calle 10 s/n", ("Calle 10", "S/N", None, None)),
        ("Camino Real sin número", ("Camino Real", "S/N", None, None)),
        # one number at the end
        ("Balcarce 78", ("Balcarce", "78", None, None)),
        ("Av. Corrientes 1234", ("Av. Corrientes", "1234", None, None)),
        ("Insurgentes Sur 1602", ("Insurgentes Sur", "1602", None, None)),
        ("Insurgentes Sur, 1602", ("Insurgentes Sur", "1602", None, None)),
        ("Hidalgo 123 A", ("Hidalgo", "123 A", None, None)),
        ("Hidalgo 123A", ("Hidalgo", "123A", None, None)),
        ("Hidalgo 12-B", ("Hidalgo", "12-B", None, None)),
        ("Hidalgo 45 bis", ("Hidalgo", "45 bis", None, None)),
        ("Av. Colonia del Valle 615", ("Av. Colonia del Valle", "615", None, None)),
        ("9 de Julio 1200", ("9 de Julio", "1200", None, None)),
        ("Calle 12 345", ("Calle 12", "345", None, None)),
        ("Eje 3 Norte 45", ("Eje 3 Norte", "45", None, None)),
        ("Los Pinos Mz 5 Lt 3", ("Los Pinos", "Mz 5 Lt 3", None, None)),
        ("Hidalgo 12 - 5B", ("Hidalgo", "12", "5B", None)),
        ("Eje Central 12", ("Eje Central", "12", None, None)),
        # units
        ("Av. X #234 Int 5", ("Av. X", "234", "5", None)),
        ("Reforma 222 Int. 5-A", ("Reforma", "222", "5-A", None)),
        ("Reforma 222, Interior 5", ("Reforma", "222", "5", None)),
        ("Reforma 222 Depto 4-B", ("Reforma", "222", "Depto 4-B", None)),
        ("Av. Corrientes 1234 Piso 7 Dpto C", ("Av. Corrientes", "1234", "Piso 7 Dpto C", None)),
        ("Av. Corrientes 1234, 5° B", ("Av. Corrientes", "1234", "5° B", None)),
        ("Insurgentes Sur 1602 Torre Norte Piso 3", ("Insurgentes Sur", "1602", "Torre Norte Piso 3", None)),
        ("Calle 10 #5 Local 3", ("Calle 10", "5", "Local 3", None)),
        ("Camino Real S/N Oficina 2", ("Camino Real", "S/N", "Oficina 2", None)),
        # neighbourhoods
        ("Orizaba 12, Col. Roma Norte", ("Orizaba", "12", None, "Roma Norte")),
        ("Orizaba 12 Col Roma Norte", ("Orizaba", "12", None, "Roma Norte")),
        ("Orizaba 12 Colonia Roma Norte", ("Orizaba", "12", None, "Roma Norte")),
        ("Orizaba 12 Int. 3, Col. Roma Norte", ("Orizaba", "12", "3", "Roma Norte")),
        ("Orizaba 12, Col. 20 de Noviembre", ("Orizaba", "12", None, "20 de Noviembre")),
        ("Col. Roma Norte, Orizaba 12", ("Orizaba", "12", None, "Roma Norte")),
        ("Las Palmas 8, Fracc. Las Flores", ("Las Palmas", "8", None, "Fracc. Las Flores")),
        ("Allende 8, Barrio San Pablo", ("Allende", "8", None, "San Pablo")),
        ("Reforma Col. Centro #12", ("Reforma", "12", None, "Centro")),
        ("Calle 10, Col. Centro", ("Calle 10", None, None, "Centro")),
        ("Hidalgo 12, Col. Puerta de Hierro", ("Hidalgo", "12", None, "Puerta de Hierro")),
        ("Hidalgo 12 U. Hab. Infonavit El Hueso", ("Hidalgo", "12", None, "U. Hab. Infonavit El Hueso")),
    ],
)
def test_unambiguous_line_is_split(line1: str, expected: tuple[Any, ...]) -> None:
    assert resolved_parts(line1) == expected


@pytest.mark.parametrize(
    "line1",
    [
        "Calle 10",
        "Av. 20 de Noviembre",
        "123 Calle Mayor",
        "Norte 45",
        "Calle Sur 8",
        "Av. Norte 45",
        "Ruta 40",
        "Carretera 57",
        "Andador 4",
        "Privada 3",
        "Los Pinos Edificio 4",
        "Los Pinos Sección 2",
        "Calle #5",
        "Hidalgo #12 #13",
        "Hidalgo #12 KM 4",
        "Hidalgo #12 S/N",
        "Hidalgo 12, 5B",
        "Fracc. Los Pinos calle Roble 12",
        "Calle 10 Torre 3",
        "Juárez Col. Centro 123",
        "Bosques de las Lomas",
        "- 45",
    ],
)
def test_ambiguous_line_stays_whole(line1: str) -> None:
    assert resolved_parts(line1) == (line1, None, None, None)


@pytest.mark.parametrize("line1", [None, "No informado", "s/d", "-", ".", "N/A"])
def test_placeholder_is_not_a_street(line1: str | None) -> None:
    assert resolved_parts(line1) == (None, None, None, None)


@pytest.mark.parametrize(
    ("line1", "line2", "expected"),
    [
        (f"Av. de la Reforma {JOINER}1", f"Depto 3 {JOINER}Juárez", ("Av. de la Reforma", "1", "Depto 3", "Juárez")),
        (f"Calle 5 de Mayo {JOINER}12 Int 4", f"{JOINER}Centro", ("Calle 5 de Mayo", "12 Int 4", None, "Centro")),
        (f"Calle 10 {JOINER}", f"Depto 3 {JOINER}", ("Calle 10", None, "Depto 3", None)),
        (f"{JOINER}12", None, (None, "12", None, None)),
        (f"Calle 10 {JOINER}5", "Col. Centro", ("Calle 10", "5", None, "Centro")),
    ],
)
def test_shopify_separator_splits_exactly(line1: str, line2: str | None, expected: tuple[Any, ...]) -> None:
    assert resolved_parts(line1, line2) == expected


def test_separator_takes_precedence_over_settings() -> None:
    fields = {"number": "9", "unit": "8", "district": "Roma"}
    assert resolved_parts(f"Calle 10 {JOINER}5", f"Depto 3 {JOINER}Centro", **fields) == (
        "Calle 10",
        "5",
        "8, Depto 3",
        "Centro",
    )


def test_settings_fill_fields_the_separator_leaves_empty() -> None:
    fields = {"number": "9", "district": "Roma"}
    assert resolved_parts(f"Calle 10 {JOINER}", f"Depto 3 {JOINER}", **fields) == ("Calle 10", "9", "Depto 3", "Roma")


@pytest.mark.parametrize("extra", ["x" * 300, ", " * 150_000 + "x"])
def test_overlong_line_stays_whole(extra: str) -> None:
    assert resolved_parts(f"Hidalgo 12 {extra}", f"Col. Roma {extra}") == (
        f"Hidalgo 12 {extra}",
        None,
        f"Col. Roma {extra}",
        None,
    )


@pytest.mark.parametrize(
    ("line2", "expected"),
    [
        ("Depto. 4-B", ("Depto. 4-B", None)),
        ('Piso 7 "C"', ('Piso 7 "C"', None)),
        ("Col. Roma Norte", (None, "Roma Norte")),
        ("Depto 4, Col. Roma Norte", ("Depto 4", "Roma Norte")),
        ("Depto 4 Colonia Roma Norte, timbre 3", ("Depto 4", "Roma Norte")),
        ("Fracc. Las Flores", (None, "Fracc. Las Flores")),
        ("Barrio Norte", (None, "Norte")),
        ("Roma Norte", ("Roma Norte", None)),
    ],
)
def test_second_line_is_the_unit_except_a_marked_neighbourhood(line2: str, expected: tuple[Any, ...]) -> None:
    assert resolved_parts("Balcarce 78", line2)[2:] == expected


@pytest.mark.parametrize(
    ("line2", "expected"),
    [
        ("Roma Norte", (None, "Roma Norte")),
        ("Col. Roma Norte", (None, "Roma Norte")),
        ("Depto 4, Roma Norte", ("Depto 4", "Roma Norte")),
        ("Depto 4 Roma Norte", ("Depto 4", "Roma Norte")),
        ("Int. 5, Col. Roma Norte", ("5", "Roma Norte")),
        ("Roma Norte, Piso 7", ("Piso 7", "Roma Norte")),
        ("Torre Blanca", (None, "Torre Blanca")),
        ("Depto. 4-B", ("Depto. 4-B", None)),
    ],
)
def test_second_line_is_the_neighbourhood_when_configured(line2: str, expected: tuple[Any, ...]) -> None:
    assert resolved_parts("Balcarce 78", line2, district=line2)[2:] == expected


def test_neighbourhood_from_another_field_leaves_the_second_line_whole() -> None:
    assert resolved_parts("Balcarce 78", "Depto 4", district="Col. Roma Norte")[2:] == ("Depto 4", "Roma Norte")


def test_two_different_neighbourhoods_are_both_kept() -> None:
    assert resolved_parts("Balcarce 78", "Col. Centro", district="Roma")[2:] == ("Col. Centro", "Roma")


@pytest.mark.parametrize(
    ("line1", "street"),
    [
        ("Calle 10", "Calle 10"),
        ("Calle 10 123", "Calle 10"),
        ("Calle 10 #123", "Calle 10"),
        ("Calle 10, 123", "Calle 10"),
        ("Calle 4123", "Calle 4123"),
    ],
)
def test_number_from_another_field_leaves_the_first_line_as_street(line1: str, street: str) -> None:
    assert resolved_parts(line1, number="123") == (street, "123", None, None)


@pytest.mark.parametrize(
    ("line1", "line2", "expected"),
    [
        ("Calle Parroquia", "#1130 depto 701", ("Calle Parroquia", "1130", "depto 701", None)),
        ("Cerrada Pino", "Manzana 3 Lote 14", ("Cerrada Pino", "Manzana 3 Lote 14", None, None)),
        ("Calle Pino 3", "#1130", ("Calle Pino", "3", "#1130", None)),
    ],
)
def test_number_may_be_in_the_second_line(line1: str, line2: str, expected: tuple[Any, ...]) -> None:
    assert resolved_parts(line1, line2) == expected


@pytest.mark.parametrize(
    ("line1", "line2", "reference"),
    [
        ("Hidalgo 12 esquina Juárez", None, "esquina Juárez"),
        ("Hidalgo 12", "Depto 4, timbre 3", "timbre 3"),
        ("Hidalgo 12, portón verde", "entre Mina y Rayón", "portón verde, entre Mina y Rayón"),
        ("Hidalgo 12 esq. Av. Torre 5", None, "esq. Av. Torre 5"),
        ("Hidalgo 12 (casa azul)", None, "casa azul"),
        ("Hidalgo 12 a 2 cuadras de la plaza", None, "a 2 cuadras de la plaza"),
        ("Hidalgo 12, tel 55 1234 5678", None, "tel 55 1234 5678"),
    ],
)
def test_reference_is_separated(line1: str, line2: str | None, reference: str) -> None:
    assert resolve_address(Address(line1=line1, line2=line2)).reference == reference


def test_capital_federal_and_buenos_aires_are_the_same_city() -> None:
    address = Address(
        line1="Salta 77, Buenos Aires", city="CABA", state="Ciudad Autónoma de Buenos Aires", country="AR"
    )
    assert resolve_address(address) == replace(address, street="Salta", number="77")


@pytest.mark.parametrize("tail", ["Ciudad de México", "CDMX", "C.P. 06700", "06700", "06700 CDMX, México"])
def test_repetition_of_the_city_is_dropped(tail: str) -> None:
    address = Address(
        line1=f"Orizaba 12, {tail}",
        city="Ciudad de México",
        state="Ciudad de México",
        postal_code="06700",
        country="MX",
    )
    settled = resolve_address(address)
    assert settled == replace(address, street="Orizaba", number="12")


@pytest.mark.parametrize(
    ("state", "district", "reference"), [("Ciudad de México", None, "Coyoacán"), ("Jalisco", "Coyoacán", None)]
)
def test_municipality_is_not_a_neighbourhood(state: str, district: str | None, reference: str | None) -> None:
    settled = resolve_address(Address(line1="Hidalgo 12, Coyoacán", state=state, country="MX"))
    assert (settled.district, settled.reference) == (district, reference)


@pytest.mark.parametrize(
    ("line1", "doubt"),
    [
        (
            "Lavalle 1234 1",
            "Address “Lavalle 1234 1” is ambiguous, because “1” may be more than one thing: "
            "street “Lavalle”, number “1234”, then “1”; or street “Lavalle 1234”, number “1”.",
        ),
        (
            "Norte 45",
            "Address “Norte 45” is ambiguous, because the number may be the door's or the street's name: "
            "street “Norte”, number “45”; or street “Norte 45” without a number.",
        ),
        (
            "Bosques de las Lomas",
            "Address “Bosques de las Lomas” is ambiguous, because neither a street type nor a number shows that "
            "it is a street: street “Bosques de las Lomas” without a number; or a place without a street.",
        ),
        ("Calle 10", None),
    ],
)
def test_ambiguity_shows_both_readings(line1: str, doubt: str | None) -> None:
    address = resolve_address(Address(line1=line1, country="AR"))
    assert replace(address, ambiguity=None) == Address(line1=line1, street=line1, country="AR")
    assert (address.ambiguity and render_problem(address.ambiguity)) == doubt


def test_line_of_another_country_is_never_ambiguous() -> None:
    assert resolve_address(Address(line1="12 High Street", country="GB")).ambiguity is None


def test_number_from_a_setting_resolves_the_ambiguity() -> None:
    assert resolve_address(Address(line1="Lavalle 1234 1", country="AR"), number="1234").ambiguity is None


AMBIGUOUS_LINE = replace(resolve_address(Address(line1="Lavalle 1234 1", country="AR")), name="Ana Ruiz", country=None)
DOUBT = (
    "Shipping address > address “Lavalle 1234 1” is ambiguous, because “1” may be more than one thing: "
    "street “Lavalle”, number “1234”, then “1”; or street “Lavalle 1234”, number “1”."
)


@pytest.mark.parametrize(("sample", "destination"), [("shopify_mx", "rayo"), ("shopify_ar", "centelar")])
def test_ambiguous_address_is_a_problem_where_it_is_sent(sample: str, destination: str) -> None:
    order = replace(parse_order("shopify", SAMPLES[sample]), ship_to=AMBIGUOUS_LINE)
    assert DOUBT in mapping_problems(order, destination)


def test_ambiguous_address_is_no_problem_where_it_is_not_sent() -> None:
    order = replace(parse_order("shopify", SAMPLES["shopify_ar"]), ship_to=AMBIGUOUS_LINE)
    assert build_body(order, "lapyme").body == build_body(replace(order, ship_to=None), "lapyme").body


def test_ambiguous_line_is_sent_unchanged_when_configured() -> None:
    order = replace(parse_order("shopify", SAMPLES["shopify_ar"]), ship_to=AMBIGUOUS_LINE)
    request = DESTINATIONS["centelar"].build_request(
        order, build_account("centelar"), build_store("shopify", unsure="send_as_is")
    )
    address = request.body["shipping_address"]
    assert address == {"disposition": "residential", "street": "Lavalle 1234 1", "receiver_name": "Ana Ruiz"}
    assert DOUBT in render_problems(request.warnings)


def test_invalid_unsure_setting_is_an_error() -> None:
    with pytest.raises(ValidationError) as caught:
        build_store("shopify", unsure="guess")
    assert caught.value.messages == {"unsure": ["must be one of: problem, send_as_is."]}


@pytest.mark.parametrize(("sample", "destination"), [("shopify_mx", "rayo"), ("shopify_ar", "centelar")])
def test_postcode_of_another_state_is_a_warning(sample: str, destination: str) -> None:
    order = parse_order("shopify", SAMPLES[sample])
    order = replace(order, ship_to=replace(shipping_address(order), country="MX", state="Jalisco", postal_code="06700"))
    order = replace(order, bill_to=order.ship_to)
    warning = render_problems(build_body(order, destination).warnings)[0]
    assert warning == "Shipping address > postcode “06700” is of Ciudad de México, not of Jalisco."


@pytest.mark.parametrize(
    ("sample", "destination", "at", "key"),
    [
        ("shopify_mx", "rayo", "consumidor_destino", "no_interior"),
        ("shopify_ar", "centelar", "shipping_address", "complement"),
    ],
)
def test_reference_is_sent_with_the_unit(sample: str, destination: str, at: str, key: str) -> None:
    order = parse_order("shopify", SAMPLES[sample])
    order = replace(order, ship_to=replace(shipping_address(order), unit="Depto 4", reference="portón verde"))
    assert build_body(order, destination).body[at][key] == "Depto 4, portón verde"


def test_units_of_both_lines_are_joined() -> None:
    assert resolved_parts("Reforma 222 Piso 3", "Depto 4")[2] == "Piso 3, Depto 4"


def test_repeated_unit_is_written_once() -> None:
    assert resolved_parts("Reforma 222", "Depto 4", unit="DEPTO 4")[2] == "DEPTO 4"


def test_platform_fields_take_precedence() -> None:
    settled = resolve_address(
        Address(line1="Balcarce 78", street="Bahía", number="87", unit="PB", district="Anzures"), number="1"
    )
    assert (settled.street, settled.number, settled.unit, settled.district) == ("Bahía", "87", "PB", "Anzures")
