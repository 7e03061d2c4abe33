"""`connector privacy list`, `fulfil`, `done` and `dismiss`: requests about personal data from storefronts."""

import click

from connector.cli.common import ID_ARGUMENT, JSON_OPTION, NOTE_OPTION, exit_with, local_runtime, operator_name
from connector.cli.output import print_result, print_rows
from connector.cli.privacy import privacy

REQUEST_COLUMNS = ("id", "store", "kind", "state", "due_at", "customer_id", "order_ids", "closed_by")
#: How many requests are listed at once.
PAGE_SIZE = 500


@privacy.command("list")
@click.option(
    "--state",
    type=click.Choice(["open", "done", "dismissed", "all"]),
    default="open",
    show_default=True,
    help="In this state.",
)
@click.option("--store", help="Of this store only, by its id.")
@click.option("--request", "request_id", type=click.IntRange(min=1), help="Only this one, in any state.")
@JSON_OPTION
def list_requests(state: str, store: str | None, request_id: int | None, as_json: bool) -> None:
    """List the storefronts' requests about personal data, newest first.

    With --json, an open request has the customer's e-mail address and phone number.
    """
    from connector.database import privacy_requests
    from connector.serializers.privacy_requests import serialize_request_detail

    with local_runtime() as runtime:
        if request_id is not None:
            requests = [privacy_requests.load_request(runtime.database, request_id)]
        else:
            request_filter = privacy_requests.RequestFilter(state=None if state == "all" else state, store=store)
            requests = privacy_requests.list_requests(runtime.database, request_filter, limit=PAGE_SIZE)
        rows = [serialize_request_detail(request) for request in requests]
    if not as_json:
        rows = [row | {"order_ids": ", ".join(row["order_ids"])} for row in rows]
    print_rows(REQUEST_COLUMNS, rows, as_json=as_json)


@privacy.command()
@click.option("--note", required=True, help="Why the request needs no action; it is recorded.")
@JSON_OPTION
@ID_ARGUMENT
def dismiss(note: str, as_json: bool, id_: int) -> None:
    """Close a request about personal data without fulfilling it."""
    from connector.privacy.requests import dismiss_request
    from connector.serializers.privacy_requests import serialize_request

    with local_runtime() as runtime:
        request = dismiss_request(runtime, id_, actor=operator_name(), note=note)
    print_result(f"Request {id_} is dismissed.", serialize_request(request), as_json=as_json)


@privacy.command()
@click.option("--discard-parked", is_flag=True, help="Also discard parked deliveries that were not sent.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@JSON_OPTION
@ID_ARGUMENT
def fulfil(discard_parked: bool, yes: bool, as_json: bool, id_: int) -> None:
    """Erase the orders of a request about personal data, and close the request as done.

    If an order is still on its way, the request stays open. A worker closes it when that order is erased.
    """
    from connector.privacy.requests import erase_request
    from connector.serializers.privacy import serialize_erasure

    with local_runtime() as runtime:
        if not yes and not click.confirm(f"Erase the personal data of the orders of request {id_}?", err=True):
            exit_with(["Nothing was erased."], 1)
        request, result = erase_request(runtime, id_, actor=operator_name(), discards_parked=discard_parked)
    text = f"Request {id_} is {request.state}: {len(result.orders) - len(result.pending)} orders are erased"
    text += f", {len(result.pending)} once they have ended." if result.pending else "."
    print_result(text, serialize_erasure(result), as_json=as_json)


@privacy.command()
@NOTE_OPTION
@JSON_OPTION
@ID_ARGUMENT
def done(note: str | None, as_json: bool, id_: int) -> None:
    """Close a request about personal data that you have fulfilled."""
    from connector.privacy.requests import complete_request
    from connector.serializers.privacy_requests import serialize_request

    with local_runtime() as runtime:
        request = complete_request(runtime, id_, actor=operator_name(), note=note)
    print_result(f"Request {id_} is done.", serialize_request(request), as_json=as_json)
