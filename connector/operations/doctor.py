"""Looks at the whole service as a doctor would: what is well, what is not, and what to do about it. Changes nothing."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.clients.http import Knock
from connector.core.check_result import Finding, fault, ok, warning
from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError, SettingsError
from connector.database.engine import Database
from connector.database.health import (
    DATABASE,
    look_at_disk,
    look_at_postgresql,
    look_at_sqlite,
    seconds_ahead,
    watches_until,
)
from connector.database.models import Circuit, Reason
from connector.database.queries.lookups import all_circuits
from connector.database.sqlite import database_file
from connector.database.stats.counters import LAST_EVENT, read_tallies
from connector.database.stats.gauges import Gauges, read_gauges
from connector.operations.probe import knock_everywhere, probe_accounts
from connector.runtime import check_database
from connector.settings import Settings, load_settings
from mappings.settings import Store

CONFIGURATION, CLOCK, FORWARDER = "configuration", "clock", "forwarder"
#: Of two clocks, the answer's is cut to seconds and older than the way it took.
CLOCK_OFF_S, CLOCK_WRONG_S = 5.0, 60.0
#: What is due is claimed within a second; after this nobody seems to.
LATE_S = 60.0
TURN = "alerts"  # of the watch that each forwarder keeps

WHAT_TO_DO = {
    Reason.UNMAPPABLE: "correct the order in the store, or the settings and retrigger",
    Reason.REFUSED: "read the destination's answer in connector show, correct what it names, then retrigger",
    Reason.UNCERTAIN: "look for each at the destination: connector resolve, or retrigger --force where it is not there",
    Reason.EXHAUSTED: "retrigger when the destination is back",
}


def check_up(
    path: Path | None = None, environ: Mapping[str, str] = os.environ, *, is_offline: bool = False
) -> Iterator[Finding]:
    """Each finding as soon as it is there. `is_offline` asks nobody but the database."""
    try:
        settings = load_settings(path, environ)
    except SettingsError as error:
        for said in error.faults:
            yield fault(CONFIGURATION, said, "correct it; connector.example.toml shows every setting")
        return
    counts = f"{len(settings.stores)} stores, {len(settings.accounts)} accounts, {len(settings.routes)} routes"
    yield ok(CONFIGURATION, f"no fault: {counts}")
    if settings.environment.admin_token is None:
        yield warning(CONFIGURATION, "no ADMIN_TOKEN is set, so /api answers 404", "set it to a long random text")
    yield from look_at_database(settings)
    if not is_offline:
        yield from look_outside(settings)


def look_at_database(settings: Settings) -> Iterator[Finding]:
    url = settings.environment.database_url
    is_sqlite = url.startswith("sqlite")
    if is_sqlite:
        yield from look_at_disk(url)
        file = database_file(url)
        if not file.exists():
            yield fault(DATABASE, f"there is no file {file}", "run connector migrate, or correct DATABASE_URL")
            return
    database = Database(url)
    try:
        yield from look_at_sqlite(database) if is_sqlite else look_at_postgresql(database)
        check_database(settings, database)
        yield ok(DATABASE, "its tables are of this version")
        if not is_sqlite:
            yield judge_clock("the database's", seconds_ahead(database))
        yield from look_at_work(settings, database)
    except MigrationNeededError as error:
        yield fault(DATABASE, str(error), "run connector migrate")
    except SettingsError as error:
        for said in error.faults:
            yield fault(DATABASE, said, "see above; nothing starts like this")
    except DatabaseUnavailableError as error:
        yield fault(DATABASE, f"not reached: {database.why(error)}", "see that it runs and DATABASE_URL names it")
    finally:
        database.close()


def look_at_work(settings: Settings, database: Database) -> Iterator[Finding]:
    now = database.clock()
    gauges = read_gauges(database, settings.accounts)
    yield look_at_forwarder(gauges, now, watches_until(database, TURN))
    circuits = all_circuits(database)
    for account in settings.accounts:
        yield look_at_circuit(account, circuits.get(account), gauges.waiting.get(account, 0))
    for (account, reason), count in sorted(gauges.parked.items()):
        listed = f"connector list --state parked --reason {reason} --account {account}"
        do = f"{listed}; {WHAT_TO_DO[Reason(reason)]}"
        yield warning(f"account {account}", f"{count} of its orders are parked as {reason}", do)
    yield from look_for_silence(settings, database, now)


def look_at_forwarder(gauges: Gauges, now: datetime, watched_until: datetime | None) -> Finding:
    held = gauges.open | gauges.paused
    late_s = max((seconds for account, seconds in gauges.late_s.items() if account not in held), default=0.0)
    is_alive = watched_until is not None and watched_until > now
    start = "start connector serve or connector worker, and read its log"
    if late_s > LATE_S:
        return fault(FORWARDER, f"an order has been due for {duration(late_s)} and is not taken", start)
    if not is_alive:
        return warning(FORWARDER, "none has shown itself in the last minute", start)
    return ok(FORWARDER, f"it runs; waiting {sum(gauges.waiting.values())}, sending {sum(gauges.sending.values())}")


def look_at_circuit(account: str, circuit: Circuit | None, waiting: int) -> Finding:
    of, lie = f"account {account}", f"{waiting} wait for it"
    if circuit is not None and circuit.paused_at is not None:
        return warning(of, f"paused by {circuit.paused_why}; {lie}", f"connector resume {account}, when it may go on")
    if circuit is not None and circuit.opened_at is not None:
        why = circuit.reason or "failures"
        key = (
            "correct its key and start the service again" if why == "unauthorized" else "see what ails the destination"
        )
        return fault(of, f"left alone because of {why}; {lie}", f"{key}; it is tried again by itself")
    return ok(of, f"takes orders; {lie}")


def look_for_silence(settings: Settings, database: Database, now: datetime) -> Iterator[Finding]:
    tallies = read_tallies(database).items()
    last = {dict(labels)["store"]: value for (name, labels), value in tallies if name == LAST_EVENT}
    for store in settings.stores.values():
        of = f"store {store.name}"
        look = f"see in {store.storefront}'s settings that the webhook to /webhooks/{store.name} is there and enabled"
        if store.id not in last:
            yield warning(of, "no webhook of it ever came", look)
            continue
        silent = now - datetime.fromtimestamp(last[store.id], UTC)
        hours = settings.alerts.silent_after_h_by_store.get(store.id, settings.alerts.silent_after_h)
        said = f"its last webhook came {duration(silent.total_seconds())} ago"
        yield warning(of, said, look) if silent > timedelta(hours=hours) else ok(of, said)


def look_outside(settings: Settings) -> Iterator[Finding]:
    """Whether the accounts' destinations and the stores' APIs are reached, and what their clocks say."""
    for probed in probe_accounts(settings):
        of = f"account {probed.account}"
        check = "see base_url, the key, and that this machine reaches it"
        yield ok(of, probed.said) if probed.is_good else fault(of, probed.said, check)
    knocks = knock_everywhere(settings)
    for one, knock in knocks:
        if isinstance(one, Store):
            yield look_at_api(one, knock)
    ahead = sorted(knock.seconds_ahead for _, knock in knocks if knock.seconds_ahead is not None)
    if ahead:
        yield judge_clock("those of the services it speaks with", ahead[len(ahead) // 2])


def look_at_api(store: Store, knock: Knock) -> Finding:
    of, api = f"store {store.name}", f"its API at {store.api_url}"
    if knock.status is None or knock.status >= 500:
        said = knock.error or f"status {knock.status}"
        return fault(of, f"{api} is not well: {said}", "see api_url, and that this machine reaches it")
    return ok(of, f"{api} is reached")


def judge_clock(whose: str, ahead_s: float) -> Finding:
    """Leases, tokens and retries run by clocks: SQLite's by this machine's."""
    off = f"this machine's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} {whose}"
    set_it = "let NTP set it: timedatectl set-ntp true"
    if abs(ahead_s) > CLOCK_WRONG_S:
        return fault(CLOCK, off, set_it)
    if abs(ahead_s) > CLOCK_OFF_S:
        return warning(CLOCK, off, set_it)
    return ok(CLOCK, f"this machine's clock agrees with {whose}")


def duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
