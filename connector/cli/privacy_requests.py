"""`connector privacy list` and `dismiss`: the requests about personal data that storefronts pass on."""

import click

from connector.cli.common import ID_ARGUMENT, JSON_OPTION, local_runtime, operator_name
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
    """List the requests about personal data that storefronts passed on, the newest first.

    With --json, one that is open has the customer's e-mail address and phone number.
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
@click.option("--note", required=True, help="Why nothing is to be done; it is recorded.")
@JSON_OPTION
@ID_ARGUMENT
def dismiss(note: str, as_json: bool, id_: int) -> None:
    """Close a request about personal data without doing what it asks for."""
    from connector.privacy.requests import dismiss_request
    from connector.serializers.privacy_requests import serialize_request

    with local_runtime() as runtime:
        request = dismiss_request(runtime, id_, actor=operator_name(), note=note)
    print_result(f"Request {id_} is dismissed.", serialize_request(request), as_json=as_json)
