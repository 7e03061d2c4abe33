"""`/metrics` agrees with the database, whichever process answers and after crashes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from connector.database.stats.counters import roll_up_counters
from connector.operations.retention import apply_retention
from connector.runtime import open_runtime
from connector.settings import load_settings
from connector.web.app import create_app
from tests.support.listing import catch_up, changed_order, open_shop, recorded_reading
from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import refuse_order, without_colonia
from tests.support.service import ADMIN_TOKEN, Service


def scrape(client: FlaskClient) -> dict[str, float]:
    response = client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
    assert response.status_code == 200
    return {
        f"{sample.name}{dict(sorted(sample.labels.items()))}": sample.value
        for family in text_string_to_metric_families(response.get_data(as_text=True))
        for sample in family.samples
    }


def samples_of(figures: dict[str, float], name: str, **labels: str) -> float | None:
    return figures.get(f"{name}{dict(sorted(labels.items()))}")


def webhooks(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if name.startswith("connector_webhooks_total")}


def test_webhooks_are_counted_by_store_status_and_reason(service: Service) -> None:
    service.post_shopify(shopify_order(1), event_id="a")
    service.post_shopify(shopify_order(1), event_id="a")
    service.post_shopify(shopify_order(2))
    service.post_shopify(shopify_order(3), **{"X-Shopify-Test": "true"})
    service.post_woo(woo_order(4))
    assert webhooks(scrape(service.client)) == {
        "connector_webhooks_total{'reason': '', 'status': 'accepted', 'store': 'tienda-mx'}": 2,
        "connector_webhooks_total{'reason': '', 'status': 'duplicate', 'store': 'tienda-mx'}": 1,
        "connector_webhooks_total{'reason': 'test_notification', 'status': 'ignored', 'store': 'tienda-mx'}": 1,
        "connector_webhooks_total{'reason': '', 'status': 'accepted', 'store': 'tienda-ar'}": 1,
    }


def test_orders_that_catch_up_found_are_no_webhooks(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(service, monkeypatch)
    service.clock.forward(3_600)
    service.post_woo(changed_order(service, 1))
    last_webhook = samples_of(scrape(service.client), "connector_last_webhook_timestamp_seconds", store="tienda-ar")
    service.clock.forward(60)
    shop.orders = [changed_order(service, number) for number in (2, 3)]
    assert samples_of(scrape(service.client), "connector_lost_webhooks", store="tienda-ar") == 0
    catch_up(service, shop)
    figures = scrape(service.client)
    name = "connector_last_webhook_timestamp_seconds"
    assert samples_of(figures, name, store="tienda-ar") == last_webhook
    assert samples_of(figures, "connector_caught_up_total", store="tienda-ar") == 2
    assert samples_of(figures, "connector_lost_webhooks", store="tienda-ar") == 2
    finished_at = recorded_reading(service, shop).finished_at
    assert finished_at is not None
    assert (
        samples_of(figures, "connector_last_catch_up_timestamp_seconds", store="tienda-ar") == finished_at.timestamp()
    )
    assert webhooks(figures) == {
        "connector_webhooks_total{'reason': '', 'status': 'accepted', 'store': 'tienda-ar'}": 1
    }


def test_counters_do_not_change_when_scraped(
    service: Service, configure: Callable[..., Path], environ: dict[str, str]
) -> None:
    for number in range(5):
        service.post_shopify(shopify_order(number))
    service.drain()
    first = scrape(service.client)
    service.clock.forward(100)
    roll_up_counters(service.database)
    service.post_shopify(shopify_order(9))
    service.drain()
    with open_runtime(load_settings(configure(), environ), clock=service.clock) as runtime:
        other = scrape(create_app(runtime).test_client())
    again = scrape(service.client)
    accepted = {"store": "tienda-mx", "status": "accepted", "reason": ""}
    assert [samples_of(scraped, "connector_webhooks_total", **accepted) for scraped in (first, other, again)] == [
        5,
        6,
        6,
    ]
    delivered_labels = {"account": "bodega", "outcome": "delivered"}
    counts = [
        samples_of(scraped, "connector_attempt_duration_seconds_count", **delivered_labels)
        for scraped in (first, other, again)
    ]
    assert counts == [5, 6, 6]


def test_rejected_webhooks_are_counted_by_reason_with_bounded_labels(service: Service) -> None:
    service.client.post("/webhooks/tienda-mx", data=b"{}")
    service.client.post("/webhooks/tienda-mx", data=b"{}")
    service.client.post("/webhooks/Ximena", data=b"{}")
    service.client.post("/webhooks/tienda-mx", data=b" " * 2_100_000)
    figures = scrape(service.client)
    assert {name: value for name, value in figures.items() if "rejected_total" in name} == {
        "connector_webhooks_rejected_total{'reason': 'signature', 'store': 'tienda-mx'}": 2,
        "connector_webhooks_rejected_total{'reason': 'too long', 'store': 'tienda-mx'}": 1,
        "connector_webhooks_rejected_total{'reason': 'unknown store', 'store': ''}": 1,
    }


def test_deliveries_are_counted_by_account_state_and_reason(service: Service) -> None:
    service.post_shopify(without_colonia(1))
    service.post_shopify(shopify_order(2))
    service.drain()
    service.post_shopify(shopify_order(3))
    service.clock.forward(50)
    figures = scrape(service.client)
    delivery_samples = {
        name: value for name, value in figures.items() if name.startswith("connector_deliveries{") and value
    }
    assert delivery_samples == {
        "connector_deliveries{'account': 'bodega', 'reason': '', 'state': 'waiting'}": 1,
        "connector_deliveries{'account': 'bodega', 'reason': 'unmappable', 'state': 'parked'}": 1,
    }
    assert 49 < (samples_of(figures, "connector_backlog_age_seconds", account="bodega") or 0) < 60
    assert samples_of(figures, "connector_backlog_age_seconds", account="erp") == 0


def test_attempts_and_ages_are_histograms(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(1))
    service.drain()
    service.post_shopify(shopify_order(2))
    service.clock.forward(45)
    service.drain()
    figures = scrape(service.client)
    assert samples_of(figures, "connector_attempt_duration_seconds_count", account="bodega", outcome="refused") == 1
    assert (
        samples_of(figures, "connector_attempt_duration_seconds_bucket", account="bodega", outcome="refused", le="+Inf")
        == 1
    )
    ages = [
        samples_of(figures, "connector_delivered_age_seconds_bucket", account="bodega", le=le)
        for le in ("30.0", "60.0")
    ]
    assert ages == [0, 1]
    assert 44 < (samples_of(figures, "connector_delivered_age_seconds_sum", account="bodega") or 0) < 60


def test_circuit_breakers_and_pauses_are_exported(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "status", status=403)
    service.post_shopify(shopify_order(1))
    service.deliver_due()
    service.api("/accounts/erp/pause", json={})
    figures = scrape(service.client)
    assert [samples_of(figures, "connector_circuit_open", circuit=account) for account in ("bodega", "erp")] == [1, 0]
    assert [samples_of(figures, "connector_paused", account=account) for account in ("bodega", "erp")] == [0, 1]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("environ_more", "headers", "status"),
    [
        ({"ADMIN_TOKEN": "", "METRICS_TOKEN": ""}, {"Authorization": "Bearer "}, 404),
        ({}, {}, 401),
        ({}, {"Authorization": "Bearer other"}, 401),
        ({"METRICS_TOKEN": "m"}, {"Authorization": "Bearer m"}, 200),
        ({"METRICS_TOKEN": "m"}, {"Authorization": f"bearer {ADMIN_TOKEN}"}, 200),
    ],
)
def test_metrics_require_a_token(
    service: Service,
    configure: Callable[..., Path],
    environ: dict[str, str],
    environ_more: dict[str, str],
    headers: dict[str, str],
    status: int,
    engine: str,
) -> None:
    with open_runtime(load_settings(configure(), environ | environ_more)) as runtime:
        assert create_app(runtime).test_client().get("/metrics", headers=headers).status_code == status


@pytest.mark.sqlite
def test_metrics_token_grants_nothing_else(
    service: Service, configure: Callable[..., Path], environ: dict[str, str], engine: str
) -> None:
    with open_runtime(load_settings(configure(), environ | {"METRICS_TOKEN": "m"})) as runtime:
        client = create_app(runtime).test_client()
        assert client.get("/api/events", headers={"Authorization": "Bearer m"}).status_code == 401


@pytest.mark.sqlite
def test_unavailable_database_is_exported(service: Service, engine: str) -> None:
    path: Any = service.database.engine.url.database
    service.database.disconnect()
    Path(path).unlink()
    Path(path).mkdir()
    figures = scrape(service.client)
    assert (samples_of(figures, "connector_database_up"), len(figures)) == (0, 2)


@pytest.mark.sqlite
def test_metrics_contain_no_personal_data_or_secrets(service: Service, engine: str) -> None:
    from tests.support.privacy import PERSONAL_DATA, SECRETS, produce_every_outcome

    produce_every_outcome(service)
    exported = "\n".join(scrape(service.client))
    assert [word for word in PERSONAL_DATA + SECRETS if word in exported] == []


def test_alert_rules_and_grafana_dashboard_use_existing_metrics(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_order(service, 9)
    for days in (352, 15):
        service.clock.forward(days * 86_400)
        apply_retention(service.runtime, batch_size=10, pause=lambda: None)
    shop = open_shop(service, monkeypatch)
    shop.orders = [changed_order(service, 1)]
    catch_up(service, shop)
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(1))
    service.drain()
    service.post_shopify(shopify_order(2))
    service.drain()
    service.client.post("/webhooks/tienda-mx", data=b"{}")
    service.client.get("/metrics", headers={"Authorization": "Bearer other"})
    exported_names = {re.split(r"[{]", name)[0] for name in scrape(service.client)}
    docs = Path(__file__).parents[2] / "docs"
    documents_text = "".join(
        (docs / name).read_text("utf-8") for name in ("prometheus-alerts.yml", "grafana/connector.json")
    )
    named = set(re.findall(r"connector_[a-z_]+", documents_text))
    assert named - exported_names == set()
    documented = set(re.findall(r"connector_[a-z_]+", (docs / "monitoring.md").read_text("utf-8")))
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported_names} - {"connector_info"}
    assert documented == bare
