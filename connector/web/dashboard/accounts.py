"""Accounts: whether each takes orders, and the buttons that pause it, resume it, and try whether it can be reached."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from connector.core.exceptions import NotFoundError
from connector.operations import actions
from connector.operations.probe import probe_accounts
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.forms import read_note
from connector.web.dashboard.overview import describe_accounts, describe_stores

blueprint = Blueprint("accounts", __name__, url_prefix="/accounts")


@blueprint.get("")
def show() -> str:
    runtime = get_runtime()
    return render_template("accounts.html", accounts=describe_accounts(runtime), stores=describe_stores(runtime))


@blueprint.post("/<account>/pause")
def pause(account: str) -> Response:
    actions.pause_account(get_runtime(), account, actor=current_actor(), note=read_note(request.form))
    flash(_("Account %(account)s is paused: its orders wait.", account=account), "done")
    return redirect(url_for("accounts.show"))


@blueprint.post("/<account>/resume")
def resume(account: str) -> Response:
    actions.resume_account(get_runtime(), account, actor=current_actor())
    flash(_("Account %(account)s takes orders again.", account=account), "done")
    return redirect(url_for("accounts.show"))


@blueprint.post("/<account>/test")
def test(account: str) -> Response:
    """Reach it with its credentials, creating nothing."""
    settings = get_runtime().settings
    if account not in settings.accounts:
        raise NotFoundError("no such account")
    results = probe_accounts(settings, account)
    flash(f"{account}: {results[0].message}", "done" if results[0].is_good else "error")
    return redirect(url_for("accounts.show"))
