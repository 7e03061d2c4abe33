"""Who signed in, looked at personal data or searched for it is on record before they see it, and whose data is not."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from connector.cli.common import operator_name
from connector.database.audit import Actor
from connector.database.engine import Database
from connector.database.models import AuditEntry
from connector.web.app import create_app
from connector.web.rejections import MAX_NETWORKS_PER_HOUR, RejectionCounter
from tests.support.commands import Command
from tests.support.notices import EMAIL, post_notice
from tests.support.orders import shopify_order, woo_order
from tests.support.privacy import PERSONAL_DATA
from tests.support.rows import read_rows_of
from tests.support.service import ADMIN_TOKEN, Service
from tests.support.visitor import ANA, PASSWORD, VERA, Visitor, text_of, visit

Row = dict[str, Any]


def read_entries(service: Service, *names: str) -> list[tuple[Any, ...]]:
    rows = sorted(read_rows_of(service, AuditEntry), key=lambda row: row["id"])
    return [tuple(row[name] for name in names) for row in rows]


@pytest.fixture
def ana(service: Service) -> Visitor:
    visitor = visit(service, ANA, VERA)
    visitor.sign_in(PASSWORD, "ana")
    return visitor


def flush(visitor: Visitor) -> None:
    visitor.client.application.extensions["rejected"].flush()


def test_sign_ins_are_recorded(service: Service, ana: Visitor) -> None:
    visit(service).sign_in()
    assert read_entries(service, "actor", "role", "action", "interface", "network") == [
        ("ana", "operator", "sign-in", "dashboard", "127.0.0.1"),
        ("admin", "operator", "sign-in", "dashboard", "127.0.0.1"),
    ]


def test_failed_sign_ins_are_counted_without_names_of_nobody(service: Service) -> None:
    visitor = visit(service, ANA)
    for name in ("ana", "ana", "Ximena Prueba", "ximena@example.com"):
        visitor.sign_in("wrong", name)
    visitor.client.get("/api/events", headers={"Authorization": "Bearer ximena"})
    flush(visitor)
    visitor.sign_in("wrong", "ana")
    flush(visitor)
    names = ("action", "actor", "interface", "network", "counts")
    assert sorted(read_entries(service, *names), key=str) == [
        ("failed-sign-in", "ana", "dashboard", "127.0.0.1", {"attempts": 3}),
        ("failed-sign-in", None, "api", "127.0.0.1", {"attempts": 1}),
        ("failed-sign-in", None, "dashboard", "127.0.0.1", {"attempts": 2}),
    ]
    service.clock.forward(3600)
    visitor.sign_in("wrong", "ana")
    flush(visitor)
    assert read_entries(service, "actor", "counts")[-1] == ("ana", {"attempts": 1})


def test_a_flood_from_many_networks_makes_few_rows(service: Service) -> None:
    rejections = RejectionCounter(service.database)
    for number in range(5_000):
        rejections.add_failed_sign_in(Actor(interface="api", name=None, network=f"2001:db8:{number:x}::/64"))
        if number % 1_000 == 0:
            rejections.flush()
    rejections.flush()
    entries = read_entries(service, "network", "counts")
    assert len(entries) == MAX_NETWORKS_PER_HOUR + 1
    assert sum(counts["attempts"] for _, counts in entries) == 5_000


def test_each_order_that_is_looked_at_is_recorded_once_an_hour(service: Service, ana: Visitor) -> None:
    order = shopify_order(1)
    service.post_shopify(order)
    service.drain()
    for path in ("/deliveries/1", "/deliveries/1", "/deliveries/1/preview", "/events/1", "/deliveries", "/events", "/"):
        assert ana.get(path).status_code == 200
    subject = ("view", "order", str(order["id"]), "tienda-mx")
    names = ("actor", "interface", "action", "subject_kind", "subject_id", "store")
    assert read_entries(service, *names)[1:] == [("ana", "dashboard", *subject)]
    service.api("/deliveries/1")
    service.api("/deliveries/1/preview", json={})
    service.api("/deliveries/1/corrections")
    service.api("/deliveries")
    assert read_entries(service, *names)[2:] == [("token:admin", "api", *subject)]
    service.clock.forward(3600)
    ana.get("/deliveries/1")
    assert read_entries(service, *names)[3:] == [("ana", "dashboard", *subject)]
    assert ana.get("/deliveries/77").status_code == 404
    assert len(read_entries(service, "id")) == 4


def test_a_webhook_without_an_order_is_recorded_when_it_is_looked_at(service: Service, ana: Visitor) -> None:
    service.post_shopify({"name": "Ximena"}, "shop/update")
    assert ana.get("/events/1").status_code == 200
    assert read_entries(service, "action", "subject_kind", "subject_id")[1:] == [("view", "event", "1")]


def test_search_by_email_is_recorded_without_the_address(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    service.post_woo(woo_order(2))
    for address in ("ximena@example.mx", "nadie@example.com"):
        assert ana.post("/deliveries/search", q=address).status_code == 200
    assert read_entries(service, "actor", "action", "counts")[1:] == [
        ("ana", "search-by-email", {"deliveries": 1}),
        ("ana", "search-by-email", {"deliveries": 0}),
    ]
    assert [word for word in [*PERSONAL_DATA, "@"] if word in str(read_rows_of(service, AuditEntry))] == []


def test_an_export_is_recorded(service: Service, tmp_path: Path, environ: dict[str, str]) -> None:
    service.post_shopify(shopify_order(1))
    connector = Command(configuration=tmp_path / "connector.toml", environ=environ)
    assert connector("privacy", "export", "--email", "ximena@example.mx", "--output", str(tmp_path / "out"))[0] == 0
    [entry] = service.api("/audit?action=export").json["items"]
    assert (entry["actor"], entry["note"]) == (operator_name(), "")
    assert "ximena" not in str(entry)


def test_a_request_about_personal_data_is_recorded_when_it_is_looked_at(service: Service, ana: Visitor) -> None:
    assert post_notice(service, "tienda-mx", "customers-redact").status_code == 200
    assert ana.get("/privacy/1").status_code == 200
    service.api("/privacy-requests/1")
    assert read_entries(service, "actor", "action", "subject_kind", "subject_id")[1:] == [
        ("ana", "view", "privacy-request", "1"),
        ("token:admin", "view", "privacy-request", "1"),
    ]
    assert "Request 1" in text_of(ana.get("/audit"))
    assert EMAIL not in str(read_rows_of(service, AuditEntry))


@pytest.mark.sqlite
def test_nothing_is_shown_that_cannot_be_recorded(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    impatient = Database(service.runtime.settings.environment.database_url, clock=service.clock, timeout_s=3)
    service.database.close()
    service.runtime.database.__dict__.update(impatient.__dict__)
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    client = create_app(service.runtime).test_client()
    file = str(make_url(service.runtime.settings.environment.database_url).database)
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert client.get("/api/deliveries/1", headers=headers).status_code == 503
        assert client.get("/api/deliveries", headers=headers).status_code == 200
        writer.rollback()
    assert client.get("/api/deliveries/1", headers=headers).status_code == 200


def test_the_trail_is_one_list_with_filters_and_pages(service: Service, ana: Visitor) -> None:
    service.post_shopify(shopify_order(1))
    ana.get("/deliveries/1")
    ana.post("/accounts/bodega/pause", note="stocktaking")
    ana.post("/deliveries/1/discard", note="sold out")
    visit(service).sign_in()
    assert list_audit(service) == [
        ("sign-in", "admin"),
        ("resolve", "ana"),
        ("pause", "ana"),
        ("view", "ana"),
        ("sign-in", "ana"),
    ]
    assert list_audit(service, actor="ana", action="view") == [("view", "ana")]
    view = service.api("/audit", query_string={"action": "view"}).json["items"][0]
    assert (view["order_number"], view["store"], view["network"], view["role"]) == (
        "#1",
        "tienda-mx",
        "127.0.0.1",
        "operator",
    )
    assert list_audit(service, until=view["at"]) == [("sign-in", "ana")]
    assert len(list_audit(service, since=view["at"])) == 4
    entries, cursor = [], None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = service.api("/audit", query_string=query).json
        entries += [(item["action"], item["actor"]) for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert entries == list_audit(service)
    text = text_of(ana.get("/audit"))
    assert Counter(word for word in ("sign-in", "viewed", "#1", "stocktaking") if word in text).total() == 4
    assert "stocktaking" not in text_of(ana.get("/audit?action=view&actor=ana"))


def list_audit(service: Service, **filters: str) -> list[tuple[str, str]]:
    items = service.api("/audit", query_string=filters).json["items"]
    return [(item["action"], item["actor"]) for item in items]


@pytest.mark.parametrize("query", ["cursor=7", "cursor=1-2-3-4", "action=look", "actor=%00", "since=x", "kind=view"])
def test_what_is_no_filter_of_the_trail_is_refused(service: Service, query: str) -> None:
    assert service.api(f"/audit?{query}").status_code == 400
