"""Finds the buyer's given and family name. A single text for both is split by the naming customs of both countries."""

import re

from mappings.order import Address, Customer, Order
from mappings.text import casefold_ascii

#: Words that belong to the name after them: "de la Cruz", "San Martín".
PARTICLES = frozenset(
    {"de", "del", "la", "las", "los", "el", "da", "das", "do", "dos", "di", "van", "von", "der", "san"}
)
#: Given names when they follow a particle: "María del Carmen", "José de Jesús".
DEVOTIONAL_NAMES_TEXT = """
    angeles candelaria carmen concepcion consuelo corazon dolores guadalupe jesus lourdes luz mar mercedes milagros
    monserrat montserrat pilar refugio remedios rocio rosario socorro soledad valle
"""
#: Given names that are often the second of two. A list of surnames could never be complete; this one need not be: where
#: a name is not in it, the cut is one word off, and both fields read together are still the whole name.
SECOND_GIVEN_NAMES_TEXT = """
    abigail abril adrian agostina agustin agustina aime alan alberto alejandra alejandro alexander alfonso
    alfredo alicia alonso amalia amelia ana andrea andres angel angela angelica antonia antonio araceli ariel
    armando arturo augusto aurelio aurora ayelen beatriz belen benjamin bernardo brenda camila carina carla
    carlos carmen carolina catalina cecilia celeste celia cesar clara claudia claudio concepcion cristian
    cristina cristobal damian daniel daniela dario david delfina delia denise diana diego dolores eduardo elena
    eliana elias elisa elizabeth emanuel emilia emiliano emilio emmanuel enrique ernesto esperanza esteban
    estela ester esther eugenia eugenio eva evangelina ezequiel fabian fabiana facundo fatima federico felipe
    felix fernanda fernando fidel florencia francisca francisco franco gabriel gabriela gerardo german gisela
    gloria gonzalo graciela gregorio griselda guadalupe guillermina guillermo gustavo hector hernan hilda
    horacio hugo humberto ignacia ignacio ines irene iris irma isabel isabella ismael itzel ivan ivonne
    jacqueline javier jazmin jesus joaquin joaquina jorge jose josefina juan juana julia julian juliana julieta
    julio karen karina laura leandro leonardo leonel leonor leticia lia lidia liliana lorena lorenzo lourdes
    lucas lucia luciana luciano lucila lucrecia luis luisa lujan luz magali magdalena manuel manuela marcela
    marcelo marcos margarita maria mariana mariano maribel mariela marina mario marisol martha martin martina
    matias mauricio maximiliano mercedes micaela miguel milagros mirta monica montserrat nahuel natalia nazareno
    nelida nicolas noelia noemi nora norma octavio ofelia olga omar orlando oscar pablo pamela paola patricia
    patricio paula paulina paz pedro pia pilar rafael ramiro ramon raquel raul rebeca reina renata rene ricardo
    roberto rocio rodolfo rodrigo rogelio roman romina rosa rosalia rosario roxana ruben ruth salvador samanta
    samuel sandra santiago sara sebastian sergio silvana silvia simon sofia sol soledad sonia stella susana
    tamara teresa tomas trinidad ulises uriel valentin valentina valeria vanesa vanessa veronica vicente victor
    victoria virginia viviana walter wendy ximena yamila yanina yesica yolanda zoe
"""
SECOND_GIVEN_NAMES = frozenset(SECOND_GIVEN_NAMES_TEXT.split())
DEVOTIONAL_NAMES = frozenset(DEVOTIONAL_NAMES_TEXT.split())


def buyer_name(order: Order) -> tuple[str | None, str | None]:
    """Return given and family name: the customer's, the billing address's, or else the recipient's.

    A complete name is preferred to an incomplete one.
    """
    buyers = [split_name(person) for person in (order.customer, order.bill_to) if person]
    nonempty_names = [name for name in buyers if any(name)] or ([split_name(order.ship_to)] if order.ship_to else [])
    return next((name for name in nonempty_names if all(name)), nonempty_names[0] if nonempty_names else (None, None))


def receiver_name(order: Order, address: Address) -> str | None:
    """Return who receives the parcel: the address's name, else its company, else the buyer."""
    company = address.company if address.company and any(char.isalpha() for char in address.company) else None
    return address.full_name or company or " ".join(part for part in buyer_name(order) if part) or None


def has_unsent_company(order: Order, address: Address) -> bool:
    """Return whether an address has a company that is not its receiver, for destinations without a field for it."""
    return address.company is not None and address.company != receiver_name(order, address)


def split_name(person: Customer | Address) -> tuple[str | None, str | None]:
    """Return given and family name: the platform's own fields, or else the parts of a single text."""
    if person.first_name and person.last_name:
        return person.first_name, person.last_name
    full_name = person.name or person.first_name or person.last_name or ""
    given_name, family_name = split_full_name(full_name)
    if family_name is None and full_name == person.last_name:
        return None, full_name
    return given_name, family_name


def split_full_name(full_name: str) -> tuple[str | None, str | None]:
    """Split a text into given names and surnames. "Pérez, Juan" has the surname first.

    "Juan Carlos Pérez" has two given names, "Juan Pérez Gómez" two surnames, and four words are two of each.
    """
    family_name, comma, given_name = (part.strip() for part in full_name.partition(","))
    if comma and family_name and given_name and "," not in given_name and not is_company(full_name):
        return given_name, family_name
    groups = group_words(full_name)
    if len(groups) < 2:
        return full_name or None, None
    split_index = 1 if is_company(full_name) else count_given_names(groups)
    return " ".join(groups[:split_index]), " ".join(groups[split_index:])


def is_company(name: str) -> bool:
    """Return whether the name contains a company's legal form. Such a name is split at its first blank."""
    return bool(
        re.search(
            r"\b(?:s\.?\s?[ac]\.?(?:s\.?|\s?de\s?c\.?\s?v\.?)?|s\.?\s?r\.?\s?l\.?|ltda)(?:\W|$)", casefold_ascii(name)
        )
    )


def group_words(name: str) -> list[str]:
    """Return the words of a name, each with its preceding particles."""
    groups: list[str] = []
    particles: list[str] = []
    for word in name.split():
        particles.append(word)
        if casefold_ascii(word) not in PARTICLES:
            groups.append(" ".join(particles))
            particles = []
    if particles:  # "Ana de la" ends in one
        groups = [*groups[:-1], " ".join([*groups[-1:], *particles])]
    return groups


def count_given_names(groups: list[str]) -> int:
    """Return how many of the groups are given names."""
    if len(groups) == 2:
        return 1
    last_word = casefold_ascii(groups[1]).split()[-1]
    has_particles = " " in groups[1]
    is_second = last_word in (DEVOTIONAL_NAMES if has_particles else SECOND_GIVEN_NAMES)
    return 2 if is_second or (len(groups) >= 4 and not has_particles) else 1
