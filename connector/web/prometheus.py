"""`GET /metrics`, for Prometheus. Every process reports the same values: they are read from the database."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from flask import Response, current_app, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from connector import __version__
from connector.core.exceptions import DatabaseUnavailableError
from connector.database.alerts import PARKED_REASONS
from connector.database.lost_webhooks import read_lost_webhooks
from connector.database.models import State
from connector.database.stats.counters import (
    AGE_BOUNDS_S,
    AGES,
    ATTEMPT_BOUNDS_S,
    ATTEMPTS,
    CAUGHT_UP,
    DENIED,
    EVENTS,
    EXPIRED,
    LAST_EVENT,
    PRUNED,
    REJECTED,
    Counts,
    read_counters,
    roll_up_counters,
)
from connector.database.stats.gauges import Gauges, read_gauges
from connector.database.store_status import load_readings
from connector.runtime import Runtime
from connector.settings.api_tokens import ApiToken, digest_token
from connector.web.api.blueprint import METRICS_SECURITY, ApiBlueprint
from connector.web.context import get_guard, get_runtime
from connector.web.errors import problem_response
from connector.web.rejections import RejectionCounter

blueprint = ApiBlueprint(
    "metrics",
    __name__,
    description="For Prometheus.",
    security=METRICS_SECURITY,
)


@blueprint.get("/metrics")
@blueprint.response(200, {"type": "string"}, content_type="text/plain")
@blueprint.operation()
def get_metrics() -> Response:
    """Return the metrics of the whole service, in the Prometheus text format."""
    runtime = get_runtime()
    environment = runtime.settings.environment
    texts = {"metrics": environment.metrics_token, "admin": environment.admin_token}
    tokens = [ApiToken(name=name, digest=digest_token(text)) for name, text in texts.items() if text is not None]
    if not tokens:
        return problem_response(404, "metrics are disabled: set METRICS_TOKEN or ADMIN_TOKEN to enable them")
    if get_guard().match_bearer(tokens) is None:
        detail = "METRICS_TOKEN or ADMIN_TOKEN is required as a Bearer token"
        return get_guard().refuse_bearer(interface="metrics", detail=detail)
    rejections: RejectionCounter = current_app.extensions["rejected"]
    rejections.flush()
    text, content_type = render_metrics(runtime, request.headers.get("Accept", ""))
    return Response(text, content_type=content_type)


def render_metrics(runtime: Runtime, accept: str) -> tuple[bytes, str]:
    """Return the metrics in the format that `accept` names, and their content type.

    While the database is unavailable, only `connector_info` and `connector_database_up` are reported: stale values
    would look like an idle service.
    """
    registry = CollectorRegistry()
    registry.register(MetricsCollector(list(build_metrics(runtime))))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class MetricsCollector:
    """Hands metrics that are already built to a registry."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def build_metrics(runtime: Runtime) -> Iterator[Metric]:
    info = GaugeMetricFamily("connector_info", "Version of the connector.", labels=["version"])
    info.add_metric([__version__], 1)
    yield info
    try:
        roll_up_counters(runtime.database)
        counts, gauges = read_counters(runtime.database), read_gauges(runtime.database, all_accounts(runtime))
        store_gauges = list(build_store_gauges(runtime))
    except DatabaseUnavailableError:
        yield GaugeMetricFamily("connector_database_up", "1 while the database can be reached.", value=0)
        return
    yield GaugeMetricFamily("connector_database_up", "1 while the database can be reached.", value=1)
    yield build_webhooks(counts, gauges)
    yield build_rejected(counts)
    yield build_denied(counts)
    yield build_last_webhooks(counts)
    yield build_caught_up(counts)
    yield build_pruned(counts)
    yield build_expired(counts)
    yield from store_gauges
    yield from build_histogram(
        counts, ATTEMPTS, "connector_attempt_duration_seconds", "Duration of delivery attempts.", ATTEMPT_BOUNDS_S
    )
    yield from build_histogram(
        counts,
        AGES,
        "connector_delivered_age_seconds",
        "Time from webhook to delivery of an order.",
        AGE_BOUNDS_S,
    )
    yield from build_gauges(runtime, gauges)


def all_accounts(runtime: Runtime) -> set[str]:
    """Return the configured accounts and the retired ones, which may have open deliveries."""
    return {*runtime.settings.accounts, *runtime.settings.retired}


def build_webhooks(counts: Counts, gauges: Gauges) -> Metric:
    family = CounterMetricFamily(
        "connector_webhooks",
        "Webhooks answered with 200, by store, status and reason for being ignored.",
        labels=["store", "status", "reason"],
    )
    for (name, labels), value in sorted(counts.items()):
        if name == EVENTS:
            family.add_metric([label_value for _, label_value in labels], value)
    for store, duplicates in sorted(gauges.duplicates.items()):
        family.add_metric([store, "duplicate", ""], duplicates)
    return family


def build_rejected(counts: Counts) -> Metric:
    family = CounterMetricFamily(
        "connector_webhooks_rejected",
        "Webhooks rejected, by store and reason. Each process adds its own count every two seconds.",
        labels=["store", "reason"],
    )
    for (name, labels), value in sorted(counts.items()):
        if name == REJECTED:
            family.add_metric([label_value for _, label_value in labels], value)
    return family


def build_denied(counts: Counts) -> Metric:
    family = CounterMetricFamily(
        "connector_access_denied",
        "Requests with a wrong token or password, by interface and reason.",
        labels=["interface", "reason"],
    )
    for (name, labels), value in sorted(counts.items()):
        if name == DENIED:
            family.add_metric([label_value for _, label_value in labels], value)
    return family


def build_last_webhooks(counts: Counts) -> Metric:
    family = GaugeMetricFamily(
        "connector_last_webhook_timestamp_seconds", "Time of the last webhook from each store.", labels=["store"]
    )
    for (name, labels), value in sorted(counts.items()):
        if name == LAST_EVENT:
            family.add_metric([label_value for _, label_value in labels], value)
    return family


def build_caught_up(counts: Counts) -> Metric:
    family = CounterMetricFamily(
        "connector_caught_up",
        "Orders, or versions of them, that catch-up took in because no webhook had brought them.",
        labels=["store"],
    )
    for (name, labels), value in sorted(counts.items()):
        if name == CAUGHT_UP:
            family.add_metric([label_value for _, label_value in labels], value)
    return family


def build_pruned(counts: Counts) -> Metric:
    family = CounterMetricFamily(
        "connector_pruned",
        "Rows whose content was deleted because of its age, of deliveries and of events.",
        labels=["of"],
    )
    for (name, labels), value in sorted(counts.items()):
        if name == PRUNED:
            family.add_metric([label_value for _, label_value in labels], value)
    return family


def build_expired(counts: Counts) -> Metric:
    family = CounterMetricFamily(
        "connector_expired", "Parked orders that were discarded because nobody acted on them.", labels=["account"]
    )
    for (name, labels), value in sorted(counts.items()):
        if name == EXPIRED:
            family.add_metric([label_value for _, label_value in labels], value)
    return family


def build_store_gauges(runtime: Runtime) -> Iterator[Metric]:
    """Yield what is known of the stores' orders from their APIs."""
    last_reading = GaugeMetricFamily(
        "connector_last_catch_up_timestamp_seconds",
        "Time when catch-up last read all of a store's orders that had changed.",
        labels=["store"],
    )
    lost = GaugeMetricFamily(
        "connector_lost_webhooks", "Orders of the last 24 hours that came without a webhook.", labels=["store"]
    )
    readings, lost_by_store = load_readings(runtime.database), read_lost_webhooks(runtime.database)
    for store in sorted(runtime.settings.stores.values(), key=lambda store: store.id):
        if not runtime.settings.can_list_orders(store):
            continue
        reading = readings.get(store.id)
        if reading is not None and reading.finished_at is not None:
            last_reading.add_metric([store.id], reading.finished_at.timestamp())
        lost.add_metric([store.id], lost_by_store[store.id].orders if store.id in lost_by_store else 0)
    yield from (last_reading, lost)


def build_histogram(
    counts: Counts, name: str, metric: str, documentation: str, bounds: tuple[float, ...]
) -> Iterator[Metric]:
    buckets_by_labels: dict[tuple[tuple[str, str], ...], dict[str, float]] = defaultdict(dict)
    for (counter_name, labels), value in counts.items():
        if counter_name == name:
            *other_labels, (_, le) = labels
            buckets_by_labels[tuple(other_labels)][le] = value
    label_names = [key for key, _ in next(iter(buckets_by_labels), ())]
    family = HistogramMetricFamily(metric, documentation, labels=label_names)
    for labels, counts_by_bound in sorted(buckets_by_labels.items()):
        total, buckets = 0.0, []
        for le in [*map(str, bounds), "+Inf"]:
            total += counts_by_bound.get(le, 0.0)
            buckets.append((le, total))
        family.add_metric([label_value for _, label_value in labels], buckets, counts[f"{name}_sum", labels])
    if buckets_by_labels:
        yield family


def build_gauges(runtime: Runtime, gauges: Gauges) -> Iterator[Metric]:
    deliveries = GaugeMetricFamily(
        "connector_deliveries",
        "Open deliveries, by account, state and reason for being parked.",
        labels=["account", "state", "reason"],
    )
    backlog_age = GaugeMetricFamily(
        "connector_backlog_age_seconds",
        "How long the oldest due delivery has been waiting for a worker.",
        labels=["account"],
    )
    circuit_open = GaugeMetricFamily(
        "connector_circuit_open",
        "1 while the circuit of an account, or of a store's API, is open after failures.",
        labels=["circuit"],
    )
    paused = GaugeMetricFamily("connector_paused", "1 while an operator has paused the account.", labels=["account"])
    for account in sorted(all_accounts(runtime)):
        deliveries.add_metric([account, State.WAITING, ""], gauges.waiting.get(account, 0))
        deliveries.add_metric([account, State.SENDING, ""], gauges.sending.get(account, 0))
        for reason in PARKED_REASONS:
            deliveries.add_metric([account, State.PARKED, reason], gauges.parked.get((account, reason), 0))
        backlog_age.add_metric([account], gauges.backlog_age_s.get(account, 0.0))
        paused.add_metric([account], account in gauges.paused_accounts)
    for circuit in sorted({*runtime.settings.accounts, *gauges.open_circuits}):
        circuit_open.add_metric([circuit], circuit in gauges.open_circuits)
    yield from (deliveries, backlog_age, circuit_open, paused)
