"""`connector correct` and `connector map --correct`."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Command
from tests.support.orders import RAYO_BODY, encode, shopify_order
from tests.support.scenarios import without_colonia
from tests.support.service import Service

pytestmark = pytest.mark.sqlite  # tests/delivery/test_corrections.py writes to both databases


@pytest.fixture
def run(service: Service, tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def test_field_is_listed_and_entered(service: Service, run: Command) -> None:
    service.post_shopify(without_colonia())
    service.drain()
    assert run("correct", "1") == (0, "--set ship_to.district=…  Shipping address > neighbourhood.\n")
    done = "Stored. The order is queued, and is sent as it is now.\n"
    assert run("correct", "1", "--set", "ship_to.district=Roma Norte", "--note", "by phone") == (0, done)
    service.drain()
    assert [order.body for order in service.sandbox.orders("rayo")] == [RAYO_BODY]
    _, listed = run("correct", "1")
    assert "Roma Norte" in listed
    assert "by phone" in listed


def test_both_readings_of_an_address_are_listed_as_options(service: Service, run: Command) -> None:
    payload = shopify_order()
    payload["shipping_address"]["address1"] = "Paseo de los 12 40"
    service.post_shopify(payload)
    service.drain()
    _, listed = run("correct", "1")
    assert listed.splitlines()[-1] == "or: --set 'ship_to.street=Paseo de los 12' --set ship_to.number=40"


def test_entered_value_is_withdrawn(service: Service, run: Command) -> None:
    service.post_shopify(without_colonia())
    service.drain()
    run("correct", "1", "--set", "ship_to.district=Roma")
    status, text = run("correct", "1", "--withdraw", "ship_to.district", "--json")
    assert (status, json.loads(text)["queued"]) == (0, True)
    assert run("correct", "1", "--withdraw", "ship_to.district")[0] == 1


def test_refused_value_ends_with_the_problem(service: Service, run: Command) -> None:
    payload = shopify_order()
    payload["line_items"][0]["sku"] = None
    payload["shipping_address"]["phone"] = "1"
    service.post_shopify(payload)
    service.drain()
    refusal = run("correct", "1", "--set", "lines[11].sku=A=B", "--set", "phone=12")
    assert refusal == (1, "Shipping address > phone has 2 digits; 10 are needed.\n")
    assert run("correct", "1", "--set", "lines[11].sku=A=B")[0] == 0


@pytest.mark.parametrize(
    "arguments", [("--set", "ship_to.district"), ("--set", "a=b", "--withdraw", "a"), ("--note", "x")]
)
def test_incomplete_command_is_refused(service: Service, run: Command, arguments: tuple[str, ...]) -> None:
    assert run("correct", "1", *arguments)[0] == 2


def test_map_explains_what_was_entered(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_bytes(encode(without_colonia()))
    pair = ("--storefront", "shopify", "--destination", "rayo", "--set", "api_key=k", str(file))
    status, text = run("map", "--correct", "ship_to.district=Roma Norte", *pair)
    assert (status, json.loads(text)) == (0, RAYO_BODY)
    _, explained = run("map", "--explain", "--correct", "ship_to.district=Roma Norte", *pair)
    [row] = [line for line in explained.splitlines() if "colonia" in line]
    assert "entered by" in row
