"""Runs health checks on configuration, database, worker and integrations. Changes nothing."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.core.check_result import CheckResult, failure, format_duration, ok, warning
from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError, SettingsError
from connector.core.messages import build_message, render_stored
from connector.core.token_cipher import TokenCipher, UndecryptableError
from connector.database.circuits import CircuitState, circuit_state, read_circuits, store_circuit
from connector.database.coordination import is_worker_running
from connector.database.engine import Database
from connector.database.expiry import read_expiring
from connector.database.health import (
    DATABASE,
    check_disk,
    check_postgresql,
    check_sqlite,
    seconds_ahead,
)
from connector.database.lost_webhooks import read_lost_webhooks
from connector.database.models import Circuit, Reason
from connector.database.privacy_requests import load_open_requests
from connector.database.readings import is_failing
from connector.database.signature_failures import read_signature_failures
from connector.database.sqlite import database_file
from connector.database.stats.counters import LAST_EVENT, read_counters
from connector.database.stats.gauges import Gauges, read_gauges
from connector.database.stopped_stores import read_stopped_stores
from connector.database.store_errors import read_store_errors
from connector.database.store_status import load_readings, load_webhook_checks
from connector.database.store_tokens import read_store_token
from connector.operations.credential_checks import check_entered_credentials, load_credentials_in_effect
from connector.operations.probe import ProbeOutcome, StoreProbe, TokenProbe, ping_all, probe_accounts, probe_stores
from connector.operations.retention import last_run_at
from connector.operations.webhooks import WebhooksReport, probe_webhooks
from connector.runtime import check_database, find_memory_only_tokens
from connector.settings import Settings, load_settings
from connector.settings.environment import MIN_SECRET_LENGTH
from connector.settings.secret_files import find_exposed
from mappings.app_settings import AppStore
from mappings.settings import Store

CONFIGURATION, CLOCK, WORKER, RETENTION = "configuration", "clock", "worker", "retention"
#: A server's clock is read from a response: whole seconds, less the time that the response took.
CLOCK_OFF_S, CLOCK_WRONG_S = 5.0, 60.0
#: Due deliveries are claimed within a second; after this long, no worker seems to run.
LATE_S = 60.0
#: How long a reading of a store's orders may take.
LATE_READING_S = 900.0
#: Old content is deleted once a day.
LATE_RETENTION_S = 2 * 86_400.0

REMEDIES = {
    Reason.UNMAPPABLE: "correct the order in the store, or the settings and retrigger",
    Reason.REFUSED: "read the destination's response in connector show, correct what it names, then retrigger",
    Reason.UNCERTAIN: "look for each at the destination: connector resolve, or retrigger --force if it is not there",
    Reason.EXHAUSTED: "retrigger when the destination is back",
    Reason.HELD: "check each in the store: retrigger it if it must be sent, else discard it",
}


def run_checks(
    path: Path | None = None, environ: Mapping[str, str] = os.environ, *, is_offline: bool = False
) -> Iterator[CheckResult]:
    """Yield each result as soon as it is known.

    Args:
        is_offline: make no requests to destinations and stores.
    """
    try:
        settings = load_settings(path, environ)
    except SettingsError as error:
        for message in error.errors:
            yield failure(CONFIGURATION, message, "correct it; docs/configuration.md explains every setting")
        return
    counts = f"{len(settings.stores)} stores, {len(settings.accounts)} accounts, {len(settings.routes)} routes"
    yield ok(CONFIGURATION, f"valid: {counts}")
    if not settings.api_tokens:
        remedy = "set it to what connector token prints"
        yield warning(CONFIGURATION, "no ADMIN_TOKEN is set, so /api answers 404", remedy)
    if len(settings.environment.metrics_token or MIN_SECRET_LENGTH * " ") < MIN_SECRET_LENGTH:
        remedy = "set it to what connector token prints"
        yield warning(CONFIGURATION, f"METRICS_TOKEN has fewer than {MIN_SECRET_LENGTH} characters", remedy)
    for secret_file in find_exposed(settings.secret_files):
        yield warning(CONFIGURATION, f"every user can read the secret in {secret_file}", f"chmod o-r {secret_file}")
    for store_name, message in find_memory_only_tokens(settings):
        yield warning(f"store {store_name}", message, "set TOKEN_KEYS to what connector token --key prints")
    yield from check_database_health(settings)
    settings = load_credentials_in_effect(settings)
    yield from check_entered_credentials(settings)
    if not is_offline:
        yield from check_reachability(settings)


def check_database_health(settings: Settings) -> Iterator[CheckResult]:
    url = settings.environment.database_url
    is_sqlite = url.startswith("sqlite")
    if is_sqlite:
        yield from check_disk(url)
        file = database_file(url)
        if not file.exists():
            yield failure(DATABASE, f"there is no file {file}", "run connector migrate, or correct DATABASE_URL")
            return
    database = Database(url)
    try:
        yield from check_sqlite(database) if is_sqlite else check_postgresql(database)
        check_database(settings, database)
        yield ok(DATABASE, "its schema is up to date")
        if not is_sqlite:
            yield check_clock("the database's", seconds_ahead(database))
        yield from check_deliveries(settings, database)
    except MigrationNeededError as error:
        yield failure(DATABASE, str(error), "run connector migrate")
    except SettingsError as error:
        for message in error.errors:
            yield failure(DATABASE, message, "correct it; the service does not start until then")
    except DatabaseUnavailableError as error:
        yield failure(DATABASE, str(error), "correct that, or DATABASE_URL")
    finally:
        database.close()


def check_deliveries(settings: Settings, database: Database) -> Iterator[CheckResult]:
    now = database.clock()
    gauges = read_gauges(database, settings.accounts)
    yield check_worker(gauges, is_running=is_worker_running(database))
    circuits = read_circuits(database)
    for account in settings.accounts:
        yield check_circuit(account, circuits.get(account), gauges.waiting.get(account, 0))
    for (account, reason), count in sorted(gauges.parked.items()):
        list_command = f"connector list --state parked --reason {reason} --account {account}"
        remedy = f"{list_command}; {REMEDIES[Reason(reason)]}"
        yield warning(f"account {account}", f"{count} of its orders are parked as {reason}", remedy)
    yield from check_stopped_stores(settings, database, now)
    yield from check_privacy_requests(database, now)
    for store in settings.stores.values():
        yield from check_store_circuit(store, circuits.get(store_circuit(store.id)))
    yield from check_store_tokens(settings, database, now)
    yield from check_silent_stores(settings, database, now)
    yield from check_signatures(settings, database, now)
    yield from check_store_errors(settings, database, now)
    yield from check_recorded_webhooks(settings, database)
    yield from check_catch_up(settings, database, now)
    yield from check_lost_webhooks(settings, database, now)
    yield from check_retention(settings, database, now)


def check_worker(gauges: Gauges, *, is_running: bool) -> CheckResult:
    held_accounts = gauges.open_circuits | gauges.paused_accounts
    late_s = max(
        (seconds for account, seconds in gauges.backlog_age_s.items() if account not in held_accounts), default=0.0
    )
    remedy = "start connector serve or connector worker, and read its log"
    if late_s > LATE_S:
        return failure(WORKER, f"an order is {format_duration(late_s)} overdue and unclaimed", remedy)
    if not is_running:
        return warning(WORKER, "no worker is running", remedy)
    return ok(WORKER, f"running; {sum(gauges.waiting.values())} waiting, {sum(gauges.sending.values())} sending")


def check_circuit(account: str, circuit: Circuit | None, waiting: int) -> CheckResult:
    subject, waiting_text = f"account {account}", f"{waiting} waiting"
    state = circuit_state(circuit)
    if circuit is not None and state is CircuitState.PAUSED:
        return warning(
            subject,
            f"paused by {circuit.pause_reason}; {waiting_text}",
            f"connector resume {account}, when it may continue",
        )
    if circuit is not None and state is CircuitState.OPEN:
        is_unauthorized = circuit.reason is not None and circuit.reason["code"] == "credentials_rejected"
        replace_key = f"replace its key: connector accounts set-credentials {account}, or on the dashboard"
        remedy = replace_key if is_unauthorized else "check the destination's status"
        message = f"suspended: {render_stored(circuit.reason)}; {waiting_text}"
        return failure(subject, message, f"{remedy}; the connector retries automatically")
    return ok(subject, f"accepting orders; {waiting_text}")


def check_store_circuit(store: Store, circuit: Circuit | None) -> Iterator[CheckResult]:
    if circuit is not None and circuit_state(circuit) is CircuitState.OPEN:
        message = f"requests to its API are suspended: {render_stored(circuit.reason)}; orders that need it wait"
        remedy = f"see connector show of one of them, and check [stores.{store.name}]; the connector retries by itself"
        yield failure(f"store {store.name}", message, remedy)


def check_stopped_stores(settings: Settings, database: Database, now: datetime) -> Iterator[CheckResult]:
    stopped = read_stopped_stores(database)
    for store in settings.stores.values():
        if (stop := stopped.get(store.id)) is not None:
            age = format_duration((now - stop.stopped_at).total_seconds())
            message = f"its API has not been called for {age}: {render_stored(build_message(stop.code))}"
            yield failure(f"store {store.name}", message, f"connector resume-store {store.name}, when the app is back")


def check_privacy_requests(database: Database, now: datetime) -> Iterator[CheckResult]:
    requests = load_open_requests(database)
    if requests:
        is_overdue = requests[0].due_at < now
        verb = "was" if is_overdue else "is"
        message = f"{len(requests)} open; the first {verb} due on {requests[0].due_at:%Y-%m-%d}"
        report = failure if is_overdue else warning
        yield report("requests about personal data", message, "see connector privacy list")


def check_store_tokens(settings: Settings, database: Database, now: datetime) -> Iterator[CheckResult]:
    """Check the tokens that stores' apps obtained, as far as the database has them."""
    keys = settings.environment.token_keys
    for store in settings.stores.values():
        if not keys or not isinstance(store, AppStore) or store.client_id is None:
            continue
        subject = f"store {store.name}"
        is_authorized_by_hand = settings.storefront(store).app_authorization is not None
        report = failure if is_authorized_by_hand else warning
        remedy = f"run connector authorize {store.name}" if is_authorized_by_hand else "nothing: a new one is obtained"
        try:
            token = read_store_token(database, store.id, owner=store.token_owner, cipher=TokenCipher(keys))
        except UndecryptableError:
            yield report(subject, "no key of TOKEN_KEYS decrypts its stored token, or it is another app's", remedy)
            continue
        if token is not None and token.expires_at is None:
            yield ok(subject, "its stored token does not expire")
        elif token is not None and token.expires_at is not None and not token.is_expired(now):
            lifetime = format_duration((token.expires_at - now).total_seconds())
            yield ok(subject, f"its stored token expires in {lifetime}, and is renewed before")
        elif is_authorized_by_hand:
            yield failure(subject, "there is no token for its API", remedy)


def check_silent_stores(settings: Settings, database: Database, now: datetime) -> Iterator[CheckResult]:
    counters = read_counters(database).items()
    last_event_times = {dict(labels)["store"]: value for (name, labels), value in counters if name == LAST_EVENT}
    for store in settings.stores.values():
        subject = f"store {store.name}"
        remedy = f"check in {store.storefront} that the webhook to /webhooks/{store.name} exists and is enabled"
        if store.id not in last_event_times:
            yield warning(subject, "it has never sent a webhook", remedy)
            continue
        silence = now - datetime.fromtimestamp(last_event_times[store.id], UTC)
        limit_h = settings.alerts.silent_after_h_by_store.get(store.id, settings.alerts.silent_after_h)
        message = f"last webhook {format_duration(silence.total_seconds())} ago"
        yield warning(subject, message, remedy) if silence > timedelta(hours=limit_h) else ok(subject, message)


def check_signatures(settings: Settings, database: Database, now: datetime) -> Iterator[CheckResult]:
    failures_by_store = read_signature_failures(database)
    for store in settings.stores.values():
        if (failures := failures_by_store.get(store.id)) is not None:
            since, last = (format_duration((now - at).total_seconds()) for at in (failures.since, failures.last_at))
            message = f"{failures.count} webhooks with a wrong signature in {since}, the last {last} ago"
            remedy = f"compare the webhook's secret in {store.storefront} with `secrets` of [stores.{store.name}]"
            yield warning(f"store {store.name}", f"{message}: {render_stored(build_message(failures.reason))}", remedy)


def check_store_errors(settings: Settings, database: Database, now: datetime) -> Iterator[CheckResult]:
    errors_by_store = read_store_errors(database)
    for store in settings.stores.values():
        for error in errors_by_store.get(store.id, []):
            since, last = (format_duration((now - at).total_seconds()) for at in (error.since, error.last_at))
            count = f"{error.count} errors in place of orders in {since}, the last {last} ago"
            message = f"{count}: {render_stored(build_message(error.code))}"
            remedy = f"see connector list --events --store {store.id}; it is over when an order arrives"
            report = warning if error.is_of_one_order else failure
            yield report(f"store {store.name}", message, remedy)


def check_catch_up(settings: Settings, database: Database, now: datetime) -> Iterator[CheckResult]:
    readings = load_readings(database)
    for store in settings.stores.values():
        subject, reading = f"store {store.name}", readings.get(store.id)
        if not settings.can_list_orders(store):
            yield ok(subject, "its API is not configured, so catch-up does not look for orders without a webhook")
        elif reading is not None and reading.failures:
            since = format_duration((now - (reading.failed_since or now)).total_seconds())
            message = f"its orders could not be read for {since}: {render_stored(reading.error)}"
            report = failure if is_failing(reading, now) else warning
            yield report(subject, message, "check api_url and the store's credentials; the connector keeps trying")
        elif store.catch_up_every_s == 0:
            yield ok(subject, "catch-up reads its orders only when a person asks for it (catch_up_every_s is 0)")
        elif reading is None or reading.finished_at is None:
            yield ok(subject, "its orders have not been read yet; a worker does so soon after its start")
        else:
            yield check_reading_age(store, reading.finished_at, now)


def check_reading_age(store: Store, finished_at: datetime, now: datetime) -> CheckResult:
    age_s = (now - finished_at).total_seconds()
    message = f"its orders were read {format_duration(age_s)} ago"
    if age_s > 2 * store.catch_up_every_s + LATE_READING_S:
        return warning(f"store {store.name}", message, "see that a worker runs, and read its log")
    return ok(f"store {store.name}", message)


def check_lost_webhooks(settings: Settings, database: Database, now: datetime) -> Iterator[CheckResult]:
    lost_by_store = read_lost_webhooks(database)
    for store in settings.stores.values():
        if (lost := lost_by_store.get(store.id)) is not None:
            last = format_duration((now - lost.last_at).total_seconds())
            message = f"{lost.orders} orders of the last 24 h came without a webhook, the last was found {last} ago"
            remedy = f"see connector webhooks list --store {store.name}, and repair with connector webhooks sync"
            yield warning(f"store {store.name}", message, remedy)


def check_retention(settings: Settings, database: Database, now: datetime) -> Iterator[CheckResult]:
    """Report how long orders are kept, when old content was last deleted, and what is discarded soon."""
    last_run = last_run_at(database)
    age_s = (now - last_run).total_seconds() if last_run else 0.0
    when = (
        f"last done {format_duration(age_s)} ago" if last_run else "not done yet; a worker does it soon after its start"
    )
    message = f"{settings.retention.describe()}; {when}"
    if settings.retention.is_forever:
        yield ok(RETENTION, settings.retention.describe())
    elif age_s > LATE_RETENTION_S:
        yield warning(RETENTION, message, "see that a worker runs, and read its log")
    else:
        yield ok(RETENTION, message)
    for expiring in read_expiring(database):
        yield warning(
            f"account {expiring.account}",
            f"{expiring.orders} of its parked orders will be discarded, the first on {expiring.expires_at:%Y-%m-%d}",
            f"connector list --state parked --account {expiring.account}; send or discard each",
        )


def check_reachability(settings: Settings) -> Iterator[CheckResult]:
    """Check that destinations and stores' APIs respond, and compare their clocks with this machine's."""
    for probe in probe_accounts(settings):
        subject = f"account {probe.account}"
        is_rejected = probe.outcome in {ProbeOutcome.CREDENTIALS_REJECTED, ProbeOutcome.NO_TOKEN}
        replace_key = f"replace its key: connector accounts set-credentials {probe.account}, or on the dashboard"
        remedy = replace_key if is_rejected else "check base_url and the network"
        yield ok(subject, probe.message) if probe.is_good else failure(subject, probe.message, remedy)
    for store_probe in probe_stores(settings):
        if store_probe.token is not None and store_probe.token.is_good:
            yield check_token(store_probe.token)
        yield check_store_api(store_probe)
    for report in probe_webhooks(settings):
        yield check_store_webhooks(report)
    pings = ping_all(settings)
    clock_offsets = sorted(
        reachability.seconds_ahead for _, reachability in pings if reachability.seconds_ahead is not None
    )
    if clock_offsets:
        yield check_clock("the clocks of the services it calls", clock_offsets[len(clock_offsets) // 2])


def check_token(probe: TokenProbe) -> CheckResult:
    store = probe.store
    if probe.is_good:
        return ok(f"store {store.name}", probe.message)
    remedy = "check api_url and the network"
    if probe.needs_authorization:
        remedy = f"run connector authorize {store.name}"
    elif probe.is_rejected:
        remedy = f"correct client_id and client_secret of [stores.{store.name}], or install the app"
    return failure(f"store {store.name}", probe.message, remedy)


def check_store_api(probe: StoreProbe) -> CheckResult:
    store = probe.store
    if probe.token is not None and not probe.token.is_good:
        return check_token(probe.token)
    subject, api_label = f"store {store.name}", f"its API at {store.api_url}"
    if probe.outcome is ProbeOutcome.CREDENTIALS_REJECTED:
        if probe.token is not None:
            return failure(
                subject,
                f"{api_label} rejects its app's token ({probe.detail}), which may not read orders",
                f"give the app of [stores.{store.name}] a scope to read orders, and install it again",
            )
        return failure(
            subject,
            f"{api_label} rejects api_token ({probe.detail}): the key is wrong, or may not read orders",
            f"set api_token of [stores.{store.name}] to a key that may read orders",
        )
    if probe.outcome is ProbeOutcome.UNEXPECTED_STATUS:
        return warning(subject, f"{api_label} does not answer a request for orders: {probe.detail}", "check api_url")
    if probe.outcome is not ProbeOutcome.REACHED:
        return failure(subject, f"{api_label} is failing: {probe.detail}", "check api_url and the network")
    return ok(subject, f"{api_label} responds")


def check_store_webhooks(report: WebhooksReport) -> CheckResult:
    """Check that the storefront has every webhook that the routes need."""
    subject = f"store {report.store.name}"
    if report.error is not None:
        remedy = "give the store's API a key that may read webhooks, or look at them in the store"
        return warning(subject, f"its webhooks were not checked: {render_stored(report.error)}", remedy)
    problems = [render_stored(status.problem) for status in report.statuses if status.problem]
    if not problems:
        return ok(subject, "its webhooks are there and active")
    remedy = f"connector webhooks sync --store {report.store.name}"
    if report.has_own:
        return failure(subject, " ".join(problems), remedy)
    message = "its API shows no webhook that points to this connector"
    if report.blind_spot is not None:
        return ok(subject, f"{message}, and not every webhook: {render_stored(report.blind_spot)}")
    return warning(subject, message, remedy)


def check_recorded_webhooks(settings: Settings, database: Database) -> Iterator[CheckResult]:
    """Report what the worker's last check of the stores' webhooks saw."""
    checks = load_webhook_checks(database)
    for store in settings.stores.values():
        check = checks.get(store.id)
        if check is not None and check.failed_since is not None:
            problems = [*([check.error] if check.error else []), *check.problems]
            message = " ".join(map(render_stored, problems))
            remedy = f"connector webhooks sync --store {store.name}"
            yield failure(f"store {store.name}", f"at the worker's last check of its webhooks: {message}", remedy)


def check_clock(reference: str, ahead_s: float) -> CheckResult:
    """Check the clock that tokens expire by, and with SQLite also leases and retries."""
    message = f"this machine's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} {reference}"
    remedy = "let NTP set it: timedatectl set-ntp true"
    if abs(ahead_s) > CLOCK_WRONG_S:
        return failure(CLOCK, message, remedy)
    if abs(ahead_s) > CLOCK_OFF_S:
        return warning(CLOCK, message, remedy)
    return ok(CLOCK, f"this machine's clock agrees with {reference}")
