"""A trace spans from the webhook to the response, across the queue. A receiver on a socket plays the collector."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from connector.runtime import open_runtime
from connector.settings import load_settings
from connector.web.app import create_app
from connector.worker.worker import Worker
from tests.support.orders import shopify_order
from tests.support.privacy import PERSONAL_DATA, SECRETS
from tests.support.receivers import Receiver, run_receiver
from tests.support.scenarios import without_colonia
from tests.support.service import Service

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with run_receiver() as receiver:
        yield receiver


@pytest.fixture
def environ(environ: dict[str, str], collector: Receiver) -> dict[str, str]:
    return environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}


def exported_spans(service: Service, collector: Receiver) -> list[Any]:
    """Return the received spans, ordered by end time."""
    service.runtime.tracing.close()
    received_spans = []
    for received in collector.received:
        assert received.path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(received.body).resource_spans:
            assert {item.key: item.value.string_value for item in resource.resource.attributes}[
                "service.name"
            ] == "connector"
            received_spans += [span for scope in resource.scope_spans for span in scope.spans]
    return received_spans


def test_trace_spans_from_webhook_to_response(service: Service, collector: Receiver) -> None:
    service.post_shopify(shopify_order(), traceparent=CALLER)
    service.drain()
    assert service.only_delivery()["state"] == "delivered"
    received_spans = exported_spans(service, collector)
    assert {span.trace_id.hex() for span in received_spans} == {"0af7651916cd43dd8448eb211c80319c"}
    names = {span.span_id: span.name for span in received_spans} | {bytes.fromhex("b7ad6b7169203331"): "the caller"}
    assert [(span.name, names[span.parent_span_id]) for span in received_spans] == [
        ("webhook", "the caller"),
        ("map", "deliver"),
        ("token", "deliver"),
        ("send", "deliver"),
        ("deliver", "webhook"),
    ]


@pytest.mark.sqlite
def test_spans_contain_ids_and_statuses_but_no_order_data(service: Service, collector: Receiver, engine: str) -> None:
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(1))
    service.post_shopify(without_colonia(2))
    service.drain()
    received_spans = exported_spans(service, collector)
    [send_span] = [span for span in received_spans if span.name == "send"]
    attributes = {item.key: item.value.int_value or item.value.string_value for item in send_span.attributes}
    assert attributes == {"connector.attempt": 1, "connector.status": 422}
    failed = [(span.name, span.status.message) for span in received_spans if span.status.code == 2]
    assert failed == [("map", "Unmappable")]
    raw = b"".join(received.body for received in collector.received).decode(errors="replace")
    assert [word for word in PERSONAL_DATA + SECRETS if word in raw] == []


@pytest.mark.sqlite
def test_webhook_starts_a_trace_that_the_worker_continues(
    service: Service, configure: Callable[..., Path], environ: dict[str, str], collector: Receiver, engine: str
) -> None:
    service.post_shopify(shopify_order())
    with open_runtime(load_settings(configure(), environ), with_clients=True) as runtime:
        worker = Worker(runtime)
        worker.ensure_circuits()
        for claimed in worker.claim_due():
            worker.process(claimed)
    received_spans = exported_spans(service, collector)
    assert sorted(span.name for span in received_spans) == ["deliver", "map", "send", "token", "webhook"]
    assert len({span.trace_id for span in received_spans}) == 1


@pytest.mark.sqlite
def test_unavailable_collector_does_not_affect_deliveries(service: Service, collector: Receiver, engine: str) -> None:
    collector.status = 500
    service.post_shopify(shopify_order())
    service.drain()
    assert service.only_delivery()["state"] == "delivered"


@pytest.mark.sqlite
def test_tracing_is_imported_only_when_configured(
    configure: Callable[..., Path], environ: dict[str, str], service: Service, engine: str
) -> None:
    unwanted = {"opentelemetry", "sentry_sdk", "smtplib", "connector.alerts.monitor"}
    program = f"import sys, connector.web.app, connector.worker.worker; print(sorted({unwanted} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout == b"[]\n"
    quiet = {name: value for name, value in environ.items() if not name.startswith("OTEL")}
    with open_runtime(load_settings(configure(), quiet)) as runtime:
        create_app(runtime)
        with runtime.tracing.span("webhook"):
            assert runtime.tracing.traceparent() is None
