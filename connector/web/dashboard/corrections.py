"""What a person enters for an order on the page of its delivery."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connector.core.exceptions import ConflictError, NotFoundError, StoreUnavailableError
from connector.database.models import Delivery
from connector.database.queries.deliveries import load_delivery
from connector.delivery.corrections import InvalidCorrectionError, enter_corrections, withdraw_corrections
from connector.web.context import get_runtime
from connector.web.dashboard.auth import current_actor
from connector.web.dashboard.available_actions import explain_refusal
from connector.web.dashboard.correction_form import INPUT_PREFIX, build_correction_form
from connector.web.dashboard.delivery_detail import delivery_context
from connector.web.dashboard.forms import read_note, read_text
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import translate_problem
from connector.web.dashboard.list_filters import list_filters
from connector.web.row_ids import parse_id

blueprint = Blueprint("corrections", __name__, url_prefix="/deliveries/<delivery_id>/corrections")


@blueprint.post("")
def enter(delivery_id: str) -> Response | tuple[str, int]:
    """Store what was entered, or show the page again with what is wrong with it."""
    runtime, id_, note = get_runtime(), parse_id(delivery_id), read_note(request.form)
    names = [name for name in request.form if name.startswith(INPUT_PREFIX)]
    texts = {name.removeprefix(INPUT_PREFIX): read_text(request.form, name) for name in names}
    values = {name: text for name, text in texts.items() if text is not None}
    delivery = load_delivery(runtime.database, id_)
    if not values:
        return show_again(delivery, values, [_("Enter at least one value.")], 400)
    try:
        result = enter_corrections(runtime, id_, values, actor=current_actor(), note=note)
    except InvalidCorrectionError as error:
        return show_again(delivery, values, [translate_problem(problem) for problem in error.problems], error.status)
    except StoreUnavailableError as error:
        message = _("The order could not be fetched from the store, so nothing was saved. Try again later.")
        return show_again(delivery, values, [message], error.status)
    except ConflictError:
        return refuse(delivery_id)
    flash(_("Saved. %(effect)s", effect=translate_problem(result.effect)), "success")
    return redirect(url_for("deliveries.show", delivery_id=delivery_id, **list_filters(request.args)))


@blueprint.post("/withdraw")
def withdraw(delivery_id: str) -> Response:
    fields = request.form.getlist("field")
    try:
        result = withdraw_corrections(
            get_runtime(), parse_id(delivery_id), fields, actor=current_actor(), note=read_note(request.form)
        )
    except (ConflictError, NotFoundError):  # somebody else withdrew it, or the order was sent meanwhile
        return refuse(delivery_id)
    flash(_("Withdrawn. %(effect)s", effect=translate_problem(result.effect)), "success")
    return redirect(url_for("deliveries.show", delivery_id=delivery_id, **list_filters(request.args)))


def refuse(delivery_id: str) -> Response:
    delivery = load_delivery(get_runtime().database, parse_id(delivery_id))
    flash(_("Action failed. %(explanation)s", explanation=explain_refusal(delivery)), "error")
    return redirect(url_for("deliveries.show", delivery_id=delivery_id, **list_filters(request.args)))


def show_again(delivery: Delivery, values: dict[str, str], errors: list[str], status: int) -> tuple[str, int]:
    runtime = get_runtime()
    context = delivery_context(runtime, delivery, request.args)
    context["correction_form"] = build_correction_form(runtime, delivery, values=values, errors=errors)
    return render_template("delivery.html", delivery=delivery, **context), status
