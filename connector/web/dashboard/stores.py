"""The stores: their webhooks, their APIs and catch-up, with forms to read a store's orders and repair its webhooks."""

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from connector.database.coordination import is_worker_running
from connector.database.lost_webhooks import RECENT
from connector.operations import actions
from connector.operations.store_status import load_store_status, load_store_statuses
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.filters import to_iso
from connector.web.dashboard.first_run import find_webhook_url
from connector.web.dashboard.i18n import gettext as _

blueprint = Blueprint("stores", __name__, url_prefix="/stores")


@blueprint.get("")
def index() -> str:
    return render_template("stores.html", stores=load_store_statuses(get_runtime()), webhook_url=find_webhook_url)


@blueprint.get("/<store_name>")
def show(store_name: str) -> str:
    runtime = get_runtime()
    status = load_store_status(runtime, store_name)
    webhook_api = runtime.settings.storefront(status.store).webhook_api
    return render_template(
        "store.html",
        status=status,
        webhook_url=find_webhook_url,
        blind_spot=webhook_api.blind_spot if webhook_api else None,
        recent_since=to_iso(runtime.clock() - RECENT),
        is_worker_running=is_worker_running(runtime.database),
    )


@blueprint.post("/<store_name>/catch-up")
def catch_up(store_name: str) -> Response:
    actions.request_catch_up(get_runtime(), store_name, actor=current_actor())
    flash(_("The worker is asked to read the store's orders. The result will appear here."), "success")
    return redirect(url_for("stores.show", store_name=store_name))


@blueprint.post("/<store_name>/resume")
def resume(store_name: str) -> Response:
    actions.resume_store(get_runtime(), store_name, actor=current_actor())
    flash(_("The store is resumed. The orders that were held are queued."), "success")
    return redirect(url_for("stores.show", store_name=store_name))


@blueprint.post("/<store_name>/webhooks/sync")
def sync_webhooks(store_name: str) -> Response:
    actions.request_webhook_sync(get_runtime(), store_name, actor=current_actor())
    flash(_("The worker is asked to repair the store's webhooks. The result will appear here."), "success")
    return redirect(url_for("stores.show", store_name=store_name))
