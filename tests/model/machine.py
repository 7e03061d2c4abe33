"""Drives the service by random steps and, after each, compares every row with the model, and with what arrived."""

import json
import sys
from collections import Counter
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlmodel import col, select

from connector.clients.http import Client
from connector.database.claims import ClaimedDelivery, expire_leases_of_dead_workers, release_claims
from connector.database.events import IncomingWebhook, record_events
from connector.database.models import Attempt, Note
from connector.database.models import Delivery as DeliveryRow
from connector.worker.worker import Worker
from tests.model.carrier import ANSWERED, ENDED, PACKED, SENDING, Carrier
from tests.model.model import CANCELLED, EXHAUSTED, FILTERED, UNCERTAIN, UNMAPPABLE, Account, Delivery, Event
from tests.model.model import Order as ModelOrder
from tests.model.outcomes import ACCEPT, AMBIGUOUS, AMBIGUOUS_TRICKS, CONFLICT, REFUSED, TRICKS, Trick
from tests.model.webhooks import STORES, Webhook, post
from tests.support.service import Clock, Service

#: Few, so that much happens to each.
ORDERS = [(store, number) for store in sorted(STORES) for number in (1, 2, 3)]
CONCURRENCY = 3
PLACES = [PACKED, SENDING, ANSWERED]
MOST_UNDER_WAY = 6
CHOICES = [*[ACCEPT] * 6, *AMBIGUOUS_TRICKS, *TRICKS]


@dataclass
class ModelClock(Clock):
    """Goes a millisecond further whenever it is looked at: what is told apart by time is, and every run is the same."""

    start: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        self.forward(0.001)
        return self.start + self.ahead

    def seconds(self) -> float:
        return self.ahead.total_seconds()


@dataclass(kw_only=True)
class UnderWay:
    """A claimed delivery, and how far it has come by the model."""

    carrier: Carrier
    model: Generator[str, Trick, None]
    key: tuple[str, int]  # of its order
    owner: str


@dataclass(frozen=True, kw_only=True)
class Step:
    does: str  # the method of `Life`
    given: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.does}({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"


ORDER = st.sampled_from(ORDERS)
TRICK = st.sampled_from(CHOICES)
NAME = st.sampled_from("AB")
WHICH = st.integers(0, 99)
MINUTE = st.integers(0, 9)
KINDS = ["paid", "paid", "updated", "unpaid", "unmappable", "cancelled", "deleted", "created"]
TOGETHER = st.tuples(ORDER, st.sampled_from(["paid", "updated", "unpaid", "cancelled", "again"]), MINUTE)
DISTURBANCE = st.one_of(
    st.tuples(st.sampled_from(["cancelled", "updated", "paid", "unmappable", "unpaid"]), MINUTE),
    st.tuples(st.sampled_from(["silence", "silence", "rival", "overtaken"]), st.sampled_from("AB")),
    st.tuples(st.sampled_from(["death", "force", "new_key", "discarded", "delivered"]), st.none()),
)
#: How often, and with what. Not rules of their own: of those Hypothesis leaves about half out of each example.
STEPS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "a_webhook_comes": (5, {"order": ORDER, "kind": st.sampled_from(KINDS), "minute": MINUTE}),
    "a_webhook_comes_again": (1, {"which": WHICH}),
    "webhooks_come_together": (2, {"asked": st.lists(TOGETHER, min_size=2, max_size=6)}),
    "an_attempt_is_disturbed": (
        12,
        {
            "name": NAME,
            "which": WHICH,
            "place": st.sampled_from(PLACES),
            "disturbances": st.lists(DISTURBANCE, min_size=1, max_size=3),
            "trick": TRICK,
            "in_step": st.sampled_from([False, True, True]),
        },
    ),
    "a_forwarder_claims": (3, {"name": NAME}),
    "all_go_a_step_further": (4, {"trick": TRICK}),
    "one_goes_a_step_further": (3, {"which": WHICH, "trick": TRICK}),
    "one_is_carried_to_its_end": (2, {"which": WHICH, "trick": TRICK}),
    "all_that_is_due_is_forwarded": (4, {"name": NAME, "trick": TRICK, "other": TRICK}),
    "a_forwarder_recovers": (2, {"name": NAME}),
    "a_forwarder_gives_back_what_it_does_not_send": (1, {"name": NAME}),
    "a_process_dies": (1, {"name": NAME}),
    "the_dead_are_found": (1, {}),
    "a_claim_is_not_told_of": (1, {"which": WHICH}),
    "the_merchant_changes_the_settings": (2, {}),
    "the_clock_goes_forward": (4, {"seconds": st.sampled_from([7, 67, 67, 911, 4_001])}),
    "a_person_retriggers": (2, {"which": WHICH, "force": st.booleans(), "new_key": st.booleans()}),
    "a_person_resolves": (1, {"which": WHICH, "as_": st.sampled_from(["delivered", "discarded"])}),
    "a_person_retriggers_an_event": (1, {"which": WHICH, "force": st.booleans()}),
    "a_person_pauses_or_resumes": (
        1,
        {"store": st.sampled_from(sorted(STORES)), "is_paused": st.sampled_from([False, False, True])},
    ),
}
STEP = st.sampled_from([name for name, (weight, _) in STEPS.items() for _ in range(weight)]).flatmap(
    lambda name: st.builds(Step, does=st.just(name), given=st.fixed_dictionaries(STEPS[name][1]))
)


class Life(RuleBasedStateMachine):
    def __init__(self, service: Service, clock: ModelClock, nowhere: Client) -> None:
        super().__init__()
        self.service, self.clock, self.nowhere = service, clock, nowhere
        self.accounts = {store: Account(name=STORES[store].account) for store in STORES}
        self.orders = {
            (store, number): ModelOrder(has_key=STORES[store].has_key, account=self.accounts[store])
            for store, number in ORDERS
        }
        self.webhooks: list[tuple[Webhook, Event]] = []
        self.under_way: list[UnderWay] = []
        self.forwarders: dict[str, Worker] = {}
        self.dead: set[str] = set()  # claimants
        self.landed_before: dict[tuple[str, int], int] = {}  # how often, when a person last forced it
        self.landed_late: set[tuple[str, int]] = set()  # by an attempt that nobody waited for any more

    @initialize()
    def begin(self) -> None:
        with self.service.database.write() as transaction:
            for table in ("attempts", "notes", "deliveries", "events", "circuits"):
                transaction.connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608  # our own names
        self.service.sandbox.reset()
        self.clock.start, self.clock.ahead = datetime.now(UTC), timedelta(0)
        for name in ("A", "B"):
            self.forwarders[name] = self.service.forwarder()
        for store, number in ORDERS:
            if number > 1:
                self.a_webhook_comes((store, number), "paid", 5)

    @rule(step=STEP)
    def then(self, step: Step) -> None:
        getattr(self, step.does)(**step.given)

    # Webhooks

    def make(self, store: str, number: int, kind: str, minute: int) -> tuple[Webhook, Event]:
        webhook = STORES[store].webhook(store, number, kind, minute, serial=len(self.webhooks))
        same = (one for one in self.webhooks if one[0].identify().event_key == webhook.identify().event_key)
        made = webhook, next((event for _, event in same), webhook.event())
        self.webhooks.append(made)
        return made

    def take(self, webhook: Webhook, event: Event, status: str, event_id: int) -> None:
        """Have the model take in what the service answered so."""
        if event.id:
            assert (status, event_id) == ("duplicate", event.id)
            return
        event.id = event_id
        assert status == self.orders[webhook.order].take(event)

    def a_webhook_comes(self, order: tuple[str, int], kind: str, minute: int) -> None:
        webhook, event = self.make(*order, kind, minute)
        answer = post(self.service, webhook)
        assert answer.status_code == 200
        self.take(webhook, event, answer.json["status"], int(answer.json["event"]))

    def a_webhook_comes_again(self, which: int) -> None:
        webhook, event = self.webhooks[which % len(self.webhooks)]
        answer = post(self.service, webhook)
        self.take(webhook, event, answer.json["status"], int(answer.json["event"]))

    def webhooks_come_together(self, asked: list[tuple[tuple[str, int], str, int]]) -> None:
        """Recorded in one transaction, and no otherwise than one after the other."""
        runtime = self.service.runtime
        together = []
        for order, kind, minute in asked:
            if kind == "again":
                if self.webhooks:
                    together.append(self.webhooks[minute % len(self.webhooks)])
            else:
                together.append(self.make(*order, kind, minute))
        arrivals = []
        for webhook, _ in together:
            identity = webhook.identify()
            accounts = runtime.settings.accounts_for(webhook.store, identity.topics)
            arrivals.append(
                IncomingWebhook(store=webhook.store, identity=identity, body=webhook.body, accounts=accounts)
            )
        recorded = self.service.database.transact(lambda transaction: record_events(transaction, arrivals))
        told = sorted(
            zip(recorded, together, strict=True), key=lambda one: (one[0].event_id, one[0].status == "duplicate")
        )
        for one, (webhook, event) in told:
            self.take(webhook, event, one.status, one.event_id)

    # Forwarders

    def a_forwarder_claims(self, name: str) -> None:
        if len(self.under_way) < MOST_UNDER_WAY:
            self.claim(name)

    def claim(self, name: str) -> list[UnderWay]:
        forwarder = self.forwarders[name]
        before = self.rows()
        claimed = forwarder.claim_due()
        now = self.clock.seconds()
        for key, row in self.rows().items():
            if (row.claimed_by, row.claim_expires_at) == (before[key].claimed_by, before[key].claim_expires_at):
                continue
            delivery = self.delivery(key)
            assert delivery.state == "waiting", "only what waits is claimed"
            assert delivery.claim is None or delivery.claim_until <= now, "a claim that holds is not taken away"
            assert not self.orders[key].account.is_paused
            delivery.claim, delivery.claim_until = forwarder.worker_id, now + 60
        begun = [self.begin_to_carry(name, one) for one in claimed]
        self.under_way += begun
        return begun

    def begin_to_carry(self, name: str, claimed: ClaimedDelivery) -> UnderWay:
        forwarder = self.forwarders[name]
        order = self.orders[self.key(claimed.delivery)]
        carrier = Carrier(self.service.runtime, self.service.sandbox, claimed, self.nowhere)
        forwarder.in_flight.add(claimed, Future())  # as `start` does
        assert order.delivery is not None
        model = order.carry(order.delivery.copy(), self.clock.seconds)
        return UnderWay(carrier=carrier, model=model, key=self.key(claimed.delivery), owner=name)

    def advance(self, one: UnderWay, trick: Trick) -> bool:
        """Let it come to the next place where a process may die. Returns False when it has ended."""
        is_first = one.carrier.at == "claimed"
        had = len(self.landed(one.key))
        place = one.carrier.go_on(trick)
        delivery = self.delivery(one.key)
        if len(self.landed(one.key)) > had and delivery.state != "sending":
            self.landed_late.add(one.key)
        try:
            expected = next(one.model) if is_first else one.model.send(trick)
        except StopIteration:
            expected = ENDED
        assert place == expected, (place, expected)
        if place == ENDED:
            self.under_way.remove(one)
            self.forwarders[one.owner].in_flight.remove(one.carrier.claimed)
        return place != ENDED

    def carry_out(self, one: UnderWay, trick: Trick) -> None:
        while self.advance(one, trick):
            if one.carrier.at == ANSWERED:
                trick = ACCEPT

    def one_goes_a_step_further(self, which: int, trick: Trick) -> None:
        if self.under_way:
            self.advance(self.under_way[which % len(self.under_way)], trick)

    def all_go_a_step_further(self, trick: Trick) -> None:
        for one in list(self.under_way):
            self.advance(one, trick)

    def one_is_carried_to_its_end(self, which: int, trick: Trick) -> None:
        if self.under_way:
            self.carry_out(self.under_way[which % len(self.under_way)], trick)

    def all_that_is_due_is_forwarded(self, name: str, trick: Trick, other: Trick) -> None:
        for one in self.claim(name):
            self.carry_out(one, trick)
            trick = other

    def an_attempt_is_disturbed(
        self, name: str, which: int, place: str, disturbances: list[tuple[str, Any]], trick: Trick, in_step: bool
    ) -> None:
        """Bring one so far, let something happen to just that order, and go on."""
        self.a_forwarder_claims(name)
        if not self.under_way:
            return
        one = self.under_way[which % len(self.under_way)]
        while one.carrier.at != place:
            if not self.advance(one, trick):
                break
        for what, how in disturbances:
            self.disturb(one.key, what, how)
        for _ in range(4 * in_step):
            self.all_go_a_step_further(trick)
        if one in self.under_way:
            self.carry_out(one, trick)

    def disturb(self, key: tuple[str, int], what: str, how: Any) -> None:
        if what in ("silence", "rival", "overtaken"):
            self.the_clock_goes_forward(67)
            self.a_forwarder_recovers(how)
        if what == "rival":
            self.a_forwarder_claims(how)
            for one in [one for one in self.under_way if one.key == key and one.carrier.at == "claimed"]:
                self.advance(one, ACCEPT)
        elif what == "overtaken":
            self.disturb(key, "force", None)
            self.a_forwarder_claims(how)
            for one in [one for one in self.under_way if one.key == key and one.carrier.at == "claimed"]:
                self.carry_out(one, AMBIGUOUS_TRICKS[0])
        elif what == "death":
            self.a_process_dies("A")
            self.the_dead_are_found()
            self.a_forwarder_recovers("B")
        elif what in ("force", "new_key"):
            self.a_person_retriggers(self.made().index(key), force=True, new_key=what == "new_key")
        elif what in ("discarded", "delivered"):
            self.a_person_resolves(self.made().index(key), as_=what)
        elif what != "silence":
            self.a_webhook_comes(key, what, how)

    def a_forwarder_recovers(self, name: str) -> None:
        forwarder = self.forwarders[name]
        held = forwarder.in_flight.ids()
        forwarder.recover()
        self.release(forwarder.worker_id, besides=held)
        for order in self.orders.values():
            order.recover(self.clock.seconds())

    def release(self, claim: str, *, besides: set[int]) -> None:
        for key, row in self.rows().items():
            delivery = self.delivery(key)
            if delivery.state == "waiting" and delivery.claim == claim and row.id not in besides:
                delivery.claim = None

    def a_forwarder_gives_back_what_it_does_not_send(self, name: str) -> None:
        claim = self.forwarders[name].worker_id
        release_claims(self.service.database, claim)
        self.release(claim, besides=set())

    def a_process_dies(self, name: str) -> None:
        for one in [one for one in self.under_way if one.owner == name]:
            one.carrier.die()
            self.under_way.remove(one)
        self.dead.add(self.forwarders[name].worker_id)
        self.forwarders[name] = self.service.forwarder()

    def the_dead_are_found(self) -> None:
        expire_leases_of_dead_workers(self.service.database, self.dead.__contains__)
        for order in self.orders.values():
            if order.delivery and order.delivery.claim in self.dead:
                order.delivery.claim_until = min(order.delivery.claim_until, self.clock.seconds())

    def a_claim_is_not_told_of(self, which: int) -> None:
        """The database committed it and did not live to say so: nobody carries what was claimed."""
        unbegun = [one for one in self.under_way if one.carrier.at == "claimed"]
        if not unbegun:
            return
        one = unbegun[which % len(unbegun)]
        self.under_way.remove(one)
        self.forwarders[one.owner].in_flight.remove(one.carrier.claimed)

    def the_clock_goes_forward(self, seconds: int) -> None:
        self.clock.forward(seconds)

    # People

    def the_merchant_changes_the_settings(self) -> None:
        """The same order makes other bytes from now on."""
        settings = self.service.runtime.settings
        erp = settings.accounts["erp"]
        changed: Any = replace(erp, shipping_name=f"Envío {len(self.webhooks)}-{self.clock.seconds():.0f}")  # type: ignore[call-arg]
        settings = replace(settings, accounts={**settings.accounts, "erp": changed})
        self.service.runtime = replace(self.service.runtime, settings=settings)

    def a_person_retriggers(self, which: int, force: bool, new_key: bool) -> None:
        key = self.pick(which)
        answer = self.act(key, "retrigger", force=force, new_key=new_key)
        if self.orders[key].retrigger(self.clock.seconds(), force=force, new_key=new_key):
            assert answer.status_code == 202
            self.note_force(key, is_forced=force)
        else:
            assert answer.status_code == 409

    def a_person_resolves(self, which: int, as_: str) -> None:
        key = self.pick(which)
        answer = self.act(key, "resolve", **{"as": as_})
        assert answer.status_code == (200 if self.orders[key].resolve(as_) else 409)

    def a_person_retriggers_an_event(self, which: int, force: bool) -> None:
        webhook, event = self.webhooks[which % len(self.webhooks)]
        order = self.orders[webhook.order]
        had = order.delivery is not None
        answer = self.service.api(f"/events/{event.id}/retrigger", json={"force": force})
        assert answer.status_code == 202
        done = [one["done"] for one in answer.json["deliveries"]]
        now = self.clock.seconds()
        is_done = order.retrigger(now, force=force) if had else order.make(event, force=force)
        assert done == (["queued"] if is_done else ["left"] if had else [])
        if is_done:
            self.note_force(webhook.order, is_forced=force)

    def note_force(self, key: tuple[str, int], *, is_forced: bool) -> None:
        if is_forced:
            self.landed_before[key] = len(self.landed(key))

    def a_person_pauses_or_resumes(self, store: str, is_paused: bool) -> None:
        account = self.accounts[store]
        verb = "pause" if is_paused else "resume"
        assert self.service.api(f"/accounts/{account.name}/{verb}", json={}).status_code < 300
        account.change(self.clock.seconds(), is_paused=is_paused, is_open=account.is_open and is_paused)

    def act(self, key: tuple[str, int], what: str, **asked: Any) -> Any:
        return self.service.api(f"/deliveries/{self.rows()[key].id}/{what}", json=asked)

    # What must hold

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
        with self.service.database.read() as session:
            found = session.exec(select(DeliveryRow)).all()
            self._attempts = session.exec(select(Attempt).order_by(col(Attempt.number))).all()
            self._alerts = session.exec(select(Note).where(Note.kind == "alert")).all()
        assert len({self.key(row) for row in found}) == len(found)
        return {self.key(row): row for row in found}

    def landed(self, key: tuple[str, int]) -> list[str]:
        """The ids under which the destination has the order."""
        store, number = key
        return [
            str(order.remote_id)
            for order in self.service.sandbox.orders(STORES[store].destination)
            if STORES[store].is_about(order, number)
        ]

    @invariant()
    def all_is_as_it_must_be(self) -> None:
        rows = self.rows()
        landed = {key: self.landed(key) for key in rows}
        assert {key: self.shown(row) for key, row in rows.items()} == {key: self.expected(key) for key in self.made()}
        for key, row in rows.items():
            delivery = self.delivery(key)
            assert len(landed[key]) <= 1 + delivery.forced, "doubled, and nobody forced it"
            self.check_what_is_told(key, row, landed[key])
        now = self.clock()
        held = Counter(row.account for row in rows.values() if row.claimed_by and row.claim_expires_at > now)
        assert all(count <= CONCURRENCY for count in held.values())

    def check_what_is_told(self, key: tuple[str, int], row: Any, landed: list[str]) -> None:
        delivery = self.delivery(key)
        if row.state == "delivered" and not delivery.told_by_hand:
            assert row.remote_id in landed
        is_surely_not_there = row.reason in (REFUSED, EXHAUSTED, UNMAPPABLE, CANCELLED, FILTERED) or (
            row.state == "waiting" and row.locked_since is None
        )
        is_persons_risk = delivery.forced and key in self.landed_late
        if is_surely_not_there and not is_persons_risk:
            assert len(landed) == self.landed_before.get(key, 0), "it is there all the same"
        if row.reason == UNCERTAIN and not delivery.forced:
            assert {AMBIGUOUS, CONFLICT} & set(delivery.attempts), "no attempt was doubtful"

    def shown(self, row: Any) -> dict[str, Any]:
        tried = [one for one in self._attempts if one.delivery_id == row.id]
        return {
            "state": row.state,
            "reason": row.reason,
            "event": row.event_id,
            "claim": row.claimed_by,
            "attempts": row.attempts,
            "outcomes": [(one.number, one.outcome) for one in tried],
            "revision": row.revision,
            "sku": row.body and STORES[row.store].sku_of(json.loads(row.body)),
            "key": row.idempotency_key,
            "is_frozen": row.locked_since is not None,
            "is_forbidden": row.first_forbidden_at is not None,
            "overruled": row.override_event_id or 0,
            "alerts": sum(note.delivery_id == row.id for note in self._alerts),
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
            "alerts": delivery.alerts,
        }

    def teardown(self) -> None:
        for one in self.under_way:
            one.carrier.die()
        self.under_way = []
        if sys.exc_info()[0] is None:
            self.account_for_everything()
        super().teardown()

    def account_for_everything(self) -> None:
        """With destinations that behave, and time, all that waits arrives; nothing stays under way."""
        for name in "AB":
            self.a_process_dies(name)
        for store in STORES:
            self.a_person_pauses_or_resumes(store, is_paused=False)
        for _ in range(30):
            self.the_clock_goes_forward(911)
            self.a_forwarder_recovers("A")
            self.all_that_is_due_is_forwarded("A", ACCEPT, ACCEPT)
            self.all_is_as_it_must_be()
            if not any(self.delivery(key).state in ("waiting", "sending") for key in self.made()):
                return
        raise AssertionError("something is still on its way")
