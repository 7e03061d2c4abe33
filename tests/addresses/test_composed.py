"""Address lines composed of unambiguous parts are parsed back into those parts."""

from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.addresses.context import AddressContext
from mappings.addresses.street_parser import ParsedLine, parse_line

#: By country: streets, numbers, units, neighbourhoods and references, each as written and as parsed.
PARTS_BY_COUNTRY = {
    "MX": (
        ["Av. Insurgentes Sur", "5 de Mayo", "Calle 12", "11 Sur", "Av. Convención de 1914 Norte", "Río Lerma"],
        {"1602": "1602", "#12-B": "12-B", "No. 45 A": "45 A", "No. Ext. 7": "7", "S/N": "S/N", "12 bis": "12 bis"},
        {"": None, "Int. 5": "5", "Depto 4-B": "Depto 4-B", "Torre B piso 3": "Torre B piso 3", "PB": "PB"},
        {"": None, ", Col. Roma": "Roma", " Col. 20 de Noviembre": "20 de Noviembre", ", Condesa": "Condesa"},
        {"": None, ", entre Morelos y Juárez": "entre Morelos y Juárez", ", portón verde": "portón verde"},
    ),
    "AR": (
        ["Av. Corrientes", "9 de Julio", "Calle 7", "Diagonal 74", "Humberto 1°", "Tte. Gral. Juan D. Perón"],
        {"1234": "1234", "N° 776": "776", "Nro. 45 bis": "45 bis", "S/N": "S/N"},
        {"": None, "5° B": "5° B", "5 B": "5 B", "piso 5 dpto B": "piso 5 dpto B", "PB": "PB", "Of. 12": "Of. 12"},
        {"": None, ", Barrio Alberdi": "Alberdi", " B° Nueva Córdoba": "Nueva Córdoba", ", Palermo": "Palermo"},
        {"": None, ", e/ 46 y 47": "e/ 46 y 47", ", timbre 3": "timbre 3"},
    ),
}


def composed_lines() -> Iterator[tuple[str, str, ParsedLine]]:
    for country, (streets, doors, flats, districts, references) in PARTS_BY_COUNTRY.items():
        rests = cycle(product(districts.items(), references.items()))
        for street, door, flat in product(streets, doors.items(), flats.items()):
            for district, reference in islice(rests, 5):
                line = " ".join(part for part in (street, door[0], flat[0]) if part) + district[0] + reference[0]
                yield (
                    country,
                    line,
                    ParsedLine(
                        street=street, number=door[1], unit=flat[1], district=district[1], reference=reference[1]
                    ),
                )


@pytest.mark.parametrize("change", [str, str.upper, str.lower])
def test_composed_line_parses_into_its_parts(change: Any) -> None:
    for country, line, parts in composed_lines():
        expected = {
            name: getattr(parts, name) and change(getattr(parts, name))
            for name in ("street", "number", "unit", "district", "reference")
        }
        number = "S/N" if parts.number == "S/N" else expected["number"]
        assert parse_line(change(line), AddressContext(country=country)) == ParsedLine(
            **expected | {"number": number}
        ), line


FRAGMENTS = """
    Calle Av. Ruta Barrio Bº Col. Villa SM Torre Edificio Piso Depto UF Mz Lt lote casa N° # S/N KM al e/ entre x y esq.
    bis timbre tel 5 12 123 14.5 1/2 1° 5to 12-B (12) Norte Juárez Centro PB A , -
"""


@given(st.lists(st.sampled_from(FRAGMENTS.split()), min_size=1, max_size=9), st.sampled_from(["MX", "AR"]))
def test_parsing_keeps_every_digit(fragments: list[str], country: str) -> None:
    line = " ".join(fragments)
    reading = parse_line(line, AddressContext(country=country))
    parsed_text = " ".join(
        filter(None, (reading.street, reading.number, reading.unit, reading.district, reading.reference))
    )
    assert reading.reason or not count_digits(line) - count_digits(parsed_text)


def count_digits(text: str) -> Any:
    return Counter(char for char in text if char.isdigit())
