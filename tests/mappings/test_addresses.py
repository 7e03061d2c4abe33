"""Address lines as people write them in Mexico and Argentina, and what is sure about each."""

import pytest

from mappings.addresses import settle_address
from mappings.order import Address

J = "\u2060"


def parts(line1=None, line2=None, **given):
    settled = settle_address(Address(line1=line1, line2=line2), **given)
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
        ("Eje Central 12", ("Eje Central", "12", None, None)),
        # flats
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
    ],
)
def test_what_is_sure_is_split(line1, expected):
    assert parts(line1) == expected


@pytest.mark.parametrize(
    "line1",
    [
        "Calle 10",
        "Av. 20 de Noviembre",
        "9 de Julio 1200",
        "Calle 12 345",
        "123 Calle Mayor",
        "Norte 45",
        "Calle Sur 8",
        "Av. Norte 45",
        "Eje 3 Norte 45",
        "Ruta 40",
        "Carretera 57",
        "Andador 4",
        "Privada 3",
        "Los Pinos Mz 5 Lt 3",
        "Los Pinos Edificio 4",
        "Los Pinos Sección 2",
        "Calle #5",
        "Hidalgo #12 #13",
        "Hidalgo 12 esquina Juárez",
        "Hidalgo #12 esquina Juárez",
        "Hidalgo 12, 5B",
        "Hidalgo 12 - 5B",
        "Fracc. Los Pinos calle Roble 12",
        "Calle 10 Torre 3",
        "Juárez Col. Centro 123",
        "Bosques de las Lomas",
        "- 45",
    ],
)
def test_what_is_not_sure_stays_whole(line1):
    assert parts(line1) == (line1, None, None, None)


@pytest.mark.parametrize("line1", [None, "No informado", "s/d", "-", ".", "N/A"])
def test_placeholder_is_no_street(line1):
    assert parts(line1) == (None, None, None, None)


@pytest.mark.parametrize(
    ("line1", "line2", "expected"),
    [
        (f"Av. de la Reforma {J}1", f"Depto 3 {J}Juárez", ("Av. de la Reforma", "1", "Depto 3", "Juárez")),
        (f"Calle 5 de Mayo {J}12 Int 4", f"{J}Centro", ("Calle 5 de Mayo", "12 Int 4", None, "Centro")),
        (f"Calle 10 {J}", f"Depto 3 {J}", ("Calle 10", None, "Depto 3", None)),
        (f"{J}12", None, (None, "12", None, None)),
        (f"Calle 10 {J}5", "Col. Centro", ("Calle 10", "5", None, "Centro")),
    ],
)
def test_shopifys_separator_is_exact(line1, line2, expected):
    assert parts(line1, line2) == expected


def test_separator_wins_over_settings():
    given = {"number": "9", "unit": "8", "district": "Roma"}
    assert parts(f"Calle 10 {J}5", f"Depto 3 {J}Centro", **given) == ("Calle 10", "5", "8, Depto 3", "Centro")


def test_settings_fill_what_the_separator_leaves_empty():
    given = {"number": "9", "district": "Roma"}
    assert parts(f"Calle 10 {J}", f"Depto 3 {J}", **given) == ("Calle 10", "9", "Depto 3", "Roma")


@pytest.mark.parametrize("extra", ["x" * 300, ", " * 150_000 + "x"])
def test_endless_line_stays_whole(extra):
    assert parts(f"Hidalgo 12 {extra}", f"Col. Roma {extra}") == (
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
        ("Depto 4 Colonia Roma Norte, timbre 3", ("Depto 4, timbre 3", "Roma Norte")),
        ("Fracc. Las Flores", (None, "Fracc. Las Flores")),
        ("Barrio Norte", (None, "Norte")),
        ("Roma Norte", ("Roma Norte", None)),
    ],
)
def test_second_line_is_the_flat_but_for_a_marked_neighbourhood(line2, expected):
    assert parts("Balcarce 78", line2)[2:] == expected


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
def test_second_line_is_the_neighbourhood_where_the_store_says_so(line2, expected):
    assert parts("Balcarce 78", line2, district=line2)[2:] == expected


def test_neighbourhood_from_elsewhere_leaves_the_second_line_whole():
    assert parts("Balcarce 78", "Depto 4", district="Col. Roma Norte")[2:] == ("Depto 4", "Roma Norte")


def test_two_different_neighbourhoods_both_stay():
    assert parts("Balcarce 78", "Col. Centro", district="Roma")[2:] == ("Col. Centro", "Roma")


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
def test_number_from_elsewhere_leaves_the_first_line_as_the_street(line1, street):
    assert parts(line1, number="123") == (street, "123", None, None)


def test_units_of_both_lines_are_joined():
    assert parts("Reforma 222 Piso 3", "Depto 4")[2] == "Piso 3, Depto 4"


def test_same_unit_is_not_said_twice():
    assert parts("Reforma 222", "Depto 4", unit="DEPTO 4")[2] == "DEPTO 4"


def test_platforms_own_fields_win():
    settled = settle_address(
        Address(line1="Balcarce 78", street="Bahía", number="87", unit="PB", district="Anzures"), number="1"
    )
    assert (settled.street, settled.number, settled.unit, settled.district) == ("Bahía", "87", "PB", "Anzures")
