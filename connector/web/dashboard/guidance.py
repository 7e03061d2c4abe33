"""What a delivery's state means for a person: an explanation, the steps that help, and the actions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.database.models import Attempt, Delivery, Reason, State
from connector.runtime import Runtime
from connector.web.dashboard.available_actions import (
    Action,
    discard_action,
    looked_words,
    may_have_arrived,
    parked_actions,
    resolve_action,
    retrigger_action,
    send_again_actions,
    send_anyway_action,
)
from connector.web.dashboard.blocked_accounts import (
    Block,
    block_steps,
    describe_waiting,
    destination_steps,
    explain_block,
    find_blocks,
)
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.order_search import OrderSearch, build_search
from mappings import DESTINATIONS
from mappings.advice import Advice
from mappings.destination import Outcome
from mappings.settings import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFor:
    """What a waiting delivery waits for, with other orders."""

    block: Block
    explanation: str
    waiting: str  # how many orders wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """What happened to a delivery, what to do about it, and the available actions.

    Args:
        has_alternatives: any one of the steps is enough.
        quiet_actions: those that a person rarely needs, for the end of the page.
    """

    explanation: str
    steps: list[str] = field(default_factory=list)
    has_alternatives: bool = False
    actions: list[Action] = field(default_factory=list)
    quiet_actions: list[Action] = field(default_factory=list)
    search: OrderSearch | None = None
    waiting_for: list[WaitingFor] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A delivery, and what its guidance depends on.

    Args:
        needs_fetch: something of the order is fetched from its store before it is sent.
        lacks_address_part: a problem is about a part of the address that some customers write in another field.
    """

    runtime: Runtime
    delivery: Delivery
    attempts: Sequence[Attempt]
    needs_fetch: bool
    lacks_address_part: bool

    @property
    def order(self) -> str:
        return self.delivery.order_number or self.delivery.order_id

    @property
    def advice(self) -> Advice:
        destination = DESTINATIONS.get(self.delivery.destination)
        return destination.advice if destination else Advice()

    @property
    def supports_idempotency(self) -> bool:
        """Sending the same bytes again is safe."""
        return self.delivery.destination in self.runtime.destinations_with_idempotency

    @property
    def store(self) -> Store | None:
        return self.runtime.settings.stores_by_id.get(self.delivery.store)

    def build_search(self) -> OrderSearch | None:
        return build_search(self.delivery, self.attempts, now=self.runtime.clock())

    def destination_steps(self, reason: str) -> list[str]:
        return destination_steps(self.runtime, self.delivery.account, reason)


def build_guidance(situation: Situation) -> Guidance:
    """Return the guidance for a delivery in its current state."""
    match situation.delivery.state, situation.delivery.reason:
        case State.WAITING, _reason:
            return waiting_guidance(situation)
        case State.SENDING, _reason:
            return Guidance(explanation=_("An attempt is in progress. Wait for its result."))
        case State.DELIVERED, _reason:
            words = looked_words(situation.advice, is_delivered=True)
            return Guidance(
                explanation=_("The destination has the order. No action needed."),
                quiet_actions=send_again_actions(words, supports_idempotency=situation.supports_idempotency),
            )
        case State.PARKED, Reason.UNMAPPABLE:
            return unmappable_guidance(situation)
        case State.PARKED, Reason.REFUSED:
            return refused_guidance(situation)
        case State.PARKED, Reason.UNCERTAIN:
            return uncertain_guidance(situation)
        case State.PARKED, Reason.HELD:
            return held_guidance(situation)
        case State.PARKED, _reason:
            return exhausted_guidance(situation)
        case _:
            return discarded_guidance(situation)


def waiting_guidance(situation: Situation) -> Guidance:
    delivery, runtime = situation.delivery, situation.runtime
    actions = [retrigger_action(_("Try now")), discard_action()]
    blocks = find_blocks(runtime)
    held_by = [blocks.get(("account", delivery.account))]
    if situation.needs_fetch:
        held_by.append(blocks.get(("store", delivery.store)))
    waiting_for = [
        WaitingFor(block=block, explanation=explain_block(runtime, block), waiting=describe_waiting(runtime, block))
        for block in held_by
        if block is not None
    ]
    if not waiting_for:
        return Guidance(
            explanation=_("The order is queued or between two attempts. No action needed."), actions=actions
        )
    return Guidance(
        explanation=_("The order waits, and others with it. Nothing is lost: it is sent when this has ended."),
        steps=[step for item in waiting_for for step in block_steps(runtime, item.block)],
        actions=actions,
        waiting_for=waiting_for,
    )


def unmappable_guidance(situation: Situation) -> Guidance:
    delivery, store = situation.delivery, situation.store
    if any(problem["code"] == "unknown_payment_status" for problem in delivery.problems):
        return unknown_payment_guidance()
    lacks_row = [bool(problem.get("table")) for problem in delivery.problems]
    steps = [missing_row_step()] if any(lacks_row) else []
    if any(problem.get("fields") for problem in delivery.problems):
        steps.append(_("Enter what is missing under “Complete the order here”. The order is sent at once."))
    if not (lacks_row and all(lacks_row)):
        steps += [
            _(
                "Open order %(order)s in the store's admin, correct the data listed above and save. The store then "
                "sends an update to /webhooks/%(store)s, and the order is retried automatically.",
                order=situation.order,
                store=store.name if store else delivery.store,
            ),
            address_setting_step(store) if situation.lacks_address_part and store else settings_step(),
        ]
    steps += [
        *situation.destination_steps(Reason.UNMAPPABLE),
        _("If the order was handled in another way, mark it as delivered or discard it."),
    ]
    return Guidance(
        explanation=_("The order or the account's settings are incomplete. Nothing was sent."),
        steps=steps,
        has_alternatives=True,
        actions=parked_actions(),
    )


def unknown_payment_guidance() -> Guidance:
    warning = _("The order will be sent although the connector does not know whether it is paid.")
    return Guidance(
        explanation=_("The store reports a payment status that its platform does not document. Nothing was sent."),
        steps=[
            _("Check in the store's admin whether the order is paid."),
            _("If it is, click Send anyway. If it is not, wait: the order is retried when the store sends an update."),
        ],
        actions=[send_anyway_action(warning), resolve_action(), discard_action()],
    )


def address_setting_step(store: Store) -> str:
    return _(
        "If your customers write it in another field, configure that field. For example, set "
        'district_from = "shipping_address.address2" under [stores.%(store)s] in connector.toml; number_from and '
        "unit_from do the same for the numbers. Then restart the service and click Retrigger.",
        store=store.name,
    )


def missing_row_step() -> str:
    return _("Enter the missing row below. This order and all others that wait for it are then retried.")


def settings_step() -> str:
    return _(
        "If a setting or a row of a lookup table is missing, add it. Orders that wait for a row are retried "
        "automatically. After any other change of connector.toml, restart the service and click Retrigger."
    )


def refused_guidance(situation: Situation) -> Guidance:
    return Guidance(
        explanation=_("The destination refused the order."),
        steps=[
            _("Correct what the response names: in the store, at the destination or in the settings."),
            *situation.destination_steps(Reason.REFUSED),
            _("Click Retrigger. The newest version of the order is sent."),
        ],
        actions=parked_actions(),
    )


def uncertain_guidance(situation: Situation) -> Guidance:
    has_conflict = bool(situation.attempts) and situation.attempts[-1].outcome == Outcome.CONFLICT
    steps = situation.destination_steps(Reason.UNCERTAIN) or [
        _("Check at the destination for order %(order)s.", order=situation.order)
    ]
    if has_conflict:
        steps.append(
            _(
                "The destination has received other content under this order's idempotency key. Send again would be "
                "refused in the same way: if the order is not there, use Send as new."
            )
        )
    steps += [
        _("If it is there, click Mark as delivered and enter its ID at the destination."),
        _("If it is not there, and the time below has passed, click Send again."),
    ]
    return Guidance(
        explanation=_(
            "An attempt had no clear response, so the order may or may not have arrived. Check at the destination."
        ),
        steps=steps,
        actions=[
            resolve_action(),
            *send_again_actions(looked_words(situation.advice), supports_idempotency=situation.supports_idempotency),
            discard_action(),
        ],
        search=situation.build_search(),
    )


def exhausted_guidance(situation: Situation) -> Guidance:
    return Guidance(
        explanation=_("The order did not arrive, and the time for retries is over."),
        steps=[
            _("Test the connection on the Accounts page."),
            *situation.destination_steps(Reason.EXHAUSTED),
            _("When the destination works again, click Retrigger."),
        ],
        actions=parked_actions(),
    )


def held_guidance(situation: Situation) -> Guidance:
    was_sent = may_have_arrived(situation.delivery, situation.attempts)
    if situation.delivery.sent_before_restore:
        return restored_guidance(situation)
    return Guidance(
        explanation=_("The connector does not decide whether to send this order. The reason is listed above."),
        steps=[
            _("Check order %(order)s in the store's admin.", order=situation.order),
            *(situation.destination_steps(Reason.UNCERTAIN) if was_sent else []),
            *situation.destination_steps(Reason.HELD),
            _("If it must be sent, click Retrigger. Its newest version is sent."),
            _("If the order was handled in another way, mark it as delivered or discard it."),
        ],
        actions=parked_actions(looked_words(situation.advice) if was_sent else None),
        search=situation.build_search() if was_sent else None,
    )


def restored_guidance(situation: Situation) -> Guidance:
    steps = situation.destination_steps(Reason.UNCERTAIN) or [
        _("Check at the destination for order %(order)s.", order=situation.order)
    ]
    return Guidance(
        explanation=_(
            "The connector's database was restored from a backup. The backup does not know whether this order was sent "
            "before that."
        ),
        steps=[
            *steps,
            _("If it is there, click Mark as delivered and enter its ID at the destination."),
            _("If it is not there and must be sent, click Retrigger. Its newest version is sent."),
        ],
        actions=parked_actions(looked_words(situation.advice)),
        search=situation.build_search(),
    )


def discarded_guidance(situation: Situation) -> Guidance:
    was_sent = may_have_arrived(situation.delivery, situation.attempts)
    words = looked_words(situation.advice) if was_sent else None
    return Guidance(
        explanation=explain_discard(situation.delivery.reason),
        actions=[send_anyway_action(_("The order will be sent although it was discarded."), words)],
        search=situation.build_search() if was_sent else None,
    )


def explain_discard(reason: str | None) -> str:
    if reason == Reason.CANCELLED:
        return _("The store cancelled the order before it was sent. No action needed.")
    if reason == Reason.FILTERED:
        return _("No route accepts the order as it is. It is retried automatically if a newer version matches a route.")
    if reason == Reason.EXPIRED:
        return _(
            "The order was parked, and nobody acted on it for so long that it was discarded. The timeline says why it "
            "was parked."
        )
    return _("The order was discarded manually.")
