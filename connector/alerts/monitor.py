"""Watches the database for what people must know, and has it told. One process at a time does it for all.

It runs in a thread of its own beside the forwarder, or in a web process while there is none, and holds nothing that a
webhook or a delivery waits for.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from connector.alerts.messages import compose, describe
from connector.clients.notifiers import Message, open_channel
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.worker_id import name_claimant
from connector.database.alerts import (
    STATES,
    Found,
    Standing,
    enter_new,
    forget_old,
    gather_notes,
    gather_parked,
    late_accounts,
    load_alerts,
    open_circuits,
    record_told,
    set_states,
)
from connector.database.coordination import give_up_turn, move_mark, read_mark, take_turn
from connector.database.models import Alert
from connector.database.orders import row_id
from connector.database.reconciliation.run import Difference, Scope, reconcile
from connector.database.stats.counters import fold_tallies, last_events
from connector.runtime import Runtime
from connector.settings.alerts import Channel

LOOK_EVERY_S = 5.0
#: Who stands by watches when nobody did for so long, as often.
STAND_BY_S = 30.0
#: How long a turn lasts that is not taken again: should its process die, another watches after so long.
TURN_S = 60.0
#: A channel that failed is left alone for so long, doubled each time.
FIRST_REST_S, LONGEST_REST_S = 15.0, 1_800.0
FORGET_EVERY_S = 86_400.0
MOST_SECTIONS = 20
#: What lies unclaimed is the backlog's alert; to reconcile it is a difference only after a day.
LATE_S = 86_400.0
MOST_DIFFERENCES = 100

TURN = "alerts"


@dataclass(slots=True, kw_only=True)
class Line:
    """One channel, and how it fares."""

    channel: Channel
    send: Callable[[Message], str | None]
    failures: int = 0
    rest_until: float = field(default=float("-inf"))  # monotonic


class Watcher:
    def __init__(self, runtime: Runtime, *, stands_by: bool = False) -> None:
        self.runtime = runtime
        self.stands_by = stands_by
        self.database = runtime.database
        self.alerts = runtime.settings.alerts
        self.holder = name_claimant()
        self.lines = [Line(channel=channel, send=open_channel(channel)) for channel in self.alerts.channels]

    def run(self, is_over: threading.Event) -> None:
        """Look every few seconds until `is_over`. Nothing that goes wrong ends it."""
        is_first = True
        while is_first or not is_over.wait(STAND_BY_S if self.stands_by else LOOK_EVERY_S):
            is_first = False
            try:
                if self.takes_turn():
                    self.look()
                    if self.stands_by:  # a forwarder that is back takes it up at once
                        give_up_turn(self.database, TURN, self.holder)
            except DatabaseUnavailableError:
                continue  # the forwarder says so
            except Exception as error:
                self.runtime.log.error("alerts_failed", error=type(error).__name__)
        with suppress(DatabaseUnavailableError):  # it runs out
            give_up_turn(self.database, TURN, self.holder)

    def takes_turn(self) -> bool:
        free_for_s = STAND_BY_S if self.stands_by else 0.0
        return take_turn(self.database, TURN, self.holder, for_s=TURN_S, free_for_s=free_for_s)

    def look(self) -> None:
        """Find what is new, and tell it where it is due."""
        settings = self.runtime.settings
        accounts = {*settings.accounts, *settings.retired}
        gather_parked(self.database, accounts)
        gather_notes(self.database)
        set_states(self.database, [*open_circuits(self.database), *self.late(), *self.silent()])
        self.reconcile_now_and_then()
        for line in self.lines:
            if monotonic() >= line.rest_until and self.takes_turn():
                self.tell(line)

    def late(self) -> list[Standing]:
        return late_accounts(self.database, self.runtime.settings.accounts, self.alerts.backlog_after_s)

    def silent(self) -> Iterator[Standing]:
        """Stores that sent webhooks once, and none for longer than they may be silent."""
        fold_tallies(self.database, ["events"])
        now = self.runtime.clock()
        for store, last_at in last_events(self.database).items():
            is_known = any(one.id == store for one in self.runtime.settings.stores.values())
            hours = self.alerts.silent_after_h_by_store.get(store, self.alerts.silent_after_h)
            if is_known and last_at < now - timedelta(hours=hours):
                yield Standing(kind="silent", store=store, cause="", since=last_at)

    def reconcile_now_and_then(self) -> None:
        """Account for what came of late, twice over so that nothing falls between two runs; and tidy up once a day."""
        now = self.runtime.clock()
        seconds = int(now.timestamp())
        if seconds - read_mark(self.database, "alerts:reconciled") >= self.alerts.reconcile_every_s:
            report = reconcile(
                self.database,
                Scope(since=now - timedelta(seconds=2 * self.alerts.reconcile_every_s)),
                accounts=self.runtime.settings.accounts,
                lease_s=self.runtime.settings.environment.lease_s,
                late_s=LATE_S,
                most_listed=MOST_DIFFERENCES,
            )
            enter_new(self.database, [of_difference(one) for one in report.differences])
            self.database.transact(lambda transaction: move_mark(transaction, "alerts:reconciled", seconds))
        if seconds - read_mark(self.database, "alerts:tidied") >= FORGET_EVERY_S:
            forget_old(self.database)
            self.database.transact(lambda transaction: move_mark(transaction, "alerts:tidied", seconds))

    def tell(self, line: Line) -> None:
        """Send all that is due on one channel in one message. What fails is told with what is new by then."""
        now = self.runtime.clock()
        due = [alert for alert in load_alerts(self.database) if self.is_due(alert, line.channel, now)][:MOST_SECTIONS]
        if not due:
            return
        name = line.channel.name
        sections = [describe(alert, alert.told.get(name, {}), self.runtime.settings.public_url) for alert in due]
        error = line.send(compose(sections))
        kinds = sorted({section.kind for section in sections})
        if error is not None:
            rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2 ** min(line.failures, 20))
            line.failures, line.rest_until = line.failures + 1, monotonic() + rest_s
            self.runtime.log.warning("alert_not_sent", channel=name, kinds=kinds, error=error, again_in_s=rest_s)
            return
        line.failures = 0
        told = {
            row_id(alert): {"at": now.isoformat(), "orders": alert.orders, "stands": alert.ended_at is None}
            for alert in due
        }
        record_told(self.database, name, told)
        self.runtime.log.info("alert_sent", channel=name, kinds=kinds)

    def is_due(self, alert: Alert, channel: Channel, now: datetime) -> bool:
        """At once when it is new, or over; then not before a while, however much more there is of it."""
        if alert.kind not in channel.kinds:
            return False
        told = alert.told.get(channel.name)
        if alert.kind in STATES and alert.ended_at is not None:
            return told is not None and told["stands"]
        if told is None:
            return True
        waited_s = (now - datetime.fromisoformat(told["at"])).total_seconds()
        if alert.kind in STATES:
            after_s = self.alerts.remind_every_h * 3_600 if told["stands"] else self.alerts.repeat_every_s
            return waited_s >= after_s
        return alert.orders > told["orders"] and waited_s >= self.alerts.repeat_every_s


def of_difference(one: Difference) -> Found:
    delivery = str(one.id) if one.kind == "delivery" else None
    example = {"delivery": delivery, "store": one.store, "order": one.order, "what": one.what}
    return Found(
        what=f"difference:{one.kind}:{one.id}", kind="differences", account=one.account, cause="", example=example
    )


@contextmanager
def watching(runtime: Runtime, *, stands_by: bool) -> Iterator[None]:
    """Watch in a thread while the block runs."""
    is_over = threading.Event()
    thread = threading.Thread(
        target=Watcher(runtime, stands_by=stands_by).run, args=(is_over,), name="watcher", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(timeout=1.0)  # longer, while a channel does not answer: what it told is told again
