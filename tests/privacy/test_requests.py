"""Requests about personal data: listed, and closed by a person, which erases what they were found by."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from connector.database.models import OperatorAction
from connector.sandbox.server import SandboxServer
from tests.support.commands import Command
from tests.support.notices import EMAIL, NOTICE_CONFIGURATION, PHONE, post_notice
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
