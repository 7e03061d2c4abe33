"""Requests about personal data: listed, and closed by a person, which erases what they were found by."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from connector.database.models import Event, OperatorAction
from connector.database.privacy_requests import mark_erasing
from connector.sandbox.server import SandboxServer
from tests.support.commands import Command
from tests.support.notices import EMAIL, NOTICE_CONFIGURATION, PHONE, post_notice
from tests.support.orders import shopify_order
from tests.support.service import Service


@pytest.fixture
def shops(open_service: Callable[..., Service], sandbox: SandboxServer) -> Service:
    return open_service(text=NOTICE_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))


@pytest.fixture
def connector(shops: Service, tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def listed(shops: Service, **filters: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = shops.api("/privacy-requests", query_string=filters).json["items"]
    return items


def test_list_names_no_customer(shops: Service) -> None:
    post_notice(shops, "nube", "customers-redact")
    [request] = listed(shops)
    assert request["order_ids"] == ["213", "3415"]
    assert not {EMAIL, PHONE} & set(map(str, request.values()))
    assert shops.api(f"/privacy-requests/{request['id']}").json["email"] == EMAIL


def test_list_is_filtered_and_paged(shops: Service) -> None:
    for store in ("tienda-mx", "nube"):
        for topic in ("customers-redact", "customers-data-request"):
            post_notice(shops, store, topic)
    assert [item["store"] for item in listed(shops, kind="customers-redact")] == ["nube", "tienda-mx"]
    assert listed(shops, state="done") == []
    page = shops.api("/privacy-requests", query_string={"limit": "3"}).json
    rest = shops.api("/privacy-requests", query_string={"cursor": page["next"]}).json
    assert [item["id"] for item in [*page["items"], *rest["items"]]] == ["4", "3", "2", "1"]


def test_dismissed_request_says_who_and_why_and_forgets_the_customer(shops: Service) -> None:
    id_ = post_notice(shops, "nube", "customers-redact").json["request"]
    response = shops.api(f"/privacy-requests/{id_}/dismiss", json={"note": "asked twice"})
    assert (response.status_code, response.json["state"]) == (200, "dismissed")
    request = shops.api(f"/privacy-requests/{id_}").json
    assert (request["closed_by"], request["note"], request["email"], request["phone"]) == (
        "token:admin",
        "asked twice",
        None,
        None,
    )
    with shops.database.read() as session:
        [action] = session.exec(select(OperatorAction)).all()
    assert (action.kind, action.store, action.who, action.text) == (
        "close-request",
        "nube",
        "token:admin",
        "asked twice",
    )
    assert shops.api(f"/privacy-requests/{id_}/dismiss", json={"note": "again"}).status_code == 409


@pytest.mark.parametrize("body", [{}, {"note": ""}, {"note": " "}, {"note": None}])
def test_request_is_not_dismissed_without_a_reason(shops: Service, body: dict[str, Any]) -> None:
    id_ = post_notice(shops, "nube", "customers-redact").json["request"]
    assert shops.api(f"/privacy-requests/{id_}/dismiss", json=body).status_code == 400
    assert [item["state"] for item in listed(shops)] == ["open"]


def test_command_lists_open_requests_and_dismisses_one(shops: Service, connector: Command) -> None:
    post_notice(shops, "nube", "customers-redact")
    post_notice(shops, "tienda-mx", "store-redact")
    status, printed = connector("privacy", "list", "--json")
    requests = [json.loads(line) for line in printed.splitlines()]
    assert [(request["id"], request["kind"]) for request in requests] == [
        ("2", "store-redact"),
        ("1", "customers-redact"),
    ]
    assert EMAIL not in connector("privacy", "list")[1]
    assert connector("privacy", "dismiss", "1", "--note", "a test") == (0, "Request 1 is dismissed.\n")
    assert connector("privacy", "list", "--state", "dismissed", "--json")[1].count("\n") == 1
    status, printed = connector("privacy", "dismiss", "1")
    assert (status, "--note" in printed) == (2, True)


SHOP: dict[str, Any] = {"shop_id": 954889, "shop_domain": "vela-norte.myshopify.com"}


def post_order(shops: Service, number: int, **changes: Any) -> str:
    order = shopify_order(number, order_status_url=None, **changes)
    shops.post_shopify(order, **{"X-Shopify-Shop-Domain": SHOP["shop_domain"]})
    return str(order["id"])


def request_erasure(shops: Service, *order_ids: str) -> str:
    payload = {**SHOP, "customer": {"id": 1, "email": EMAIL, "phone": None}, "orders_to_redact": list(order_ids)}
    id_: str = post_notice(shops, "tienda-mx", "customers-redact", payload).json["request"]
    return id_


def kept_bodies(shops: Service) -> set[str | None]:
    """The ids of the orders whose payload is kept."""
    with shops.database.read() as session:
        return {event.order_id for event in session.exec(select(Event)) if event.body}


def test_erasing_takes_the_named_orders_and_those_of_the_address_and_no_other(shops: Service) -> None:
    named, addressed, other = post_order(shops, 1), post_order(shops, 2, email=EMAIL), post_order(shops, 3)
    shops.drain()
    id_ = request_erasure(shops, named)
    response = shops.api(f"/privacy-requests/{id_}/erase", json={})
    assert {order["order_id"] for order in response.json["orders"]} == {named, addressed}
    assert kept_bodies(shops) == {other}
    request = shops.api(f"/privacy-requests/{id_}").json
    assert (request["state"], request["closed_by"], request["email"]) == ("done", "token:admin", None)


def test_number_of_another_order_is_no_id(shops: Service) -> None:
    order_id = post_order(shops, 213)
    shops.drain()
    id_ = request_erasure(shops, "213")
    assert shops.api(f"/privacy-requests/{id_}/erase", json={}).json["orders"] == []
    assert kept_bodies(shops) == {order_id}


def test_order_on_its_way_is_sent_first_and_the_request_is_closed_after_it(shops: Service) -> None:
    order_id = post_order(shops, 1)
    id_ = request_erasure(shops, order_id)
    [order] = shops.api(f"/privacy-requests/{id_}/erase", json={}).json["orders"]
    assert order["status"] == "pending"
    worker = shops.worker()
    worker.erase_pending()
    assert shops.api(f"/privacy-requests/{id_}").json["state"] == "open"
    shops.drain()
    assert len(shops.sandbox.orders("rayo")) == 1
    worker.erase_pending()
    request = shops.api(f"/privacy-requests/{id_}").json
    assert (request["state"], request["closed_by"]) == ("done", "token:admin")
    assert kept_bodies(shops) == set()


def test_request_is_not_done_if_erasing_was_interrupted(shops: Service) -> None:
    order_id = post_order(shops, 1)
    shops.drain()
    id_ = request_erasure(shops, order_id)
    mark_erasing(shops.database, int(id_), [order_id], actor="ana")
    shops.worker().erase_pending()
    assert shops.api(f"/privacy-requests/{id_}").json["state"] == "open"


def test_erasing_a_store_takes_all_of_its_orders(shops: Service) -> None:
    post_order(shops, 1)
    post_order(shops, 2)
    shops.drain()
    id_ = post_notice(shops, "tienda-mx", "store-redact").json["request"]
    assert len(shops.api(f"/privacy-requests/{id_}/erase", json={}).json["orders"]) == 2
    assert kept_bodies(shops) == set()
    assert shops.api(f"/privacy-requests/{id_}").json["state"] == "done"


def test_copy_is_exported_and_the_request_marked_as_done(shops: Service, connector: Command) -> None:
    order_id = post_order(shops, 1)
    payload = {**SHOP, "customer": {"id": 1}, "orders_requested": [order_id], "data_request": {"id": 5}}
    id_ = post_notice(shops, "tienda-mx", "customers-data-request", payload).json["request"]
    [order] = shops.api(f"/privacy-requests/{id_}/export", json={}).json["orders"]
    assert order["order_id"] == order_id
    assert shops.api(f"/privacy-requests/{id_}/erase", json={}).status_code == 409
    assert connector("privacy", "done", id_) == (0, f"Request {id_} is done.\n")
    assert shops.api(f"/privacy-requests/{id_}/export", json={}).status_code == 409


def test_command_erases_what_a_request_is_about(shops: Service, connector: Command) -> None:
    order_id = post_order(shops, 1)
    shops.drain()
    id_ = request_erasure(shops, order_id)
    status, printed = connector("privacy", "fulfil", id_, "--yes")
    assert (status, printed) == (0, f"Request {id_} is done: 1 orders are erased.\n")
    assert kept_bodies(shops) == set()
