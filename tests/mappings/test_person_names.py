"""Full names are split as people in Mexico and Argentina are named."""

from typing import Any

import pytest

from mappings.order import Address, Customer
from mappings.person_names import split_full_name, split_name


@pytest.mark.parametrize(
    ("full_name", "first_name", "last_name"),
    [
        ("Juan Pérez", "Juan", "Pérez"),
        ("Juan Pérez Gómez", "Juan", "Pérez Gómez"),
        ("Juan Carlos Pérez", "Juan Carlos", "Pérez"),
        ("JUAN CARLOS PÉREZ GÓMEZ", "JUAN CARLOS", "PÉREZ GÓMEZ"),
        ("Ana María", "Ana", "María"),
        ("María José Quiroga", "María José", "Quiroga"),
        ("Ximena Ocampo Ríos", "Ximena", "Ocampo Ríos"),
        ("Brisa Ailín Sosa Vega", "Brisa Ailín", "Sosa Vega"),
        ("Juan de la Cruz", "Juan", "de la Cruz"),
        ("Juan de la Cruz Gómez", "Juan", "de la Cruz Gómez"),
        ("María del Carmen Soto", "María del Carmen", "Soto"),
        ("María de los Ángeles Soto Ruiz", "María de los Ángeles", "Soto Ruiz"),
        ("Laura San Martín", "Laura", "San Martín"),
        ("Ana María del Valle", "Ana María", "del Valle"),
        ("Carlos Alberto De la Fuente", "Carlos Alberto", "De la Fuente"),
        ("Tomás O’Farrill", "Tomás", "O’Farrill"),
        ("Pérez Gómez, Juan Carlos", "Juan Carlos", "Pérez Gómez"),
        ("Ana de la", "Ana de la", None),
        ("Ana", "Ana", None),
        ("", None, None),
    ],
)
def test_name_is_split_between_given_names_and_surnames(
    full_name: str, first_name: str | None, last_name: str | None
) -> None:
    assert split_full_name(full_name) == (first_name, last_name)


@pytest.mark.parametrize(
    ("full_name", "first_name", "last_name"),
    [
        ("Muebles Juan Carlos S.A. de C.V.", "Muebles", "Juan Carlos S.A. de C.V."),
        ("Distribuidora Sur SRL", "Distribuidora", "Sur SRL"),
        ("Taller Ocampo, S.A.", "Taller", "Ocampo, S.A."),
        ("Yerbas del Norte S.A.S.", "Yerbas", "del Norte S.A.S."),
    ],
)
def test_company_name_is_split_after_its_first_word(full_name: str, first_name: str, last_name: str) -> None:
    assert split_full_name(full_name) == (first_name, last_name)


@pytest.mark.parametrize(
    "full_name", ["Juan Pérez", "a b c d e f", "de la", "Ana de", "Pérez, Juan", "de la de Ruiz del"]
)
def test_splitting_keeps_every_word_of_a_name(full_name: str) -> None:
    first_name, last_name = split_full_name(full_name)
    words = f"{first_name or ''} {last_name or ''}".split()
    assert sorted(words) == sorted(full_name.replace(",", "").split())


@pytest.mark.parametrize(
    ("person", "names"),
    [
        (Customer(first_name="Ana María", last_name="Gil"), ("Ana María", "Gil")),
        (Customer(last_name="Gil"), (None, "Gil")),
        (Customer(first_name="Ana"), ("Ana", None)),
        (Address(name="Ana María Gil"), ("Ana María", "Gil")),
        (Customer(), (None, None)),
    ],
)
def test_names_separated_by_the_platform_stay_separate(person: Address | Customer, names: tuple[Any, ...]) -> None:
    assert split_name(person) == names
