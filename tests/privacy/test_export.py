"""The export holds everything that is kept about a person's orders, and nothing of others."""

import json
import stat
from pathlib import Path

import pytest

from connector.database.queries.personal_data import email_matcher, find_by_email, find_by_order
from tests.support.commands import Command
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service


def order_id(number: int) -> str:
    return str(shopify_order(number)["id"])


@pytest.fixture
def connector(tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def test_export_holds_every_row_of_the_order(service: Service, connector: Command, tmp_path: Path) -> None:
    service.post_shopify(shopify_order(1))
    service.post_shopify(shopify_order(2))
    service.drain()
    path = tmp_path / "export.json"
    assert connector("privacy", "export", "--order", "1", "--output", str(path)) == (0, f"Wrote 1 order to {path}.\n")
    document = json.loads(path.read_text("utf-8"))
    [order] = document["orders"]
    [event] = order["events"]
    [delivery] = order["deliveries"]
    assert event["body"] == shopify_order(1)
    assert delivery["state"] == "delivered"
    assert delivery["attempts"][0]["outcome"] == "delivered"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_export_overwrites_no_file(service: Service, connector: Command, tmp_path: Path) -> None:
    service.post_shopify(shopify_order(1))
    path = tmp_path / "export.json"
    path.write_text("kept", "utf-8")
    status, _ = connector("privacy", "export", "--order", "1", "--output", str(path))
    assert (status, path.read_text("utf-8")) == (1, "kept")


def test_orders_are_found_by_address_in_any_case_and_storefront(service: Service) -> None:
    service.post_shopify(shopify_order(1, email="Ximena@Example.com"))
    service.post_woo(woo_order(2, billing={**woo_order()["billing"], "email": "XIMENA@example.com"}))
    service.post_shopify(shopify_order(3, email="maria.ximena@example.com"))
    service.post_shopify(shopify_order(4, note="escríbeme:\nximena@example.com."))
    records = find_by_email(service.database, "ximena@example.COM")
    assert {id_ for _, id_ in records.orders} == {order_id(1), "2", order_id(4)}
    assert find_by_email(service.database, "ximena@example.com", store="tienda-ar").orders == (("tienda-ar", "2"),)


def test_an_event_that_names_no_order_is_found_by_number_and_address(service: Service) -> None:
    service.post_shopify(shopify_order(5, email="ana@example.com"), **{"X-Shopify-Test": "true"})
    assert find_by_email(service.database, "ana@example.com").event_ids == (1,)
    assert find_by_order(service.database, "5").orders == ()


@pytest.mark.parametrize(
    "text", ["mariana@example.com", "ana@example.com.mx", "ana@example.community", "x.ana@example.com"]
)
def test_a_longer_address_does_not_match(text: str) -> None:
    assert not email_matcher("ana@example.com")(text)
