"""The accounts page: the state of each account, with forms to pause it, resume it and test its connection."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connector.core.exceptions import NotFoundError
from connector.operations import actions
from connector.operations.credentials import CredentialStatus, describe_credentials
from connector.operations.probe import probe_accounts
from connector.runtime import current_settings
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.forms import read_note
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.labels import translate
from connector.web.dashboard.overview import describe_accounts

blueprint = Blueprint("accounts", __name__, url_prefix="/accounts")


@blueprint.get("")
def show() -> str:
    runtime = get_runtime()
    settings, _errors = current_settings(runtime)
    accounts = [
        {**account, "entered": find_entered(describe_credentials(settings, account["id"]))}
        for account in describe_accounts(runtime)
    ]
    return render_template("accounts.html", accounts=accounts)


@blueprint.post("/<account>/pause")
def pause(account: str) -> Response:
    actions.pause_account(get_runtime(), account, actor=current_actor(), note=read_note(request.form))
    flash(_("Account %(account)s is paused. Its orders wait.", account=account), "success")
    return redirect(url_for("accounts.show"))


@blueprint.post("/<account>/resume")
def resume(account: str) -> Response:
    actions.resume_account(get_runtime(), account, actor=current_actor())
    flash(_("Account %(account)s is active again.", account=account), "success")
    return redirect(url_for("accounts.show"))


@blueprint.post("/<account>/test")
def test(account: str) -> Response:
    """Send a request that creates nothing, with the account's credentials."""
    settings, _errors = current_settings(get_runtime())
    if account not in settings.accounts:
        raise NotFoundError("no such account")
    [result] = probe_accounts(settings, account)
    status = f" (HTTP {result.status})" if result.status else ""
    flash(f"{account}: {translate(result.outcome)}{status}", "success" if result.is_good else "error")
    return redirect(url_for("accounts.show"))


def find_entered(statuses: list[CredentialStatus]) -> CredentialStatus | None:
    """Return an entered credential that is in use; None if the configuration's are."""
    return next((status for status in statuses if status.source == "entered"), None)
