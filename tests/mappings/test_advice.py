"""What destinations add to the connector's advice."""

from dataclasses import replace
from typing import Any

import pytest

from mappings import DESTINATIONS
from mappings.advice import UNAUTHORIZED
from tests.support.mapping_cases import SAMPLES, build_account, build_body, parse_order


def clues(sample: str, destination: str) -> dict[str, str]:
    body = build_body(parse_order("shopify", SAMPLES[sample]), destination).body
    return {clue.label: clue.value for clue in DESTINATIONS[destination].find_clues(body)}


def test_rayo_order_is_searched_by_its_recipient() -> None:
    assert clues("shopify_mx", "rayo") == {
        "Recipient": "Ximena Ocampo Ríos",
        "Phone": "5565320691",
        "Address": "Av. Álvaro Obregón, 187-B, Depto 402, Roma Norte, 06700, Cuauhtémoc, Ciudad de México",
        "Products sent": "2 × 7503039461000, 3 × CREMA-NOCHE",
    }


def test_lapyme_order_is_searched_by_its_notes() -> None:
    assert clues("shopify_ar", "lapyme") == {"Notes": "shopify #2077", "Total": "25000.01"}


def test_centelar_order_is_searched_by_its_code() -> None:
    assert clues("shopify_ar", "centelar") == {
        "ext_code": "5678901234999",
        "First name": "Julieta",
        "Last name": "Ferreyra",
        "Total": "25000.01",
    }


@pytest.mark.parametrize("name", DESTINATIONS)
@pytest.mark.parametrize("reason", ["uncertain", "refused", UNAUTHORIZED])
def test_every_destination_has_steps(name: str, reason: str) -> None:
    destination, account = DESTINATIONS[name], build_account(name)
    names = {"account": account.name, "setting": destination.credential_setting(account)}
    steps = [step % names for step in destination.advice.steps[reason]]
    assert all(step.endswith(".") for step in steps)


@pytest.mark.parametrize(
    ("destination", "settings", "expected"),
    [
        ("rayo", {"api_key": "k"}, "api_key"),
        ("rayo", {"api_key": None, "access_token": "t"}, "access_token"),
        ("lapyme", {}, "api_key"),
        ("centelar", {}, "headers"),
    ],
)
def test_setting_of_the_credentials_is_named(destination: str, settings: dict[str, Any], expected: str) -> None:
    account = replace(build_account(destination), **settings)
    assert DESTINATIONS[destination].credential_setting(account) == expected
