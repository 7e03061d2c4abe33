"""The actions that a delivery's state allows, and what a person must confirm for each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connector.database.models import Attempt, Delivery, Reason, State
from connector.web.dashboard.forms import InvalidFormError, read_text
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import translate_text
from mappings.advice import Advice
from mappings.destination import Outcome

#: Outcomes of attempts after which the destination may have the order.
MAY_HAVE_ARRIVED = (Outcome.DELIVERED, Outcome.AMBIGUOUS, Outcome.CONFLICT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A button, and the form behind it.

    Args:
        name: the view that it posts to: "retrigger", "resolve" or "discard".
        parameters: hidden fields of the form, such as `force`.
        confirmation: the words of a checkbox `looked`, which must be checked.
        asks_remote_id: the form asks for the order's id at the destination.
        is_destructive: it ends the delivery or could create a duplicate order, so a note is required.
    """

    name: str
    label: str
    warning: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    confirmation: str | None = None
    asks_remote_id: bool = False
    is_destructive: bool = False


def may_have_arrived(delivery: Delivery, attempts: Iterable[Attempt]) -> bool:
    """Return whether the destination may have the order, so that sending it again could create a second one."""
    if delivery.state == State.DELIVERED or delivery.reason == Reason.UNCERTAIN or delivery.locked_since is not None:
        return True
    if delivery.sent_before_restore:
        return True
    return any(attempt.outcome in MAY_HAVE_ARRIVED for attempt in attempts)


def require_confirmation(form: Mapping[str, str], name: str) -> None:
    """Raises `InvalidFormError` unless the checkbox is checked."""
    if read_text(form, name) != "yes":
        raise InvalidFormError(_("Check the box of the form: it confirms that you looked."))


def read_remote_id(form: Mapping[str, str]) -> str | None:
    """Return the order's id at the destination; None if the person does not have it. Raises `InvalidFormError`."""
    remote_id = read_text(form, "remote_id")
    if remote_id is None and read_text(form, "without_id") != "yes":
        raise InvalidFormError(_("Enter the order's ID at the destination, or check that you do not have it."))
    return remote_id


def looked_words(advice: Advice, *, is_delivered: bool = False) -> str:
    """Return the words that a person confirms before an order that may have arrived is sent again."""
    panel = translate_text(advice.panel)
    if is_delivered:
        return _("I looked in %(panel)s: the order is not there, or a second one is wanted.", panel=panel)
    return _("I looked in %(panel)s, and the order is not there.", panel=panel)


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


def parked_actions(confirmation: str | None = None) -> list[Action]:
    """Return the actions on a parked order that is not uncertain.

    Args:
        confirmation: what a person confirms before it is sent, if an earlier attempt may have arrived.
    """
    return [retrigger_action(_("Retrigger"), confirmation), resolve_action(), discard_action()]


def retrigger_action(label: str, confirmation: str | None = None) -> Action:
    return Action(name="retrigger", label=label, confirmation=confirmation, is_destructive=confirmation is not None)


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


def send_anyway_action(warning: str, confirmation: str | None = None) -> Action:
    return force_action(_("Send anyway"), warning, confirmation)


def send_again_actions(words: str, *, supports_idempotency: bool) -> list[Action]:
    """Return the actions that send an order which may have arrived.

    Args:
        words: what a person confirms.
    """
    if not supports_idempotency:
        warning = _("If the order did arrive, this creates a duplicate. Check at the destination first.")
        return [force_action(_("Send again"), warning, words)]
    same_key_warning = _("Sends the same content with the same idempotency key, so it cannot create a duplicate.")
    new_key_warning = _(
        "Uses a new idempotency key. If the order did arrive, this creates a duplicate. Check at the destination first."
    )
    return [
        force_action(_("Send again"), same_key_warning, words),
        force_action(_("Send as new"), new_key_warning, words, new_key="1"),
    ]


def force_action(label: str, warning: str, confirmation: str | None = None, **parameters: str) -> Action:
    """Return an action that needs `force`."""
    return Action(
        name="retrigger",
        label=label,
        warning=warning,
        parameters={"force": "1", **parameters},
        confirmation=confirmation,
        is_destructive=True,
    )
