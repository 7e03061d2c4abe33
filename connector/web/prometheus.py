"""What `/metrics` shows, for Prometheus. All figures are of the whole service: any process may be asked.

They are read from the database, where every process has left them; only prometheus_client's text is made here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from connector import __version__
from connector.core.exceptions import DatabaseUnavailableError
from connector.database.alerts import PARKED
from connector.database.models import State
from connector.database.stats.counters import (
    AGE_BOUNDS_S,
    AGES,
    ATTEMPT_BOUNDS_S,
    ATTEMPTS,
    EVENTS,
    LAST_EVENT,
    REJECTED,
    Counts,
    fold_tallies,
    read_tallies,
)
from connector.database.stats.gauges import Gauges, read_gauges
from connector.runtime import Runtime


def write_metrics(runtime: Runtime, accept: str) -> tuple[bytes, str]:
    """The text, in the format that is asked for, and its content type.

    Without a database it says so, and nothing else: old figures would look like a service at rest.
    """
    registry = CollectorRegistry()
    registry.register(Figures(list(collect(runtime))))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class Figures:
    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def collect(runtime: Runtime) -> Iterator[Metric]:
    info = GaugeMetricFamily("connector_info", "The version that answers.", labels=["version"])
    info.add_metric([__version__], 1)
    yield info
    try:
        fold_tallies(runtime.database)
        counts, gauges = read_tallies(runtime.database), read_gauges(runtime.database, accounts_of(runtime))
    except DatabaseUnavailableError:
        yield GaugeMetricFamily("connector_database_up", "1 while the database answers.", value=0)
        return
    yield GaugeMetricFamily("connector_database_up", "1 while the database answers.", value=1)
    yield show_webhooks(counts, gauges)
    yield show_rejected(counts)
    yield show_last_webhooks(counts)
    yield from show_histogram(
        counts, ATTEMPTS, "connector_attempt_duration_seconds", "Attempts, by how long they took.", ATTEMPT_BOUNDS_S
    )
    yield from show_histogram(
        counts, AGES, "connector_delivered_age_seconds", "Delivered orders, by how long ago they came in.", AGE_BOUNDS_S
    )
    yield from show_gauges(runtime, gauges)


def accounts_of(runtime: Runtime) -> set[str]:
    """A retired one may have deliveries left."""
    return {*runtime.settings.accounts, *runtime.settings.retired}


def show_webhooks(counts: Counts, gauges: Gauges) -> Metric:
    family = CounterMetricFamily(
        "connector_webhooks",
        "Webhooks that were answered 200, by store, status and why they were ignored.",
        labels=["store", "status", "reason"],
    )
    for (name, labels), value in sorted(counts.items()):
        if name == EVENTS:
            family.add_metric([text for _, text in labels], value)
    for store, repeats in sorted(gauges.repeats.items()):
        family.add_metric([store, "duplicate", ""], repeats)
    return family


def show_rejected(counts: Counts) -> Metric:
    family = CounterMetricFamily(
        "connector_webhooks_rejected",
        "Webhooks that were turned away, by store and why. Each process adds its own every ten seconds.",
        labels=["store", "reason"],
    )
    for (name, labels), value in sorted(counts.items()):
        if name == REJECTED:
            family.add_metric([text for _, text in labels], value)
    return family


def show_last_webhooks(counts: Counts) -> Metric:
    family = GaugeMetricFamily(
        "connector_last_webhook_timestamp_seconds", "When a store's last webhook came.", labels=["store"]
    )
    for (name, labels), value in sorted(counts.items()):
        if name == LAST_EVENT:
            family.add_metric([text for _, text in labels], value)
    return family


def show_histogram(
    counts: Counts, name: str, metric: str, documentation: str, bounds: tuple[float, ...]
) -> Iterator[Metric]:
    of_labels: dict[tuple[tuple[str, str], ...], dict[str, float]] = defaultdict(dict)
    for (counted, labels), value in counts.items():
        if counted == name:
            *others, (_, le) = labels
            of_labels[tuple(others)][le] = value
    names = [key for key, _ in next(iter(of_labels), ())]
    family = HistogramMetricFamily(metric, documentation, labels=names)
    for labels, found in sorted(of_labels.items()):
        total, buckets = 0.0, []
        for le in [*map(str, bounds), "+Inf"]:
            total += found.get(le, 0.0)
            buckets.append((le, total))
        family.add_metric([text for _, text in labels], buckets, counts[f"{name}_sum", labels])
    if of_labels:
        yield family


def show_gauges(runtime: Runtime, gauges: Gauges) -> Iterator[Metric]:
    deliveries = GaugeMetricFamily(
        "connector_deliveries",
        "Deliveries that have not ended, by account, state and why they are parked.",
        labels=["account", "state", "reason"],
    )
    late = GaugeMetricFamily(
        "connector_backlog_age_seconds",
        "For how long the oldest delivery that is due has not been taken.",
        labels=["account"],
    )
    is_open = GaugeMetricFamily(
        "connector_circuit_open",
        "1 while an account, or a store's API, is left alone because it fails.",
        labels=["circuit"],
    )
    is_paused = GaugeMetricFamily(
        "connector_paused", "1 while a person keeps an account from orders.", labels=["account"]
    )
    for account in sorted(accounts_of(runtime)):
        deliveries.add_metric([account, State.WAITING, ""], gauges.waiting.get(account, 0))
        deliveries.add_metric([account, State.SENDING, ""], gauges.sending.get(account, 0))
        for reason in PARKED:
            deliveries.add_metric([account, State.PARKED, reason], gauges.parked.get((account, reason), 0))
        late.add_metric([account], gauges.late_s.get(account, 0.0))
        is_paused.add_metric([account], account in gauges.paused)
    for circuit in sorted({*runtime.settings.accounts, *gauges.open}):
        is_open.add_metric([circuit], circuit in gauges.open)
    yield from (deliveries, late, is_open, is_paused)
