"""A model of the expected delivery lifecycle, in memory: no database, no network, none of the connector's code.

Times are in seconds. The model predicts each step and never reads the connector's state.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.model.outcomes import (
    AMBIGUOUS,
    CONFLICT,
    DELIVERED,
    NOT_PROCESSED,
    REFUSED,
    SENDING,
    TOKEN_EXPIRED,
    UNAUTHORIZED,
    Trick,
)

Content = Literal["good", "unpaid", "unmappable", "cancelled"]

LEASE_S = 60.0
AMBIGUOUS_FOR_S = 900.0
RETRY_FOR_S = 950.0
READINGS = 5

UNMAPPABLE, UNCERTAIN, EXHAUSTED, HELD = "unmappable", "uncertain", "exhausted", "held"
CANCELLED, FILTERED, BY_HAND = "cancelled", "filtered", "by hand"


@dataclass(kw_only=True)
class Event:
    """A webhook and what it says about its order."""

    minute: int  # the source's time of the change
    says_paid: bool  # its body does
    cancels: bool  # it says so, and nothing newer was known when it came
    content: Content
    sku: str  # by which a body tells what it was made from
    is_whole: bool = True  # False: the order was deleted, there is nothing to read
    is_restored: bool = False  # it says that the order is back from the trash
    id: int = 0
    number: int = 0  # of arrival

    @property
    def age(self) -> tuple[int, bool, int]:
        return self.minute, self.says_paid, self.number

    def is_after(self, cancellation: "Event") -> bool:
        return (self.is_restored and not cancellation.is_whole) or self.minute > cancellation.minute


@dataclass(kw_only=True)
class Account:
    """Pauses and credential failures of an account, and the start times of its successful attempts."""

    name: str
    is_paused: bool = False
    is_open: bool = False
    passed: list[float] = field(default_factory=list)
    _shut_s: float = 0.0
    _since: float = 0.0

    def shut_s(self, now: float) -> float:
        return self._shut_s + (now - self._since if self.is_paused or self.is_open else 0.0)

    def change(self, now: float, *, is_paused: bool | None = None, is_open: bool | None = None) -> None:
        self._shut_s, self._since = self.shut_s(now), now
        self.is_paused = self.is_paused if is_paused is None else is_paused
        self.is_open = self.is_open if is_open is None else is_open

    def note(self, outcome: str, now: float) -> None:
        """Rejected credentials open the circuit; any sign that they work closes it."""
        if outcome == UNAUTHORIZED:
            self.change(now, is_open=True)
        elif outcome in (DELIVERED, REFUSED, CONFLICT):
            self.change(now, is_open=False)


@dataclass(kw_only=True)
class Delivery:
    event: Event
    state: str = "waiting"
    reason: str | None = None
    remote_id: str | None = None
    news: int = 0  # grows with all that makes its due time another
    claim: str | None = None
    claim_until: float = 0.0
    attempts: list[str] = field(default_factory=list)
    revision: int = 1
    sku: str | None = None  # of the bytes that were last sent, under
    sent_revision: int = 0
    frozen_since: float | None = None
    forbidden_since: float | None = None
    run_started_at: float | None = None
    run_shut_s: float = 0.0
    overruled: int = 0  # the last event in spite of which an operator sent it
    is_forced: bool = False  # an operator forced it
    ignores_routes: bool = False  # an operator named it
    alerts: int = 0
    forced: int = 0  # how often an operator forced it to be sent again
    is_set_by_hand: bool = False  # its state was set by an operator

    def copy(self) -> "Delivery":
        return replace(self, attempts=list(self.attempts))

    def stop(self, *, is_doubtful: bool) -> None:
        """Handle the cancellation of the order."""
        if self.state == "discarded" and self.reason != FILTERED:
            return
        if self.state in ("sending", "delivered") or self.reason == UNCERTAIN:
            self.alerts += 1
            return
        self.claim = None
        if self.frozen_since is not None:
            self.state, self.reason = "parked", UNCERTAIN
            self.alerts += 1
        elif is_doubtful:
            self.state, self.reason = "parked", HELD
        else:
            self.state, self.reason = "discarded", CANCELLED

    def comes_back(self) -> bool:
        return self.reason in (UNMAPPABLE, FILTERED)

    def start_afresh(self) -> None:
        self.state, self.reason, self.claim = "waiting", None, None
        self.forbidden_since = self.run_started_at = None
        self.is_set_by_hand = False
        self.news += 1


@dataclass(kw_only=True)
class Order:
    has_key: bool  # of its destination
    account: Account
    can_come_back: bool  # its store can undo a cancellation
    events: list[Event] = field(default_factory=list)
    delivery: Delivery | None = None
    taken: dict[int, str] = field(default_factory=dict)  # at a destination with keys: revision -> sku

    def newest(self) -> Event | None:
        return max((event for event in self.events if event.is_whole), key=lambda event: event.age, default=None)

    def is_cancelled(self, *, after: int = 0) -> bool:
        return any(event.cancels and event.id > after for event in self.events)

    # Incoming webhooks

    def take(self, event: Event) -> str:
        """Record a new event and return the status in the response."""
        event.number = len(self.events)
        deleted_at = max(
            (earlier.number for earlier in self.events if earlier.cancels and not earlier.is_whole), default=0
        )
        if any(earlier.is_whole and earlier.minute >= event.minute for earlier in self.events[:deleted_at]):
            event.is_restored = False  # only a header says that it is
        event.cancels = event.cancels and not self._is_undone(event)
        if event.cancels and self.delivery:
            self.delivery.stop(is_doubtful=self._is_doubtful(event))
        self.events.append(event)
        newest = self.newest()
        if self.is_cancelled() and event is newest and event.says_paid and event.content != "cancelled":
            self._come_back(event)
        if self.delivery is None and event.says_paid and newest is not None and not self.is_cancelled():
            self.delivery = Delivery(event=newest)
        if newest is event and self.delivery:
            self._renew(self.delivery, event)
        return "accepted" if self.delivery else "ignored"

    def repeat(self, deletion: Event) -> Event | None:
        """Return the new event of a deletion whose bytes came before, or None if it is a copy."""
        newest, last = self.newest(), self.last_deletion()
        assert last is not None
        if not self.can_come_back or newest is None or newest.number < last.number:
            return None
        before = [event for event in self.events[: last.number] if event.is_whole]
        return None if any(event.minute >= newest.minute for event in before) else replace(deletion, id=0, cancels=True)

    def last_deletion(self) -> Event | None:
        deletions = [event for event in self.events if not event.is_whole]
        return deletions[-1] if deletions else None

    def _is_doubtful(self, cancellation: Event) -> bool:
        """Return whether it is a deletion that may be a copy of an earlier one, or older than a restoration."""
        earlier = self.events[: cancellation.number]
        return not cancellation.is_whole and any(not event.is_whole or event.is_restored for event in earlier)

    def _is_undone(self, cancellation: Event) -> bool:
        """Return whether a version is known that was made after the cancellation."""
        newest = self.newest()
        if not cancellation.is_whole:
            if self.last_deletion() is not None:
                return False
            restorations = [event for event in self.events if event.is_restored and self._is_newest_so_far(event)]
            if restorations and newest is not None and newest.says_paid:
                return True
        return any(earlier.is_whole and earlier.minute > cancellation.minute for earlier in self.events)

    def _is_newest_so_far(self, event: Event) -> bool:
        earlier = [other for other in self.events[: event.number] if other.is_whole]
        return all(other.minute < event.minute for other in earlier)

    def _come_back(self, newest: Event) -> None:
        """A paid version of the cancelled order has come: it is sent, or a person decides, or it is older than that."""
        later = [event for event in self.events if event.cancels and not newest.is_after(event)]
        if later and not (self.can_come_back and not any(event.is_whole for event in later)):
            return
        delivery = self.delivery
        was_processed = delivery is not None and (
            delivery.state in ("sending", "delivered")
            or delivery.reason == UNCERTAIN
            or delivery.frozen_since is not None
            or bool({DELIVERED, REFUSED, AMBIGUOUS, CONFLICT, SENDING} & set(delivery.attempts))
        )
        if self.can_come_back and not later and not was_processed:
            for event in self.events:
                event.cancels = False
            if delivery and delivery.reason == CANCELLED:
                delivery.start_afresh()
        elif delivery is None:
            self.delivery = Delivery(event=newest, state="parked", reason=HELD)
        elif delivery.reason == CANCELLED:
            delivery.state, delivery.reason, delivery.event = "parked", HELD, newest
        elif delivery.state in ("sending", "delivered") or delivery.reason == UNCERTAIN:
            delivery.alerts += 1

    def _renew(self, delivery: Delivery, newest: Event) -> None:
        if delivery.frozen_since is not None:
            return
        if delivery.state == "waiting" or delivery.comes_back() or delivery.reason in (REFUSED, EXHAUSTED, HELD):
            delivery.event = newest
        if delivery.comes_back() or (delivery.reason == HELD and not self.is_cancelled()):
            delivery.start_afresh()
        elif delivery.state == "waiting":
            delivery.news += 1

    # Worker

    def carry(self, seen: Delivery, clock: Callable[[], float]) -> Generator[str, Trick, None]:
        """Yield the stop points of a claimed delivery, and apply the expected changes at each.

        Args:
            seen: how it was when it was claimed.
        """
        delivery, claim = self.delivery, seen.claim
        assert delivery is not None
        may_refresh = True
        for _ in range(READINGS):
            if left := self._read(seen):
                if self._is_as_seen(seen):
                    delivery.state, delivery.reason = left
                    delivery.claim = None
                    return
            else:
                outcome = yield from self._attempt(seen, clock, may_refresh=may_refresh)
                if outcome is not None and outcome != TOKEN_EXPIRED:
                    return
                may_refresh = may_refresh and outcome != TOKEN_EXPIRED
            if delivery.state != "waiting" or delivery.claim != claim:
                return
            seen = delivery.copy()

    def _read(self, seen: Delivery) -> tuple[str, str] | None:
        """Return the state and reason for an order that must not be sent, or None."""
        if seen.frozen_since is not None:
            return None
        if seen.event.content == "cancelled" and not seen.is_forced:
            return "discarded", CANCELLED
        is_unpaid = seen.event.content in ("unpaid", "cancelled") and not seen.event.says_paid
        if is_unpaid and not seen.ignores_routes:
            return "discarded", FILTERED
        return ("parked", UNMAPPABLE) if seen.event.content == "unmappable" else None

    def _is_as_seen(self, seen: Delivery) -> bool:
        delivery = self.delivery
        assert delivery is not None
        is_held = delivery.state == "waiting" and delivery.claim == seen.claim
        is_same = delivery.event is seen.event and delivery.news == seen.news
        return is_held and is_same and len(delivery.attempts) == len(seen.attempts)

    def _attempt(
        self, seen: Delivery, clock: Callable[[], float], *, may_refresh: bool
    ) -> Generator[str, Trick, str | None]:
        delivery = self.delivery
        assert delivery is not None
        number = len(seen.attempts) + 1
        trick = yield "packed"
        began = clock()
        if trick.token_status and not self.has_key:
            outcome = UNAUTHORIZED if trick.token_status == 401 else NOT_PROCESSED
            if delivery.state == "waiting" and delivery.claim == seen.claim and len(delivery.attempts) == number - 1:
                delivery.attempts.append(outcome)
                self._begin_run(began)
                self._settle(seen, outcome, began, clock(), was_sent=False)
                self._catch_up()
            self.account.note(outcome, clock())
            return outcome
        if not (self._is_as_seen(seen) and delivery.claim_until > began):
            return None
        delivery.state, delivery.claim_until = "sending", began + LEASE_S
        delivery.attempts.append(SENDING)
        self._begin_run(began)
        sku = seen.sku if seen.frozen_since is not None else seen.event.sku
        revision = seen.sent_revision if seen.frozen_since is not None else seen.revision
        delivery.sku, delivery.sent_revision = sku, revision
        trick = yield "sending"
        outcome = self._answer(trick, revision, sku)
        yield "answered"
        if outcome == TOKEN_EXPIRED and not may_refresh:
            outcome = UNAUTHORIZED
        self._record(seen, number, outcome, began, clock())
        self.account.note(outcome, clock())
        return outcome

    def _begin_run(self, now: float) -> None:
        delivery = self.delivery
        assert delivery is not None
        if delivery.run_started_at is None:
            delivery.run_started_at, delivery.run_shut_s = now, self.account.shut_s(now)

    def _answer(self, trick: Trick, revision: int, sku: str | None) -> str:
        if not self.has_key:
            return trick.rayo
        if trick.takes_order:
            assert sku is not None
            if self.taken.setdefault(revision, sku) != sku:
                return CONFLICT
        return trick.lapyme

    def _record(self, seen: Delivery, number: int, outcome: str, began: float, now: float) -> None:
        delivery = self.delivery
        assert delivery is not None
        is_current = len(delivery.attempts) == number
        if delivery.state == "sending" and delivery.claim == seen.claim and is_current:
            delivery.attempts[-1] = outcome
            self._settle(seen, outcome, began, now)
            self._catch_up()
        elif is_current and outcome == DELIVERED and (delivery.state == "waiting" or delivery.reason == UNCERTAIN):
            delivery.attempts[-1] = outcome
            self._settle(seen, outcome, began, now)
        else:
            delivery.alerts += 1

    def _settle(self, seen: Delivery, outcome: str, began: float, now: float, *, was_sent: bool = True) -> None:
        """Apply the outcome of an attempt. A refusal after an ambiguous attempt does not resolve that one."""
        delivery = self.delivery
        assert delivery is not None
        frozen, forbidden = seen.frozen_since, seen.forbidden_since
        if outcome == TOKEN_EXPIRED:
            delivery.state, delivery.forbidden_since = "waiting", None
            delivery.news += 1
            return
        delivery.claim, delivery.forbidden_since, delivery.is_set_by_hand = None, None, False
        if outcome == DELIVERED:
            delivery.state, delivery.reason, delivery.frozen_since = "delivered", None, None
            self.account.passed.append(began)
            return
        if outcome == AMBIGUOUS and self.has_key and frozen is None:
            frozen = began
        delivery.frozen_since = frozen
        is_forbidden = outcome == UNAUTHORIZED and was_sent
        is_alone = is_forbidden and forbidden is not None and any(at > forbidden for at in self.account.passed)
        elapsed = now - began
        if seen.run_started_at is not None:
            elapsed = now - seen.run_started_at - (self.account.shut_s(now) - seen.run_shut_s)
        if (
            outcome == CONFLICT
            or (outcome == AMBIGUOUS and not self.has_key)
            or (frozen is not None and (outcome == REFUSED or now - frozen >= AMBIGUOUS_FOR_S))
        ):
            delivery.state, delivery.reason = "parked", UNCERTAIN
        elif frozen is None and (outcome == REFUSED or is_alone):
            delivery.state, delivery.reason = "parked", REFUSED
        elif frozen is None and elapsed >= RETRY_FOR_S:
            delivery.state, delivery.reason = "parked", EXHAUSTED
        else:
            delivery.state = "waiting"
            delivery.forbidden_since = (forbidden if forbidden is not None else now) if is_forbidden else None
            delivery.news += 1

    def _catch_up(self) -> None:
        """Apply the events received during an attempt."""
        delivery, newest = self.delivery, self.newest()
        assert delivery is not None
        if delivery.state == "waiting" or delivery.reason in (REFUSED, EXHAUSTED):
            if self.is_cancelled(after=delivery.overruled):
                if delivery.frozen_since is None and newest is not None and self._has_come_back(newest):
                    delivery.state, delivery.reason, delivery.event = "parked", HELD, newest
                    delivery.claim = None
                else:
                    cancellations = [event for event in self.events if event.cancels and event.id > delivery.overruled]
                    delivery.stop(is_doubtful=all(map(self._is_doubtful, cancellations)))
            elif delivery.frozen_since is None and newest is not None:
                delivery.event = newest

    def _has_come_back(self, newest: Event) -> bool:
        is_alive = newest.says_paid and not newest.cancels
        return is_alive and all(newest.is_after(event) for event in self.events if event.cancels)

    def recover(self, now: float) -> None:
        """Recover an attempt of a dead or silent worker."""
        delivery = self.delivery
        if delivery is None or delivery.state != "sending" or delivery.claim_until > now:
            return
        delivery.attempts[-1] = AMBIGUOUS
        delivery.claim = None
        if self.has_key:
            delivery.state = "waiting"
            delivery.frozen_since = now if delivery.frozen_since is None else delivery.frozen_since
            delivery.news += 1
            self._catch_up()
        else:
            delivery.state, delivery.reason = "parked", UNCERTAIN

    # Operator actions

    def retrigger(self, now: float, *, force: bool, new_key: bool = False, ignores_routes: bool = True) -> bool:
        """Perform the action if it is allowed. Returns whether it was."""
        delivery, newest = self.delivery, self.newest()
        assert delivery is not None
        assert newest is not None
        needs_force = delivery.state in ("delivered", "discarded") or delivery.reason == UNCERTAIN
        if delivery.state == "sending" or (needs_force and not force):
            return False
        if new_key and not (force and self.has_key and delivery.state != "waiting"):
            return False
        was_refused = delivery.reason == REFUSED
        was_held = delivery.reason == HELD
        if (delivery.state == "discarded" or was_held) and delivery.attempts:
            was_refused = delivery.attempts[-1] == REFUSED
        may_be_there = delivery.state == "delivered" or delivery.reason == UNCERTAIN
        may_be_there = may_be_there or delivery.frozen_since is not None
        if delivery.state == "waiting":
            delivery.news += 1
        else:
            keeps_bytes = self.has_key and may_be_there and delivery.sku is not None and not new_key
            delivery.start_afresh()
            if keeps_bytes:
                delivery.frozen_since = now
            else:
                delivery.frozen_since, delivery.event = None, newest
                delivery.revision += self.has_key and (new_key or was_refused)
        if force or was_held:
            delivery.overruled = max(event.id for event in self.events)
        if force:
            delivery.is_forced = True
            delivery.ignores_routes = delivery.ignores_routes or ignores_routes
            delivery.forced += 1
        return True

    def make(self, event: Event, *, force: bool) -> bool:
        """Create the missing delivery of an event."""
        newest = self.newest()
        if not event.says_paid or newest is None or (self.is_cancelled() and not force):
            return False
        self.delivery = Delivery(event=newest)
        if force:
            self.delivery.overruled, self.delivery.forced = max(event.id for event in self.events), 1
            self.delivery.is_forced = True
        return True

    def resolve(self, as_: str) -> bool:
        delivery = self.delivery
        assert delivery is not None
        if delivery.state != "parked" and not (delivery.state == "waiting" and as_ == "discarded"):
            return False
        delivery.state, delivery.claim = as_, None
        delivery.reason = BY_HAND if as_ == "discarded" else None
        delivery.is_set_by_hand = True
        return True
