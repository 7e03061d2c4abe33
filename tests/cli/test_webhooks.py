"""`connector webhooks`, and what `doctor` and `check --live` say about the stores' webhooks."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.database.store_status import load_webhook_checks
from connector.operations.webhooks import repair_webhooks
from connector.sandbox.server import SandboxServer
from tests.support.commands import Command
from tests.support.service import Service
from tests.support.webhook_shops import configuration, free_url, serve

pytestmark = pytest.mark.sqlite
STORE = "tienda-ar"
STRANGER = "https://hooks.example/services/ficha-secreta"


@pytest.fixture
def connector(tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


@pytest.fixture
def service(open_service: Callable[..., Service], sandbox: SandboxServer) -> Iterator[Service]:
    """A service that listens at its `public_url`. The WooCommerce shop has another tool's webhook."""
    service = open_service(text=configuration(sandbox.url(), free_url()))
    sandbox.webhooks.add("woocommerce", "", topic="order.updated", url=STRANGER)
    with serve(service.runtime):
        yield service


def rows(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_list_shows_what_is_missing_and_fails(service: Service, connector: Command) -> None:
    status, printed = connector("webhooks", "list", "--store", STORE, "--json")
    assert status == 1
    assert [(row["topic"], row["state"], row["address"], row["change"]) for row in rows(printed)] == [
        ("order.created", "missing", None, None),
        ("order.updated", "missing", None, None),
        ("order.restored", "missing", None, None),
        ("order.deleted", "missing", None, None),
        ("order.updated", "foreign", "https://hooks.example/…", None),
    ]


def test_sync_says_what_it_did_and_then_does_nothing(service: Service, connector: Command) -> None:
    planned = connector("webhooks", "sync", "--store", STORE, "--dry-run", "--json")
    assert planned[0] == 1
    assert {(row["state"], row["change"]) for row in rows(planned[1])[:4]} == {("missing", "create")}
    made = connector("webhooks", "sync", "--store", STORE, "--json")
    assert made[0] == 0
    assert {(row["state"], row["change"]) for row in rows(made[1])[:4]} == {("ok", "create")}
    again = connector("webhooks", "sync", "--store", STORE, "--json")
    assert again[0] == 0
    assert {(row["state"], row["change"]) for row in rows(again[1])} == {("ok", None), ("foreign", None)}


def test_remove_deletes_what_points_here(service: Service, connector: Command) -> None:
    connector("webhooks", "sync", "--store", STORE)
    status, printed = connector("webhooks", "remove", "--store", STORE, "--json")
    assert status == 0
    assert (
        sorted((row["state"], row["change"]) for row in rows(printed) if row["change"]) == [("deleted", "delete")] * 4
    )
    assert [webhook.url for webhook in service.sandbox.webhooks.find_all("woocommerce")] == [STRANGER]


def test_no_secret_is_printed(service: Service, connector: Command) -> None:
    printed = "".join(connector("webhooks", act, "--store", STORE)[1] for act in ("list", "sync", "list", "remove"))
    store = service.runtime.settings.stores[STORE]
    assert STORE in printed
    for secret in ("ficha-secreta", store.secrets[0], *(store.api_token or "").split(":")):
        assert secret not in printed


def test_failure_at_one_store_does_not_stop_the_others(service: Service, connector: Command) -> None:
    service.sandbox.inject_fault("shopify", "status", status=500, times=None)
    service.sandbox.inject_fault("tiendanube", "status", status=500, times=None)
    status, printed = connector("webhooks", "sync")
    assert status == 1
    assert "tienda-mx: The storefront's API does not list the webhooks: status 500.\n" in printed
    assert len(service.sandbox.webhooks.find_all("woocommerce")) == 5


def test_sync_needs_a_public_url(configure: Callable[..., Path], service: Service, connector: Command) -> None:
    text = connector.configuration.read_text("utf-8")
    connector.configuration.write_text(text.replace("public_url", "# public_url"), "utf-8")
    status, printed = connector("webhooks", "sync")
    assert (status, printed) == (
        1,
        "`public_url` is not set: it is the address at which storefronts reach this connector.\n",
    )


def test_unknown_store_is_a_usage_error(service: Service, connector: Command) -> None:
    status, printed = connector("webhooks", "list", "--store", "tienda")
    assert status == 2
    assert "there is no store “tienda”" in printed


def test_doctor_and_check_name_what_is_missing(service: Service, connector: Command) -> None:
    def findings() -> dict[str, str]:
        printed = connector("doctor", "--json")[1]
        return {row["said"]: row["do"] for row in rows(printed) if row["of"] == f"store {STORE}"}

    remedy = "connector webhooks sync --store tienda-ar"
    assert findings()["its API shows no webhook that points to this connector"] == remedy
    connector("webhooks", "sync", "--store", STORE)
    assert "its webhooks are there and active" in findings()
    [updated] = [
        webhook
        for webhook in service.sandbox.webhooks.find_all("woocommerce")
        if (webhook.topic, webhook.url) != ("order.updated", STRANGER) and webhook.topic == "order.updated"
    ]
    updated.status = "paused"
    assert findings()["The webhook for order.updated is paused."] == remedy
    status, printed = connector("check", "--live", "--json")
    assert status == 1
    checks = {row["of"]: row for row in json.loads(printed)["webhooks"]}
    assert checks["store tienda-ar"]["said"] == "The webhook for order.updated is paused."
    repair_webhooks(service.runtime, service.runtime.settings.stores[STORE])
    assert load_webhook_checks(service.database)[STORE].problems
    offline = rows(connector("doctor", "--offline", "--json")[1])
    assert "at the worker's last check of its webhooks: The webhook for order.updated is paused." in {
        row["said"] for row in offline
    }
