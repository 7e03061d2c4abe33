"""Commands for one delivery or event: show, retrigger, resolve."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from connector.cli.common import (
    ID_ARGUMENT,
    JSON_OPTION,
    NOTE_OPTION,
    cli,
    command_line_reader,
    exit_with,
    local_runtime,
    operator_name,
)
from connector.cli.output import print_json, print_json_line, print_result
from connector.core.exceptions import ConflictError


@cli.command()
@click.option("--event", "is_event", is_flag=True, help="ID is an event's id.")
@JSON_OPTION
@ID_ARGUMENT
def show(is_event: bool, as_json: bool, id_: int) -> None:
    """Show a delivery with its body, attempts and notes, as JSON. With --json, on one line."""
    from connector.database.audit import Subject, record_view
    from connector.database.queries.deliveries import load_delivery
    from connector.database.queries.events import load_event
    from connector.serializers.deliveries import serialize_delivery_detail
    from connector.serializers.events import serialize_events

    with local_runtime() as runtime:
        if is_event:
            data = serialize_events(runtime, [load_event(runtime.database, id_)])[0]
        else:
            delivery = load_delivery(runtime.database, id_)
            record_view(runtime.database, command_line_reader(), Subject.of(delivery))
            data = serialize_delivery_detail(runtime, delivery)
    if as_json:
        print_json_line(data)
    else:
        print_json(data)


@cli.command()
@click.option(
    "--event",
    "is_event",
    is_flag=True,
    help="ID is an event's id: create the deliveries that the current routes need, and queue parked ones.",
)
@click.option("--force", is_flag=True, help="Send even if it may have arrived. Check at the destination first.")
@click.option("--new-key", is_flag=True, help="With --force: use a new idempotency key, if no attempt was processed.")
@click.option("--looked", is_flag=True, help="You looked: the order is uncertain or held, and not at the destination.")
@click.option("--account", help="With --event: only for this account, by id, even if no route leads there.")
@NOTE_OPTION
@JSON_OPTION
@ID_ARGUMENT
def retrigger(
    is_event: bool,
    force: bool,
    new_key: bool,
    looked: bool,
    account: str | None,
    note: str | None,
    as_json: bool,
    id_: int,
) -> None:
    """Queue a delivery again.

    With --event, prints for each account what was done. The exit status is 1 if nothing was done.
    """
    from connector.operations import actions
    from connector.serializers.deliveries import serialize_delivery, serialize_retry_result

    if is_event and (new_key or looked):
        raise click.UsageError("--new-key and --looked are for one delivery.")
    if account and not is_event:
        raise click.UsageError("--account goes with --event.")
    with local_runtime() as runtime:
        if not is_event:
            with explain_conflict(f"Delivery {id_} was not queued"):
                delivery = actions.retrigger_delivery(
                    runtime, id_, actor=operator_name(), force=force, new_key=new_key, looked=looked, note=note
                )
            print_result(f"Delivery {id_} is queued.", serialize_delivery(delivery), as_json=as_json)
            return
        results = actions.retrigger_event(runtime, id_, actor=operator_name(), force=force, account=account, note=note)
    for row in map(serialize_retry_result, results):
        print_result(describe_retry(row), row, as_json=as_json)
    if not results:
        exit_with([f"Nothing was done: event {id_} has no order that a route accepts."], 1)
    if all(result.done == "left" for result in results):
        sys.exit(1)


@contextmanager
def explain_conflict(what: str) -> Iterator[None]:
    """End the command if the delivery's state does not allow the action, and say `what` was not done, and why."""
    try:
        yield
    except ConflictError as error:
        exit_with([f"{what}: {str(error).replace('`force`', '--force').replace('`looked`', '--looked')}."], 1)


def describe_retry(row: dict[str, Any]) -> str:
    """Say what was done for an account."""
    if row["id"] is None:
        return f"Account {row['account']} gets no delivery: {row['why']}."
    outcome = "skipped" if row["done"] == "left" else row["done"]
    return f"Delivery {row['id']} to {row['account']} is {outcome}: {row['why']}."


@cli.command()
@click.option(
    "--as",
    "as_",
    type=click.Choice(["delivered", "discarded"]),
    required=True,
    help="delivered: it is at the destination. discarded: it must not be sent.",
)
@click.option("--remote-id", help="The order's id at the destination.")
@NOTE_OPTION
@JSON_OPTION
@ID_ARGUMENT
def resolve(as_: str, remote_id: str | None, note: str | None, as_json: bool, id_: int) -> None:
    """Mark a parked delivery as delivered or discarded."""
    from connector.operations import actions
    from connector.serializers.deliveries import serialize_delivery

    with local_runtime() as runtime, explain_conflict(f"Delivery {id_} was not changed"):
        delivery = actions.resolve_delivery(
            runtime, id_, actor=operator_name(), resolution=as_, remote_id=remote_id, note=note
        )
    print_result(f"Delivery {id_} is {as_}.", serialize_delivery(delivery), as_json=as_json)
