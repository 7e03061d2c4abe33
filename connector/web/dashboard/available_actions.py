"""What a person can do about a delivery: what its state means, which steps help, and which buttons it has."""

from dataclasses import dataclass, field

from flask_babel import gettext as _

from connector.database.models import Delivery, Reason, State
from connector.settings import Settings
from mappings.settings import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionButton:
    """One button and what it asks for.

    Args:
        does: "retrigger", "resolve" or "discard".
        fields: what goes with it unseen, as force.
        is_grave: it may make a second order, or ends the delivery: then the note must be given.
    """

    action: str
    label: str
    warning: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    asks_remote_id: bool = False
    is_destructive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is the matter, what to do, and the buttons."""

    explanation: str
    steps: list[str] = field(default_factory=list)
    actions: list[ActionButton] = field(default_factory=list)


def advise(delivery: Delivery, settings: Settings, *, supports_idempotency: bool, needs_address: bool) -> Advice:
    """Advise on a delivery as it is now.

    Args:
        has_key: its destination takes an idempotency key, so that the same bytes cannot double an order.
        needs_address: a problem is about the address's parts that customers write into other fields.
    """
    store = next((candidate for candidate in settings.stores.values() if candidate.id == delivery.store), None)
    retry_action = ActionButton(action="retrigger", label=_("Retrigger"))
    discard_action = ActionButton(
        action="discard", label=_("Discard"), warning=_("It will not be sent."), is_destructive=True
    )
    resolve_action = ActionButton(
        action="resolve",
        label=_("Mark as delivered"),
        warning=_("For an order that is at the destination already. Nothing is sent."),
        asks_remote_id=True,
        is_destructive=True,
    )
    match delivery.state, delivery.reason:
        case State.WAITING, _reason:
            explanation = _("It is on its way, or between two attempts. Nothing is asked of you.")
            return Advice(
                explanation=explanation, actions=[ActionButton(action="retrigger", label=_("Try now")), discard_action]
            )
        case State.SENDING, _reason:
            return Advice(explanation=_("An attempt is under way. Wait for its outcome."))
        case State.DELIVERED, _reason:
            explanation = _("The destination has it. Nothing is asked of you.")
            return Advice(explanation=explanation, actions=force_actions(supports_idempotency))
        case State.PARKED, Reason.UNMAPPABLE:
            explanation = _(
                "The order or the account's settings lack something. Nothing was sent, and nothing is guessed."
            )
            return Advice(
                explanation=explanation,
                steps=mapping_steps(delivery, store, needs_address=needs_address),
                actions=[retry_action, resolve_action, discard_action],
            )
        case State.PARKED, Reason.REFUSED:
            return Advice(
                explanation=_(
                    "The destination said that it will not take the order. Its answer stands under Attempts."
                ),
                steps=[
                    _("Correct what the answer names: in the store, at the destination, or in the settings."),
                    _("Then press Retrigger: the newest version of the order goes out."),
                ],
                actions=[retry_action, resolve_action, discard_action],
            )
        case State.PARKED, Reason.UNCERTAIN:
            steps = [
                _("Look at the destination for order %(order)s.", order=delivery.order_number or delivery.order_id),
                _("It is there: press Mark as delivered, and give the id that it has there."),
                _("It is not there: press Send again."),
            ]
            explanation = _("An attempt got no clear answer: the order may be there or not. Only a look can tell.")
            return Advice(
                explanation=explanation,
                steps=steps,
                actions=[resolve_action, *force_actions(supports_idempotency), discard_action],
            )
        case State.PARKED, _reason:
            return Advice(
                explanation=_("It surely did not arrive, and the time for retries is over."),
                steps=[_("When the destination is well again, press Retrigger.")],
                actions=[retry_action, resolve_action, discard_action],
            )
        case _state, Reason.CANCELLED:
            explanation = _("The store cancelled the order before it was sent. Nothing is asked of you.")
        case _state, Reason.FILTERED:
            explanation = _("No route takes the order as it is now. It comes back by itself if a later version passes.")
        case _:
            explanation = _("A person discarded it.")
    label = _("Send all the same")
    warning = _("The order goes out in spite of that.")
    return Advice(
        explanation=explanation,
        actions=[
            ActionButton(action="retrigger", label=label, warning=warning, fields={"force": "1"}, is_destructive=True)
        ],
    )


def force_actions(supports_idempotency: bool) -> list[ActionButton]:
    """Sending again what may be there already."""
    if not supports_idempotency:
        warning = _("If the order is there after all, this makes a second one. Look first.")
        fields = {"force": "1"}
        return [
            ActionButton(action="retrigger", label=_("Send again"), warning=warning, fields=fields, is_destructive=True)
        ]
    same_key_warning = _("The same bytes go out under the same key: what is there already is not doubled.")
    new_key_warning = _("A new key: if the order is there after all, this makes a second one. Look first.")
    return [
        ActionButton(
            action="retrigger",
            label=_("Send again"),
            warning=same_key_warning,
            fields={"force": "1"},
            is_destructive=True,
        ),
        ActionButton(
            action="retrigger",
            label=_("Send as new"),
            warning=new_key_warning,
            fields={"force": "1", "new_key": "1"},
            is_destructive=True,
        ),
    ]


def mapping_steps(delivery: Delivery, store: Store | None, *, needs_address: bool) -> list[str]:
    order = delivery.order_number or delivery.order_id
    steps = [
        _(
            "Open order %(order)s in the store's own administration, correct there what is named above, and save. "
            "The store sends its update to /webhooks/%(store)s, and the order goes on by itself.",
            order=order,
            store=store.name if store else delivery.store,
        )
    ]
    if needs_address and store is not None:
        steps.append(
            _(
                "If your customers write it in another field, say where: for example "
                'district_from = "shipping_address.address2" under [stores.%(store)s] in connector.toml '
                "(number_from and unit_from do the same for the numbers). Start the service again and press Retrigger.",
                store=store.name,
            )
        )
    else:
        steps.append(
            _(
                "If a setting or a table's row is missing, add it. What waits for a row goes on by itself; after any "
                "other change of connector.toml, start the service again and press Retrigger."
            )
        )
    steps.append(_("If the order went another way, mark it as delivered or discard it."))
    return steps
