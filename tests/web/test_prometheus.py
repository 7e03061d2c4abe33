"""`/metrics` agrees with the database, whichever process answers and after crashes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from connector.database.stats.counters import roll_up_counters
from connector.runtime import open_runtime
from connector.settings import load_settings
from connector.web.app import create_app
from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import without_colonia
from tests.support.service import Service


def scrape(client: FlaskClient) -> dict[str, float]:
    answer = client.get("/metrics", headers={"Authorization": "Bearer admin"})
    assert answer.status_code == 200
    return {
        f"{sample.name}{dict(sorted(sample.labels.items()))}": sample.value
        for family in text_string_to_metric_families(answer.get_data(as_text=True))
        for sample in family.samples
    }


def of(figures: dict[str, float], name: str, **labels: str) -> float | None:
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
        "connector_webhooks_total"
        "{'reason': 'This is a test notification.', 'status': 'ignored', 'store': 'tienda-mx'}": 1,
        "connector_webhooks_total{'reason': '', 'status': 'accepted', 'store': 'tienda-ar'}": 1,
    }


def test_counts_are_the_same_however_often_and_by_whom_they_are_asked_for(
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
    assert [of(one, "connector_webhooks_total", **accepted) for one in (first, other, again)] == [5, 6, 6]
    taken = {"account": "bodega", "outcome": "delivered"}
    counts = [of(one, "connector_attempt_duration_seconds_count", **taken) for one in (first, other, again)]
    assert counts == [5, 6, 6]


def test_what_was_turned_away_is_counted_by_reason_and_strangers_words_are_no_labels(service: Service) -> None:
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


def test_deliveries_are_shown_by_account_state_and_reason(service: Service) -> None:
    service.post_shopify(without_colonia(1))
    service.post_shopify(shopify_order(2))
    service.drain()
    service.post_shopify(shopify_order(3))
    service.clock.forward(50)
    figures = scrape(service.client)
    shown = {name: value for name, value in figures.items() if name.startswith("connector_deliveries{") and value}
    assert shown == {
        "connector_deliveries{'account': 'bodega', 'reason': '', 'state': 'waiting'}": 1,
        "connector_deliveries{'account': 'bodega', 'reason': 'unmappable', 'state': 'parked'}": 1,
    }
    assert 49 < (of(figures, "connector_backlog_age_seconds", account="bodega") or 0) < 60
    assert of(figures, "connector_backlog_age_seconds", account="erp") == 0


def test_attempts_and_ages_are_histograms(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(1))
    service.drain()
    service.post_shopify(shopify_order(2))
    service.clock.forward(45)
    service.drain()
    figures = scrape(service.client)
    assert of(figures, "connector_attempt_duration_seconds_count", account="bodega", outcome="refused") == 1
    assert of(figures, "connector_attempt_duration_seconds_bucket", account="bodega", outcome="refused", le="+Inf") == 1
    ages = [of(figures, "connector_delivered_age_seconds_bucket", account="bodega", le=le) for le in ("30.0", "60.0")]
    assert ages == [0, 1]
    assert 44 < (of(figures, "connector_delivered_age_seconds_sum", account="bodega") or 0) < 60


def test_circuits_and_pauses_are_shown(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "status", status=403)
    service.post_shopify(shopify_order(1))
    service.deliver_due()
    service.api("/accounts/erp/pause", json={})
    figures = scrape(service.client)
    assert [of(figures, "connector_circuit_open", circuit=one) for one in ("bodega", "erp")] == [1, 0]
    assert [of(figures, "connector_paused", account=one) for one in ("bodega", "erp")] == [0, 1]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("environ_more", "headers", "status"),
    [
        ({"ADMIN_TOKEN": "", "METRICS_TOKEN": ""}, {"Authorization": "Bearer "}, 404),
        ({}, {}, 401),
        ({}, {"Authorization": "Bearer other"}, 401),
        ({"METRICS_TOKEN": "m"}, {"Authorization": "Bearer m"}, 200),
        ({"METRICS_TOKEN": "m"}, {"Authorization": "bearer admin"}, 200),
    ],
)
def test_figures_are_for_who_has_a_token(
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
def test_a_metrics_token_opens_nothing_else(
    service: Service, configure: Callable[..., Path], environ: dict[str, str], engine: str
) -> None:
    with open_runtime(load_settings(configure(), environ | {"METRICS_TOKEN": "m"})) as runtime:
        client = create_app(runtime).test_client()
        assert client.get("/api/events", headers={"Authorization": "Bearer m"}).status_code == 401


@pytest.mark.sqlite
def test_a_database_that_is_away_is_shown_as_such(service: Service, engine: str) -> None:
    path: Any = service.database.engine.url.database
    service.database.engine.dispose()
    Path(path).unlink()
    Path(path).mkdir()
    figures = scrape(service.client)
    assert (of(figures, "connector_database_up"), len(figures)) == (0, 2)


@pytest.mark.sqlite
def test_no_figure_holds_personal_data_or_secrets(service: Service, engine: str) -> None:
    from tests.support.privacy import PERSONAL, SECRET, live_through_everything

    live_through_everything(service)
    shown = "\n".join(scrape(service.client))
    assert [word for word in PERSONAL + SECRET if word in shown] == []


def test_rules_and_dashboard_ask_for_metrics_and_labels_that_there_are(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(1))
    service.drain()
    service.post_shopify(shopify_order(2))
    service.drain()
    service.client.post("/webhooks/tienda-mx", data=b"{}")
    shown = {re.split(r"[{]", name)[0] for name in scrape(service.client)}
    docs = Path(__file__).parents[2] / "docs"
    asked = "".join((docs / name).read_text("utf-8") for name in ("prometheus-alerts.yml", "grafana/connector.json"))
    named = set(re.findall(r"connector_[a-z_]+", asked))
    assert named - shown == set()
    told = set(re.findall(r"connector_[a-z_]+", (docs / "monitoring.md").read_text("utf-8")))
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} - {"connector_info"}
    assert told == bare
