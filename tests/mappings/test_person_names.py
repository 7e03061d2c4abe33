"""Full names are split as people in Mexico and Argentina are named."""

from typing import Any

import pytest

from mappings.order import Address, Customer
from mappings.person_names import split_full_name, split_name


@pytest.mark.parametrize(
    ("whole", "given", "family"),
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
def test_name_is_cut_between_given_names_and_surnames(whole: str, given: str | None, family: str | None) -> None:
    assert split_full_name(whole) == (given, family)


@pytest.mark.parametrize(
    ("whole", "given", "family"),
    [
        ("Muebles Juan Carlos S.A. de C.V.", "Muebles", "Juan Carlos S.A. de C.V."),
        ("Distribuidora Sur SRL", "Distribuidora", "Sur SRL"),
        ("Taller Ocampo, S.A.", "Taller", "Ocampo, S.A."),
        ("Yerbas del Norte S.A.S.", "Yerbas", "del Norte S.A.S."),
    ],
)
def test_company_is_cut_at_its_first_word_and_reads_whole(whole: str, given: str, family: str) -> None:
    assert split_full_name(whole) == (given, family)


@pytest.mark.parametrize("whole", ["Juan Pérez", "a b c d e f", "de la", "Ana de", "Pérez, Juan", "de la de Ruiz del"])
def test_no_word_of_a_name_is_lost(whole: str) -> None:
    given, family = split_full_name(whole)
    words = f"{given or ''} {family or ''}".split()
    assert sorted(words) == sorted(whole.replace(",", "").split())


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
def test_what_the_platform_tells_apart_stays_so(person: Address | Customer, names: tuple[Any, ...]) -> None:
    assert split_name(person) == names
