"""The page on which an operator replaces the key of an account. It never shows one, also not the one that was sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connector.core.exceptions import NotFoundError
from connector.database.queries.deliveries import DeliveryFilter, count_deliveries
from connector.operations import credentials
from connector.operations.credentials import (
    CredentialsRejectedError,
    CredentialStatus,
    CredentialsUntestedError,
    InvalidCredentialError,
    Replacement,
    TokenKeysMissingError,
    Verdict,
    count_rejected,
    list_credentials,
)
from connector.operations.probe import ProbeResult
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.blocked_accounts import BlockCause, describe_waiting, explain_block, find_account_blocks
from connector.web.dashboard.forms import read_note, read_text
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import ngettext
from connector.web.dashboard.labels import translate
from mappings.credentials import HEADER_PREFIX

blueprint = Blueprint("credentials", __name__, url_prefix="/accounts")

#: What the names of inputs begin with; the setting's name follows.
INPUT_PREFIX = "credential:"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyForm:
    """The form for new credentials.

    Args:
        error: why what was sent was not kept.
        may_keep_untested: what was sent could not be tested, so the form offers to keep it anyway.
        rejected: how many orders the account refused because of its credentials, while it accepted others.
    """

    error: str | None = None
    may_keep_untested: bool = False
    note: str = ""
    rejected: int = 0
    names: Mapping[str, str] = field(default_factory=dict)  # name of the input -> label


@blueprint.get("/<account>/credentials")
def show(account: str) -> str:
    return render_form(account)


@blueprint.post("/<account>/credentials")
def replace(account: str) -> Response | tuple[str, int]:
    """Test new credentials and use them, or show the form again."""
    runtime = get_runtime()
    statuses = list_credentials(runtime, account)
    try:
        replacement = credentials.replace_credentials(
            runtime,
            account,
            read_values(statuses),
            actor=current_actor(),
            note=read_note(request.form),
            keep_untested="keep_untested" in request.form,
            retry_rejected="retry_rejected" in request.form,
        )
    except (InvalidCredentialError, CredentialsRejectedError, TokenKeysMissingError) as error:
        return render_form(account, error=describe_error(account, error)), error.status
    except CredentialsUntestedError as error:
        message = describe_error(account, error)
        return render_form(account, error=message, may_keep_untested=True), error.status
    flash(describe_replacement(account, replacement), "success")
    return redirect(url_for("accounts.show"))


@blueprint.post("/<account>/credentials/withdraw")
def withdraw(account: str) -> Response:
    list_credentials(get_runtime(), account)
    try:
        credentials.withdraw_credentials(get_runtime(), account, actor=current_actor(), note=read_note(request.form))
        flash(_("The key of %(account)s in the configuration is used again.", account=account), "success")
    except NotFoundError:  # somebody else withdrew it
        flash(_("Nobody has entered a key any more."), "error")
    return redirect(url_for("credentials.show", account=account))


def render_form(account: str, *, error: str | None = None, may_keep_untested: bool = False) -> str:
    runtime = get_runtime()
    statuses = list_credentials(runtime, account)
    block = find_account_blocks(runtime).get(account)
    note = "" if request.method == "GET" else read_text(request.form, "note") or ""
    return render_template(
        "credentials.html",
        account=runtime.settings.accounts[account],
        statuses=statuses,
        block=block,
        explanation=explain_block(runtime, block) if block else None,
        waiting=describe_waiting(runtime, block) if block else None,
        can_keep=bool(runtime.settings.environment.token_keys),
        form=KeyForm(
            error=error,
            may_keep_untested=may_keep_untested,
            note=note,
            rejected=count_rejected(runtime, account),
            names={f"{INPUT_PREFIX}{status.setting}": label_of(status) for status in statuses if not status.is_stray},
        ),
        is_paused=block is not None and block.cause is BlockCause.PAUSED,
    )


def label_of(status: CredentialStatus) -> str:
    name = status.setting.removeprefix(HEADER_PREFIX)
    if status.scheme:
        return _("New key (%(name)s, without “%(scheme)s”)", name=name, scheme=status.scheme)
    return _("New key (%(name)s)", name=name)


def read_values(statuses: list[CredentialStatus]) -> dict[str, str]:
    """Return what was entered, by setting. If an account has several credentials, some may be left empty."""
    names = [status.setting for status in statuses if not status.is_stray]
    values = {name: request.form.get(f"{INPUT_PREFIX}{name}", "").strip() for name in names}
    entered = {name: value for name, value in values.items() if value}
    return entered or dict.fromkeys(names[:1], "")


def describe_error(
    account: str,
    error: InvalidCredentialError | CredentialsRejectedError | CredentialsUntestedError | TokenKeysMissingError,
) -> str:
    destination = get_runtime().settings.accounts[account].destination
    match error:
        case CredentialsRejectedError():
            return _(
                "%(destination)s rejects this key%(status)s. It was not saved. Check that you copied the whole key, "
                "and that it is for this account.",
                destination=destination,
                status=format_status(error.probe),
            )
        case CredentialsUntestedError():
            return _(
                "This key could not be tested: %(reason)s%(status)s. It was not saved.",
                reason=translate(error.probe.outcome),
                status=format_status(error.probe),
            )
        case InvalidCredentialError(code="empty"):
            return _("Enter the new key.")
        case InvalidCredentialError(code="too_long"):
            return _("The key is too long. Copy only the key.")
        case InvalidCredentialError():
            return _("The key has characters that no key has, such as an accent or a line break. Copy only the key.")
        case _:
            return _("The key was not saved: TOKEN_KEYS is not set.")


def format_status(probe: ProbeResult) -> str:
    return f" (HTTP {probe.status})" if probe.status else ""


def describe_replacement(account: str, replacement: Replacement) -> str:
    """Say what came of the test, and which orders are sent now."""
    runtime = get_runtime()
    destination = runtime.settings.accounts[account].destination
    match replacement.verdict:
        case Verdict.ACCEPTED:
            text = _("The new key is saved, and %(destination)s accepts it.", destination=destination)
        case Verdict.NOT_TESTABLE:
            text = _(
                "The new key is saved. %(destination)s offers no test of it: the next order shows whether it is right.",
                destination=destination,
            )
        case _:
            text = _("The new key is saved without a test: the next order shows whether it is right.")
    block = find_account_blocks(runtime).get(account)
    if block is not None and block.cause is BlockCause.PAUSED:
        return text + " " + _("The account is paused: its orders wait until somebody resumes it.")
    rejected = replacement.job.total if replacement.job else 0
    waiting = count_deliveries(runtime.database, DeliveryFilter(state="waiting", account=account)) + rejected
    if waiting:
        text += " " + ngettext("%(num)s order is sent now.", "%(num)s orders are sent now.", waiting)
    return text
