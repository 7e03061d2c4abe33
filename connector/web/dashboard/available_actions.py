"""What a state means for a person: an explanation, the steps that help, and the actions that it allows."""

from dataclasses import dataclass, field

from connector.database.models import Delivery, Reason, State
from connector.settings import Settings
from connector.web.dashboard.i18n import gettext as _
from mappings.settings import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A button, and the form behind it.

    Args:
        name: the view that it posts to: "retrigger", "resolve" or "discard".
        parameters: hidden fields of the form, such as `force`.
        asks_remote_id: the form asks for the order's id at the destination.
        is_destructive: it ends the delivery or could create a duplicate order, so a note is required.
    """

    name: str
    label: str
    warning: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    asks_remote_id: bool = False
    is_destructive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """What happened to a delivery, what to do about it, and the available actions."""

    explanation: str
    steps: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)


def build_guidance(
    delivery: Delivery, settings: Settings, *, supports_idempotency: bool, lacks_address_part: bool
) -> Guidance:
    """Return the guidance for a delivery in its current state.

    Args:
        supports_idempotency: the destination takes an idempotency key, so sending the same bytes again is safe.
        lacks_address_part: a problem is about a part of the address that some customers write in another field.
    """
    match delivery.state, delivery.reason:
        case State.WAITING, _reason:
            return Guidance(
                explanation=_("The order is queued or between two attempts. No action needed."),
                actions=[retrigger_action(_("Try now")), discard_action()],
            )
        case State.SENDING, _reason:
            return Guidance(explanation=_("An attempt is in progress. Wait for its result."))
        case State.DELIVERED, _reason:
            return Guidance(
                explanation=_("The destination has the order. No action needed."),
                actions=send_again_actions(supports_idempotency),
            )
        case State.PARKED, Reason.UNMAPPABLE:
            return unmappable_guidance(delivery, settings, lacks_address_part=lacks_address_part)
        case State.PARKED, Reason.REFUSED:
            return refused_guidance()
        case State.PARKED, Reason.UNCERTAIN:
            return uncertain_guidance(delivery, supports_idempotency)
        case State.PARKED, Reason.HELD:
            return held_guidance(delivery)
        case State.PARKED, _reason:
            return exhausted_guidance()
        case _:
            return Guidance(explanation=explain_discard(delivery.reason), actions=[send_anyway_action()])


def unmappable_guidance(delivery: Delivery, settings: Settings, *, lacks_address_part: bool) -> Guidance:
    if any(problem["code"] == "unknown_payment_status" for problem in delivery.problems):
        return unknown_payment_guidance()
    store = next((store for store in settings.stores.values() if store.id == delivery.store), None)
    order = delivery.order_number or delivery.order_id
    steps = [
        _(
            "Open order %(order)s in the store's admin, correct the data listed above and save. The store then sends "
            "an update to /webhooks/%(store)s, and the order is retried automatically.",
            order=order,
            store=store.name if store else delivery.store,
        ),
        address_setting_step(store) if lacks_address_part and store else settings_step(),
        _("If the order was handled in another way, mark it as delivered or discard it."),
    ]
    return Guidance(
        explanation=_("The order or the account's settings are incomplete. Nothing was sent."),
        steps=steps,
        actions=[retrigger_action(), resolve_action(), discard_action()],
    )


def unknown_payment_guidance() -> Guidance:
    warning = _("The order will be sent although the connector does not know whether it is paid.")
    return Guidance(
        explanation=_("The store reports a payment status that its platform does not document. Nothing was sent."),
        steps=[
            _("Check in the store's admin whether the order is paid."),
            _("If it is, click Send anyway. If it is not, wait: the order is retried when the store sends an update."),
        ],
        actions=[force_action(_("Send anyway"), warning), resolve_action(), discard_action()],
    )


def address_setting_step(store: Store) -> str:
    return _(
        "If your customers write it in another field, configure that field. For example, set "
        'district_from = "shipping_address.address2" under [stores.%(store)s] in connector.toml; number_from and '
        "unit_from do the same for the numbers. Then restart the service and click Retrigger.",
        store=store.name,
    )


def settings_step() -> str:
    return _(
        "If a setting or a row of a lookup table is missing, add it. Orders that wait for a row are retried "
        "automatically. After any other change of connector.toml, restart the service and click Retrigger."
    )


def refused_guidance() -> Guidance:
    return Guidance(
        explanation=_("The destination refused the order. Its response is listed under Attempts."),
        steps=[
            _("Correct what the response names: in the store, at the destination or in the settings."),
            _("Click Retrigger. The newest version of the order is sent."),
        ],
        actions=[retrigger_action(), resolve_action(), discard_action()],
    )


def uncertain_guidance(delivery: Delivery, supports_idempotency: bool) -> Guidance:
    return Guidance(
        explanation=_(
            "An attempt had no clear response, so the order may or may not have arrived. Check at the destination."
        ),
        steps=[
            _("Check at the destination for order %(order)s.", order=delivery.order_number or delivery.order_id),
            _("If it is there, click Mark as delivered and enter its ID at the destination."),
            _("If it is not there, click Send again."),
        ],
        actions=[resolve_action(), *send_again_actions(supports_idempotency), discard_action()],
    )


def exhausted_guidance() -> Guidance:
    return Guidance(
        explanation=_("The order did not arrive, and the time for retries is over."),
        steps=[_("When the destination works again, click Retrigger.")],
        actions=[retrigger_action(), resolve_action(), discard_action()],
    )


def held_guidance(delivery: Delivery) -> Guidance:
    return Guidance(
        explanation=_("The connector does not decide whether to send this order. The reason is listed above."),
        steps=[
            _("Check order %(order)s in the store's admin.", order=delivery.order_number or delivery.order_id),
            _("If it must be sent, click Retrigger. Its newest version is sent."),
            _("If the order was handled in another way, mark it as delivered or discard it."),
        ],
        actions=[retrigger_action(), resolve_action(), discard_action()],
    )


def explain_discard(reason: str | None) -> str:
    if reason == Reason.CANCELLED:
        return _("The store cancelled the order before it was sent. No action needed.")
    if reason == Reason.FILTERED:
        return _("No route accepts the order as it is. It is retried automatically if a newer version matches a route.")
    return _("The order was discarded manually.")


def explain_refusal(delivery: Delivery) -> str:
    """Say why the delivery's current state does not allow the action that was requested."""
    if delivery.state == State.SENDING:
        return _("An attempt is in progress. Wait for its result.")
    if delivery.reason == Reason.UNCERTAIN:
        return _("The order may have arrived. Check at the destination first.")
    if delivery.state == State.DELIVERED:
        return _("It is already delivered.")
    if delivery.state == State.DISCARDED:
        return _("It is discarded.")
    return _("Its state has changed.")


def retrigger_action(label: str | None = None) -> Action:
    return Action(name="retrigger", label=label or _("Retrigger"))


def resolve_action() -> Action:
    return Action(
        name="resolve",
        label=_("Mark as delivered"),
        warning=_("For an order that is already at the destination. Nothing is sent."),
        asks_remote_id=True,
        is_destructive=True,
    )


def discard_action() -> Action:
    return Action(name="discard", label=_("Discard"), warning=_("The order will not be sent."), is_destructive=True)


def send_anyway_action() -> Action:
    return force_action(_("Send anyway"), _("The order will be sent although it was discarded."))


def send_again_actions(supports_idempotency: bool) -> list[Action]:
    """Return the actions that send an order which may have arrived."""
    if not supports_idempotency:
        warning = _("If the order did arrive, this creates a duplicate. Check at the destination first.")
        return [force_action(_("Send again"), warning)]
    same_key_warning = _("Sends the same content with the same idempotency key, so it cannot create a duplicate.")
    new_key_warning = _(
        "Uses a new idempotency key. If the order did arrive, this creates a duplicate. Check at the destination first."
    )
    return [
        force_action(_("Send again"), same_key_warning),
        force_action(_("Send as new"), new_key_warning, new_key="1"),
    ]


def force_action(label: str, warning: str, **parameters: str) -> Action:
    """Return an action that needs `force`."""
    return Action(
        name="retrigger", label=label, warning=warning, parameters={"force": "1", **parameters}, is_destructive=True
    )
