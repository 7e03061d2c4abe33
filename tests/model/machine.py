"""Drives the service with random steps and compares every row with the model and the destinations after each."""

import json
import sys
from collections import Counter
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import sqlalchemy
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlmodel import SQLModel, col, select

from connector.catch_up.reading import read_changes
from connector.clients.http import Client
from connector.database.claims import ClaimedDelivery, expire_leases_of_dead_workers, release_claims
from connector.database.events import IncomingWebhook, record_events
from connector.database.models import Attempt, EventSource, Note
from connector.database.models import Event as EventRow
from connector.worker.worker import Worker
from mappings.settings import Store
from tests.model.carrier import ANSWERED, ENDED, PACKED, SENDING, Carrier
from tests.model.model import CANCELLED, EXHAUSTED, FILTERED, HELD, UNCERTAIN, UNMAPPABLE, Account, Delivery, Event
from tests.model.model import Order as ModelOrder
from tests.model.outcomes import ACCEPT, AMBIGUOUS, AMBIGUOUS_TRICKS, CONFLICT, REFUSED, TRICKS, Trick
from tests.model.shop import UNHEARD_KINDS, Shops, check_accounted_for, is_needed
from tests.model.webhooks import STORES, Webhook, post
from tests.support.service import Clock, Service

#: Few orders, so that much happens to each.
ORDERS = [(store, number) for store in sorted(STORES) for number in (1, 2, 3)]
CONCURRENCY = 3
DELIVERIES = SQLModel.metadata.tables["deliveries"]
STOP_POINTS = [PACKED, SENDING, ANSWERED]
MAX_UNDER_WAY = 6
#: What nobody heard of is newer than most that was heard of, in minutes.
UNHEARD_LATER = 5
#: Before every order of the model was made.
FIRST_CHANGE = datetime(2026, 11, 1, tzinfo=UTC)
#: What a storefront's API does when it is down.
API_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("status", {"status": 429}),
    ("status", {"status": 401}),
    ("drop_unread", {}),
    ("garbage_json", {}),
    ("cut_body", {}),
]
CHOICES = [*[ACCEPT] * 6, *AMBIGUOUS_TRICKS, *TRICKS]


@dataclass
class ModelClock(Clock):
    """A clock that advances a millisecond on each reading, so that timestamps differ and runs are repeatable."""

    start: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        self.forward(0.001)
        return self.start + self.ahead

    def seconds(self) -> float:
        return self.ahead.total_seconds()


@dataclass(kw_only=True)
class UnderWay:
    """A claimed delivery and its progress in the model."""

    carrier: Carrier
    model: Generator[str, Trick, None]
    key: tuple[str, int]  # of its order
    owner: str


@dataclass(frozen=True, kw_only=True)
class Step:
    method: str  # of `Life`
    arguments: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.method}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


ORDER = st.sampled_from(ORDERS)
STORE = st.sampled_from(sorted(STORES))
TRICK = st.sampled_from(CHOICES)
NAME = st.sampled_from("AB")
WHICH = st.integers(0, 99)
MINUTE = st.integers(0, 9)
KINDS = ["paid", "paid", "updated", "unpaid", "unmappable", "cancelled", "cancelled", "deleted", "restored", "created"]
TOGETHER = st.tuples(ORDER, st.sampled_from(["paid", "updated", "unpaid", "cancelled", "again"]), MINUTE)
DISTURBANCE = st.one_of(
    st.tuples(st.sampled_from(["cancelled", "updated", "paid", "unmappable", "unpaid"]), MINUTE),
    st.tuples(st.sampled_from(["silence", "silence", "rival", "overtaken"]), st.sampled_from("AB")),
    st.tuples(st.sampled_from(["death", "force", "new_key", "discarded", "delivered", "unheard"]), st.none()),
)
#: Weights and arguments of the steps. They are not separate rules, of which Hypothesis disables about half per run.
STEPS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "post_webhook": (5, {"order": ORDER, "kind": st.sampled_from(KINDS), "minute": MINUTE}),
    "post_again": (1, {"which": WHICH}),
    "delete_and_restore": (1, {"order": ORDER, "minute": MINUTE, "is_deleted_again": st.booleans()}),
    "post_together": (2, {"arguments": st.lists(TOGETHER, min_size=2, max_size=6)}),
    "disturb_attempt": (
        12,
        {
            "name": NAME,
            "which": WHICH,
            "stop_point": st.sampled_from(STOP_POINTS),
            "disturbances": st.lists(DISTURBANCE, min_size=1, max_size=3),
            "trick": TRICK,
            "in_step": st.sampled_from([False, True, True]),
        },
    ),
    "lose_webhook": (3, {"order": ORDER, "kind": st.sampled_from(UNHEARD_KINDS), "minute": MINUTE}),
    "end_or_resume_webhooks": (1, {"store": STORE, "are_dead": st.sampled_from([False, False, True])}),
    "catch_up": (2, {"store": STORE}),
    "catch_up_with_api_down": (1, {"store": STORE, "fault": st.sampled_from(API_FAULTS)}),
    "claim_due": (3, {"name": NAME}),
    "advance_all": (4, {"trick": TRICK}),
    "advance_attempt": (3, {"which": WHICH, "trick": TRICK}),
    "finish_attempt": (2, {"which": WHICH, "trick": TRICK}),
    "deliver_due": (4, {"name": NAME, "trick": TRICK, "other": TRICK}),
    "recover": (2, {"name": NAME}),
    "release_unsent_claims": (1, {"name": NAME}),
    "kill_process": (1, {"name": NAME}),
    "expire_leases_of_dead_processes": (1, {}),
    "lose_claim": (1, {"which": WHICH}),
    "change_settings": (2, {}),
    "advance_clock": (4, {"seconds": st.sampled_from([7, 67, 67, 911, 4_001])}),
    "retrigger_delivery": (2, {"which": WHICH, "force": st.booleans(), "new_key": st.booleans()}),
    "resolve_delivery": (1, {"which": WHICH, "as_": st.sampled_from(["delivered", "discarded"])}),
    "retrigger_event": (1, {"which": WHICH, "force": st.booleans()}),
    "pause_or_resume": (
        1,
        {"store": STORE, "is_paused": st.sampled_from([False, False, True])},
    ),
}
STEP = st.sampled_from([name for name, (weight, _) in STEPS.items() for _ in range(weight)]).flatmap(
    lambda name: st.builds(Step, method=st.just(name), arguments=st.fixed_dictionaries(STEPS[name][1]))
)


class Life(RuleBasedStateMachine):
    def __init__(self, service: Service, clock: ModelClock, nowhere: Client) -> None:
        super().__init__()
        self.service, self.clock, self.nowhere = service, clock, nowhere
        self.accounts = {store: Account(name=STORES[store].account) for store in STORES}
        self.orders = {
            (store, number): ModelOrder(
                has_key=STORES[store].has_key,
                account=self.accounts[store],
                can_come_back=STORES[store].can_undo_cancellation,
            )
            for store, number in ORDERS
        }
        self.shops = Shops(service.sandbox)
        self.unread: set[str] = set()  # stores with changes that only their API tells of
        self.webhooks: list[tuple[Webhook, Event]] = []  # with those that were lost
        self.recorded: list[tuple[tuple[str, int], Event]] = []  # the events on record, by order
        self.under_way: list[UnderWay] = []
        self.workers: dict[str, Worker] = {}
        self.dead: set[str] = set()  # claimants
        self.landed_before: dict[tuple[str, int], int] = {}  # number of arrivals when an operator last forced it
        self.landed_late: set[tuple[str, int]] = set()  # by an attempt that was already given up

    @initialize()
    def begin(self) -> None:
        with self.service.database.write() as transaction:
            for table in ("attempts", "notes", "deliveries", "events", "circuits"):
                transaction.connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608  # our own names
        self.service.sandbox.reset()
        self.clock.start, self.clock.ahead = datetime.now(UTC), timedelta(0)
        for name in ("A", "B"):
            self.workers[name] = self.service.worker()
        for store, number in ORDERS:
            if number > 1:
                self.post_webhook((store, number), "paid", 5)

    @rule(step=STEP)
    def then(self, step: Step) -> None:
        getattr(self, step.method)(**step.arguments)

    # Webhooks

    def make(self, store: str, number: int, kind: str, minute: int) -> tuple[Webhook, Event]:
        webhook = STORES[store].webhook(store, number, kind, minute, serial=len(self.webhooks))
        same = (event for earlier, event in self.webhooks if earlier.identity.event_key == webhook.identity.event_key)
        made = webhook, next(same, webhook.event())
        self.webhooks.append(made)
        self.shops.change(webhook)
        return made

    def take(self, webhook: Webhook, event: Event, status: str, event_id: int) -> None:
        """Have the model record a webhook that the service answered this way."""
        order = self.orders[webhook.order]
        if event.id:
            repeated = None if event.is_whole else order.repeat(event)
            if repeated is None:
                last = event if event.is_whole or not order.can_come_back else order.last_deletion()
                assert last is not None
                assert (status, event_id) == ("duplicate", last.id)
                return
            event = repeated
        self.record(webhook.order, event, status, event_id)

    def record(self, order: tuple[str, int], event: Event, status: str, event_id: int) -> None:
        event.id = event_id
        self.recorded.append((order, event))
        assert status == self.orders[order].take(event)

    def post_webhook(self, order: tuple[str, int], kind: str, minute: int) -> None:
        if order[0] in self.shops.dead:
            if kind in UNHEARD_KINDS:
                self.lose_webhook(order, kind, minute)
            return
        webhook, event = self.make(*order, kind, minute)
        answer = post(self.service, webhook)
        assert answer.status_code == 200
        self.take(webhook, event, answer.json["status"], int(answer.json["event"]))

    def delete_and_restore(self, order: tuple[str, int], minute: int, is_deleted_again: bool) -> None:
        self.post_webhook(order, "deleted", minute)
        self.post_webhook(order, "restored", minute)
        if is_deleted_again:
            self.post_webhook(order, "deleted", minute)

    def post_again(self, which: int) -> None:
        """A webhook is repeated, or one that was lost comes after all."""
        webhook, event = self.webhooks[which % len(self.webhooks)]
        if webhook.store in self.shops.dead:
            return
        answer = post(self.service, webhook)
        self.take(webhook, event, answer.json["status"], int(answer.json["event"]))

    def post_together(self, arguments: list[tuple[tuple[str, int], str, int]]) -> None:
        """Webhooks recorded in one transaction have the same result as one after the other."""
        runtime = self.service.runtime
        together = []
        for order, kind, minute in arguments:
            is_again = kind == "again"
            made = self.webhooks[minute % len(self.webhooks)] if is_again else self.make(*order, kind, minute)
            if (store := made[0].store) not in self.shops.dead:
                together.append(made)
            elif not is_again:
                self.unread.add(store)
        arrivals = []
        for webhook, _ in together:
            identity = webhook.identity
            accounts = runtime.settings.accounts_for(webhook.store, identity.topics)
            arrivals.append(
                IncomingWebhook(
                    store=webhook.store,
                    identity=identity,
                    body=webhook.body,
                    accounts=accounts,
                    can_undo_cancellation=STORES[webhook.store].can_undo_cancellation,
                )
            )
        recorded = self.service.database.transact(lambda transaction: record_events(transaction, arrivals))
        pairs = sorted(
            zip(recorded, together, strict=True), key=lambda pair: (pair[0].event_id, pair[0].status == "duplicate")
        )
        for result, (webhook, event) in pairs:
            self.take(webhook, event, result.status, result.event_id)

    # Shops whose webhooks do not come

    def lose_webhook(self, order: tuple[str, int], kind: str, minute: int) -> None:
        """The shop changes an order, and the webhook does not come."""
        self.make(*order, kind, minute + UNHEARD_LATER)
        self.unread.add(order[0])

    def end_or_resume_webhooks(self, store: str, are_dead: bool) -> None:
        if are_dead:
            self.shops.dead.add(store)
        else:
            self.shops.dead.discard(store)

    def catch_up(self, store: str) -> None:
        """The store's orders are read, after which each is on record as it is in the shop."""
        result = read_changes(self.service.runtime, self.store(store), since=FIRST_CHANGE)
        assert result.is_complete
        self.unread.discard(store)
        listed = self.shops.listed(store)
        for row in self.caught_up():
            version = listed[self.key(row)]
            assert version.sku.encode() in row.body
            assert is_needed(version, self.orders[version.order]), "catch-up took in what was on record"
            self.record(version.order, replace(version.event(), is_restored=False), row.status, row.id)
        for order, version in listed.items():
            check_accounted_for(version, self.orders[order])

    def catch_up_with_api_down(self, store: str, fault: tuple[str, dict[str, Any]]) -> None:
        """Nothing can be read, and nothing changes."""
        kind, options = fault
        self.service.sandbox.inject_fault(STORES[store].storefront, kind, times=None, **options)
        result = read_changes(self.service.runtime, self.store(store), since=FIRST_CHANGE)
        self.service.sandbox.clear_faults()
        assert result.error is not None
        assert self.caught_up() == []

    def caught_up(self) -> list[EventRow]:
        """Return the events of catch-up that the model does not have yet."""
        newest = max((event.id for _, event in self.recorded), default=0)
        with self.service.database.read() as session:
            rows = session.exec(select(EventRow).where(col(EventRow.id) > newest).order_by(col(EventRow.id))).all()
        assert all(row.source == EventSource.CATCH_UP for row in rows)
        return list(rows)

    def store(self, store: str) -> Store:
        return self.service.runtime.settings.stores[store]

    # Workers

    def claim_due(self, name: str) -> None:
        if len(self.under_way) < MAX_UNDER_WAY:
            self.claim(name)

    def claim(self, name: str) -> list[UnderWay]:
        worker = self.workers[name]
        before = self.rows()
        claimed = worker.claim_due()
        now = self.clock.seconds()
        for key, row in self.rows().items():
            if (row.claimed_by, row.claim_expires_at) == (before[key].claimed_by, before[key].claim_expires_at):
                continue
            delivery = self.delivery(key)
            assert delivery.state == "waiting", "only what waits is claimed"
            assert delivery.claim is None or delivery.claim_until <= now, "a claim that holds is not taken away"
            assert not self.orders[key].account.is_paused
            delivery.claim, delivery.claim_until = worker.worker_id, now + 60
        begun = [self.start_attempt(name, delivery) for delivery in claimed]
        self.under_way += begun
        return begun

    def start_attempt(self, name: str, claimed: ClaimedDelivery) -> UnderWay:
        worker = self.workers[name]
        order = self.orders[self.key(claimed.delivery)]
        carrier = Carrier(self.service.runtime, self.service.sandbox, claimed, self.nowhere)
        worker.in_flight.add(claimed, Future())  # as `start` does
        assert order.delivery is not None
        model = order.carry(order.delivery.copy(), self.clock.seconds)
        return UnderWay(carrier=carrier, model=model, key=self.key(claimed.delivery), owner=name)

    def advance(self, attempt: UnderWay, trick: Trick) -> bool:
        """Continue to the next stop point. Returns False when the attempt has ended."""
        is_first = attempt.carrier.at == "claimed"
        had = len(self.landed(attempt.key))
        stop_point = attempt.carrier.go_on(trick)
        delivery = self.delivery(attempt.key)
        if len(self.landed(attempt.key)) > had and delivery.state != "sending":
            self.landed_late.add(attempt.key)
        try:
            expected = next(attempt.model) if is_first else attempt.model.send(trick)
        except StopIteration:
            expected = ENDED
        assert stop_point == expected, (stop_point, expected)
        if stop_point == ENDED:
            self.under_way.remove(attempt)
            self.workers[attempt.owner].in_flight.remove(attempt.carrier.claimed)
        return stop_point != ENDED

    def finish(self, attempt: UnderWay, trick: Trick) -> None:
        while self.advance(attempt, trick):
            if attempt.carrier.at == ANSWERED:
                trick = ACCEPT

    def advance_attempt(self, which: int, trick: Trick) -> None:
        if self.under_way:
            self.advance(self.under_way[which % len(self.under_way)], trick)

    def advance_all(self, trick: Trick) -> None:
        for attempt in list(self.under_way):
            self.advance(attempt, trick)

    def finish_attempt(self, which: int, trick: Trick) -> None:
        if self.under_way:
            self.finish(self.under_way[which % len(self.under_way)], trick)

    def deliver_due(self, name: str, trick: Trick, other: Trick) -> None:
        for attempt in self.claim(name):
            self.finish(attempt, trick)
            trick = other

    def disturb_attempt(
        self, name: str, which: int, stop_point: str, disturbances: list[tuple[str, Any]], trick: Trick, in_step: bool
    ) -> None:
        """Advance an attempt to a stop point, change its order there, and continue."""
        self.claim_due(name)
        if not self.under_way:
            return
        attempt = self.under_way[which % len(self.under_way)]
        while attempt.carrier.at != stop_point:
            if not self.advance(attempt, trick):
                break
        for what, how in disturbances:
            self.disturb(attempt.key, what, how)
        for _ in range(4 * in_step):
            self.advance_all(trick)
        if attempt in self.under_way:
            self.finish(attempt, trick)

    def disturb(self, key: tuple[str, int], what: str, how: Any) -> None:
        if what in ("silence", "rival", "overtaken"):
            self.advance_clock(67)
            self.recover(how)
        if what == "rival":
            self.claim_due(how)
            for attempt in self.claimed_attempts(key):
                self.advance(attempt, ACCEPT)
        elif what == "overtaken":
            self.disturb(key, "force", None)
            self.claim_due(how)
            for attempt in self.claimed_attempts(key):
                self.finish(attempt, AMBIGUOUS_TRICKS[0])
        elif what == "death":
            self.kill_process("A")
            self.expire_leases_of_dead_processes()
            self.recover("B")
        elif what in ("force", "new_key"):
            self.retrigger_delivery(self.made().index(key), force=True, new_key=what == "new_key")
        elif what in ("discarded", "delivered"):
            self.resolve_delivery(self.made().index(key), as_=what)
        elif what == "unheard":
            serial = len(self.webhooks)
            self.lose_webhook(key, UNHEARD_KINDS[serial % len(UNHEARD_KINDS)], serial % 10)
            self.catch_up(key[0])
        elif what != "silence":
            self.post_webhook(key, what, how)

    def claimed_attempts(self, key: tuple[str, int]) -> list[UnderWay]:
        return [attempt for attempt in self.under_way if attempt.key == key and attempt.carrier.at == "claimed"]

    def recover(self, name: str) -> None:
        worker = self.workers[name]
        held = worker.in_flight.ids()
        worker.recover()
        self.release(worker.worker_id, besides=held)
        for order in self.orders.values():
            order.recover(self.clock.seconds())

    def release(self, claim: str, *, besides: set[int]) -> None:
        for key, row in self.rows().items():
            delivery = self.delivery(key)
            if delivery.state == "waiting" and delivery.claim == claim and row.id not in besides:
                delivery.claim = None

    def release_unsent_claims(self, name: str) -> None:
        claim = self.workers[name].worker_id
        release_claims(self.service.database, claim)
        self.release(claim, besides=set())

    def kill_process(self, name: str) -> None:
        for attempt in [attempt for attempt in self.under_way if attempt.owner == name]:
            attempt.carrier.die()
            self.under_way.remove(attempt)
        self.dead.add(self.workers[name].worker_id)
        self.workers[name] = self.service.worker()

    def expire_leases_of_dead_processes(self) -> None:
        expire_leases_of_dead_workers(self.service.database, self.dead.__contains__)
        for order in self.orders.values():
            if order.delivery and order.delivery.claim in self.dead:
                order.delivery.claim_until = min(order.delivery.claim_until, self.clock.seconds())

    def lose_claim(self, which: int) -> None:
        """A claim is committed but not acknowledged, so that no worker processes it."""
        unbegun = [attempt for attempt in self.under_way if attempt.carrier.at == "claimed"]
        if not unbegun:
            return
        attempt = unbegun[which % len(unbegun)]
        self.under_way.remove(attempt)
        self.workers[attempt.owner].in_flight.remove(attempt.carrier.claimed)

    def advance_clock(self, seconds: int) -> None:
        self.clock.forward(seconds)

    # Operators

    def change_settings(self) -> None:
        """The same order produces another body from now on."""
        settings = self.service.runtime.settings
        erp = settings.accounts["erp"]
        changed: Any = replace(erp, shipping_name=f"Envío {len(self.webhooks)}-{self.clock.seconds():.0f}")  # type: ignore[call-arg]
        settings = replace(settings, accounts={**settings.accounts, "erp": changed})
        self.service.runtime = replace(self.service.runtime, settings=settings)

    def retrigger_delivery(self, which: int, force: bool, new_key: bool) -> None:
        key = self.pick(which)
        answer = self.act(key, "retrigger", force=force, new_key=new_key)
        if self.orders[key].retrigger(self.clock.seconds(), force=force, new_key=new_key):
            assert answer.status_code == 202
            self.note_force(key, is_forced=force)
        else:
            assert answer.status_code == 409

    def resolve_delivery(self, which: int, as_: str) -> None:
        key = self.pick(which)
        answer = self.act(key, "resolve", **{"as": as_})
        assert answer.status_code == (200 if self.orders[key].resolve(as_) else 409)

    def retrigger_event(self, which: int, force: bool) -> None:
        key, event = self.recorded[which % len(self.recorded)]
        order = self.orders[key]
        had = order.delivery is not None
        answer = self.service.api(f"/events/{event.id}/retrigger", json={"force": force})
        assert answer.status_code == 202
        done = [item["done"] for item in answer.json["deliveries"]]
        now = self.clock.seconds()
        is_done = order.retrigger(now, force=force, ignores_routes=False) if had else order.make(event, force=force)
        is_on_route = event.says_paid and event.is_whole
        assert done == (["queued"] if is_done else ["left"] if had or is_on_route else [])
        if is_done:
            self.note_force(key, is_forced=force)

    def note_force(self, key: tuple[str, int], *, is_forced: bool) -> None:
        if is_forced:
            self.landed_before[key] = len(self.landed(key))

    def pause_or_resume(self, store: str, is_paused: bool) -> None:
        account = self.accounts[store]
        verb = "pause" if is_paused else "resume"
        assert self.service.api(f"/accounts/{account.name}/{verb}", json={}).status_code < 300
        account.change(self.clock.seconds(), is_paused=is_paused, is_open=account.is_open and is_paused)

    def act(self, key: tuple[str, int], what: str, **options: Any) -> Any:
        return self.service.api(f"/deliveries/{self.rows()[key].id}/{what}", json=options)

    # Invariants

    def made(self) -> list[tuple[str, int]]:
        return [key for key, order in self.orders.items() if order.delivery]

    def pick(self, which: int) -> tuple[str, int]:
        return self.made()[which % len(self.made())]

    def delivery(self, key: tuple[str, int]) -> Delivery:
        delivery = self.orders[key].delivery
        assert delivery is not None
        return delivery

    def key(self, row: Any) -> tuple[str, int]:
        return row.store, int(row.order_id) - STORES[row.store].first_order

    def rows(self) -> dict[tuple[str, int], Any]:
        # Columns instead of objects, because this is read several times in each step.
        with self.service.database.read() as session:
            rows = session.connection().execute(sqlalchemy.select(DELIVERIES)).all()
            self._attempts = session.exec(
                select(Attempt.delivery_id, Attempt.number, Attempt.outcome).order_by(col(Attempt.number))
            ).all()
            self._alerts = session.exec(select(Note.delivery_id).where(Note.kind == "alert")).all()
        assert len({self.key(row) for row in rows}) == len(rows)
        return {self.key(row): row for row in rows}

    def landed(self, key: tuple[str, int]) -> list[str]:
        """Return the ids of the order at the destination."""
        store, number = key
        return [
            str(order.remote_id)
            for order in self.service.sandbox.orders(STORES[store].destination)
            if STORES[store].is_about(order, number)
        ]

    @invariant()
    def rows_match_the_model(self) -> None:
        rows = self.rows()
        landed = {key: self.landed(key) for key in rows}
        assert {key: self.shown(row) for key, row in rows.items()} == {key: self.expected(key) for key in self.made()}
        for key, row in rows.items():
            delivery = self.delivery(key)
            assert len(landed[key]) <= 1 + delivery.forced, "doubled, and nobody forced it"
            self.check_reported_state(key, row, landed[key])
        now = self.clock()
        held = Counter(row.account for row in rows.values() if row.claimed_by and row.claim_expires_at > now)
        assert all(count <= CONCURRENCY for count in held.values())

    def check_reported_state(self, key: tuple[str, int], row: Any, landed: list[str]) -> None:
        delivery = self.delivery(key)
        if row.state == "delivered" and not delivery.is_set_by_hand:
            assert row.remote_id in landed
        is_certainly_absent = row.reason in (REFUSED, EXHAUSTED, UNMAPPABLE, HELD, CANCELLED, FILTERED) or (
            row.state == "waiting" and row.locked_since is None
        )
        is_operators_risk = delivery.forced and key in self.landed_late
        if is_certainly_absent and not is_operators_risk:
            assert len(landed) == self.landed_before.get(key, 0), "it was created although nothing was sent"
        if row.reason == UNCERTAIN and not delivery.forced:
            assert {AMBIGUOUS, CONFLICT} & set(delivery.attempts), "no attempt was doubtful"

    def shown(self, row: Any) -> dict[str, Any]:
        return {
            "state": row.state,
            "reason": row.reason,
            "event": row.event_id,
            "claim": row.claimed_by,
            "attempts": row.attempts,
            "outcomes": [(number, outcome) for id_, number, outcome in self._attempts if id_ == row.id],
            "revision": row.revision,
            "sku": row.body and STORES[row.store].sku_of(json.loads(row.body)),
            "key": row.idempotency_key,
            "is_frozen": row.locked_since is not None,
            "is_forbidden": row.first_forbidden_at is not None,
            "overruled": row.override_event_id or 0,
            "is_forced": row.is_forced,
            "ignores_routes": row.ignores_routes,
            "alerts": self._alerts.count(row.id),
        }

    def expected(self, key: tuple[str, int]) -> dict[str, Any]:
        delivery, (store, number) = self.delivery(key), key
        has_gone = STORES[store].has_key and delivery.sku is not None
        return {
            "state": delivery.state,
            "reason": delivery.reason,
            "event": delivery.event.id,
            "claim": delivery.claim,
            "attempts": len(delivery.attempts),
            "outcomes": list(enumerate(delivery.attempts, start=1)),
            "revision": delivery.revision,
            "sku": delivery.sku,
            "key": f"order:{store}:{number}:r{delivery.sent_revision}" if has_gone else None,
            "is_frozen": delivery.frozen_since is not None,
            "is_forbidden": delivery.forbidden_since is not None,
            "overruled": delivery.overruled,
            "is_forced": delivery.is_forced,
            "ignores_routes": delivery.ignores_routes,
            "alerts": delivery.alerts,
        }

    def teardown(self) -> None:
        for attempt in self.under_way:
            attempt.carrier.die()
        self.under_way = []
        if sys.exc_info()[0] is None:
            for store in sorted(self.unread):
                self.catch_up(store)
            self.finish_every_delivery()
        super().teardown()

    def finish_every_delivery(self) -> None:
        """With working destinations and enough time, every waiting delivery ends."""
        for name in "AB":
            self.kill_process(name)
        for store in STORES:
            self.pause_or_resume(store, is_paused=False)
        for _ in range(30):
            self.advance_clock(911)
            self.recover("A")
            self.deliver_due("A", ACCEPT, ACCEPT)
            self.rows_match_the_model()
            if not any(self.delivery(key).state in ("waiting", "sending") for key in self.made()):
                return
        raise AssertionError("something is still on its way")
