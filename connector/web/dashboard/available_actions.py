"""What a person can do about a delivery: what its state means, which steps help, and which buttons it has."""

from dataclasses import dataclass, field

from flask_babel import gettext as _

from connector.database.models import Delivery, Reason, State
from connector.settings import Settings
from mappings.settings import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One button and what it asks for.

    Args:
        does: "retrigger", "resolve" or "discard".
        fields: what goes with it unseen, as force.
        is_grave: it may make a second order, or ends the delivery: then the note must be given.
    """

    does: str
    label: str
    warning: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    asks_remote_id: bool = False
    is_grave: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is the matter, what to do, and the buttons."""

    means: str
    steps: list[str] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)


def advise(delivery: Delivery, settings: Settings, *, has_key: bool, needs_address: bool) -> Advice:
    """Advise on a delivery as it is now.

    Args:
        has_key: its destination takes an idempotency key, so that the same bytes cannot double an order.
        needs_address: a problem is about the address's parts that customers write into other fields.
    """
    store = next((one for one in settings.stores.values() if one.id == delivery.store), None)
    again = Act(does="retrigger", label=_("Retrigger"))
    discard = Act(does="discard", label=_("Discard"), warning=_("It will not be sent."), is_grave=True)
    settle = Act(
        does="resolve",
        label=_("Mark as delivered"),
        warning=_("For an order that is at the destination already. Nothing is sent."),
        asks_remote_id=True,
        is_grave=True,
    )
    match delivery.state, delivery.reason:
        case State.WAITING, _reason:
            means = _("It is on its way, or between two attempts. Nothing is asked of you.")
            return Advice(means=means, acts=[Act(does="retrigger", label=_("Try now")), discard])
        case State.SENDING, _reason:
            return Advice(means=_("An attempt is under way. Wait for its outcome."))
        case State.DELIVERED, _reason:
            means = _("The destination has it. Nothing is asked of you.")
            return Advice(means=means, acts=forced(has_key))
        case State.PARKED, Reason.UNMAPPABLE:
            means = _("The order or the account's settings lack something. Nothing was sent, and nothing is guessed.")
            return Advice(
                means=means,
                steps=steps_to_map(delivery, store, needs_address=needs_address),
                acts=[again, settle, discard],
            )
        case State.PARKED, Reason.REFUSED:
            return Advice(
                means=_("The destination said that it will not take the order. Its answer stands under Attempts."),
                steps=[
                    _("Correct what the answer names: in the store, at the destination, or in the settings."),
                    _("Then press Retrigger: the newest version of the order goes out."),
                ],
                acts=[again, settle, discard],
            )
        case State.PARKED, Reason.UNCERTAIN:
            steps = [
                _("Look at the destination for order %(order)s.", order=delivery.order_number or delivery.order_id),
                _("It is there: press Mark as delivered, and give the id that it has there."),
                _("It is not there: press Send again."),
            ]
            means = _("An attempt got no clear answer: the order may be there or not. Only a look can tell.")
            return Advice(means=means, steps=steps, acts=[settle, *forced(has_key), discard])
        case State.PARKED, _reason:
            return Advice(
                means=_("It surely did not arrive, and the time for retries is over."),
                steps=[_("When the destination is well again, press Retrigger.")],
                acts=[again, settle, discard],
            )
        case _state, Reason.CANCELLED:
            means = _("The store cancelled the order before it was sent. Nothing is asked of you.")
        case _state, Reason.FILTERED:
            means = _("No route takes the order as it is now. It comes back by itself if a later version passes.")
        case _:
            means = _("A person discarded it.")
    label = _("Send all the same")
    warning = _("The order goes out in spite of that.")
    return Advice(
        means=means, acts=[Act(does="retrigger", label=label, warning=warning, fields={"force": "1"}, is_grave=True)]
    )


def forced(has_key: bool) -> list[Act]:
    """Sending again what may be there already."""
    if not has_key:
        warning = _("If the order is there after all, this makes a second one. Look first.")
        fields = {"force": "1"}
        return [Act(does="retrigger", label=_("Send again"), warning=warning, fields=fields, is_grave=True)]
    same = _("The same bytes go out under the same key: what is there already is not doubled.")
    new = _("A new key: if the order is there after all, this makes a second one. Look first.")
    return [
        Act(does="retrigger", label=_("Send again"), warning=same, fields={"force": "1"}, is_grave=True),
        Act(
            does="retrigger",
            label=_("Send as new"),
            warning=new,
            fields={"force": "1", "new_key": "1"},
            is_grave=True,
        ),
    ]


def steps_to_map(delivery: Delivery, store: Store | None, *, needs_address: bool) -> list[str]:
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
