"""`connector list`: what it shows, its filters, its pages."""

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Command
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service

pytestmark = pytest.mark.sqlite


@pytest.fixture
def connector(service: Service, tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def read_json(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def read_table(printed: str) -> list[list[str]]:
    return [re.split(" {2,}", line) for line in printed.splitlines()]


def test_list_shows_deliveries_newest_first_in_80_columns(service: Service, connector: Command) -> None:
    service.post_shopify(shopify_order(shipping_address=None))
    service.post_woo(woo_order())
    service.drain()
    printed = connector.invoke("list").stdout
    header, erp, bodega = read_table(printed)
    assert header == ["id", "store", "order", "account", "state", "reason", "age"]
    assert erp[:-1] == ["2", "tienda-ar", "727", "erp", "delivered"]
    assert bodega[:-1] == ["1", "tienda-mx", "#1001", "bodega", "parked", "unmappable"]
    assert re.fullmatch(r"\d+ (s|min)", bodega[-1])
    assert max(map(len, printed.splitlines())) <= 80


def test_wide_list_has_the_whole_id_at_the_destination(service: Service, connector: Command) -> None:
    service.post_shopify(shopify_order())
    service.drain()
    [order] = service.sandbox.orders("rayo")
    header, row = read_table(connector.invoke("list", "--wide").stdout)
    assert (header[-3:], row[-1]) == (["attempts", "created_at", "remote_id"], order.remote_id)


def test_list_json_equals_the_api_response(service: Service, connector: Command) -> None:
    service.post_shopify(shopify_order())
    service.post_woo(woo_order())
    assert read_json(connector.invoke("list", "--json").stdout) == service.deliveries()[::-1]


@pytest.mark.parametrize(
    "filters",
    [
        ["--store", "tienda-ar"],
        ["--account", "erp"],
        ["--state", "delivered"],
        ["--order", "727"],
        ["--limit", "1"],
        ["--email", "nadia.ferro@example.com"],
    ],
)
def test_list_applies_filters(service: Service, connector: Command, filters: list[str]) -> None:
    service.post_shopify(shopify_order(shipping_address=None))
    service.post_woo(woo_order(billing={**woo_order()["billing"], "email": "nadia.ferro@example.com"}))
    service.drain()
    listed = read_json(connector.invoke("list", "--json", *filters).stdout)
    assert [row["store"] for row in listed] == ["tienda-ar"]


@pytest.mark.parametrize("events", [[], ["--events"]])
def test_list_applies_times(service: Service, connector: Command, events: list[str]) -> None:
    service.post_shopify(shopify_order())
    now = datetime.now(UTC)
    tomorrow, yesterday = (f"{now + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (1, -1))
    counts = [
        len(connector.invoke("list", "--json", *events, *options).stdout.splitlines())
        for options in (["--since", yesterday], ["--since", tomorrow], ["--until", yesterday], ["--until", tomorrow])
    ]
    assert counts == [1, 0, 0, 1]


def test_list_says_that_there_are_more_and_how_to_get_them(service: Service, connector: Command) -> None:
    for number in (1001, 1002, 1003):
        service.post_shopify(shopify_order(number))
    command = ["list", "--store", "tienda-mx", "--limit", "2", "--json"]
    first = connector.invoke(*command)
    assert [row["id"] for row in read_json(first.stdout)] == ["3", "2"]
    assert first.stderr.startswith("There are more. The next ones: connector list ")

    following = connector.invoke(*shlex.split(first.stderr.partition("connector ")[2]))
    assert [row["id"] for row in read_json(following.stdout)] == ["1"]
    assert following.stderr == ""


def test_list_asks_for_an_email_address_and_prints_it_nowhere(service: Service, connector: Command) -> None:
    for number in (1001, 1002):
        service.post_shopify(shopify_order(number))
    address = str(shopify_order()["email"])
    result = connector.invoke("list", "--limit", "1", "--email", typed=f"{address}\n")
    assert [row[0] for row in read_table(result.stdout)[-1:]] == ["2"]
    assert result.stderr.endswith("connector list --email --limit 1 --cursor 2\n")
    assert address not in result.stderr.splitlines()[-1]


def test_list_says_that_nothing_matches(connector: Command) -> None:
    assert connector.invoke("list").stderr == "No delivery matches.\n"
    assert connector.invoke("list", "--events").stderr == "No webhook matches.\n"
    assert connector.invoke("list", "--json").output == ""


def test_list_shows_events_with_their_ignore_reason(service: Service, connector: Command) -> None:
    service.post_shopify(shopify_order(), **{"X-Shopify-Test": "true"})
    [event] = read_json(connector.invoke("list", "--events", "--json").stdout)
    assert event == service.api("/events/1").json
    assert (event["status"], event["reason"]) == ("ignored", "This is a test notification.")
    header, row = read_table(connector.invoke("list", "--events").stdout)
    assert (header[-1], row[-1]) == ("reason", "This is a test notification.")


@pytest.mark.parametrize(
    "options",
    [
        ["--events", "--state", "delivered"],
        ["--events", "--email", "a@example.com"],
        ["--state", "lost"],
        ["--reason", "lost"],
        ["--since", "yesterday"],
    ],
)
def test_list_rejects_invalid_usage(connector: Command, options: list[str]) -> None:
    result = connector.invoke("list", *options)
    assert (result.exit_code, result.stdout) == (2, "")
