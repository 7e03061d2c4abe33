"""`connector catch-up`, which finds orders without a webhook, and `connector reconcile --storefront`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import JSON_OPTION, UTCTime, cli, exit_with, local_runtime, lookup_or_fail
from connector.cli.output import print_json_line, print_table
from connector.cli.progress import progress_on_tty

if TYPE_CHECKING:
    from connector.catch_up.comparison import StoreComparison
    from connector.catch_up.reading import ReadingResult
    from connector.runtime import Runtime
    from mappings.settings import Store

#: How long to wait while a worker reads the same store.
WAIT_S = 120.0
MISSING_COLUMNS = ("store", "order_id", "number", "updated_at")
DIFFERENCE_COLUMNS = ("store", "order_id", "number", "updated_at", "account", "what")


@cli.command("catch-up")
@click.option("--store", "store_name", help="Only this store.")
@click.option(
    "--since",
    type=UTCTime(),
    help="Read what changed on this UTC day or at this time, or later. By default, since the last complete reading.",
)
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Only list what is missing.")
@JSON_OPTION
def catch_up(store_name: str | None, since: datetime | None, is_dry_run: bool, as_json: bool) -> None:
    """Find orders whose webhooks never came, through the stores' APIs, and record them.

    A worker does this at its start and every `catch_up_every_s`. Orders that are on record are not sent again, and
    orders from before the store's `since` are not sent. The command lists missing orders. You can interrupt it at any
    time; the next reading continues there.

    Exit status: 0 if all stores were read (with --dry-run: nothing is missing), 1 if a store could not be read (with
    --dry-run: or something is missing).
    """
    from connector.catch_up.schedule import read_when_free

    results = []
    with local_runtime() as runtime:
        for store in choose_stores(runtime, store_name):
            with orders_progress(store) as update_progress:
                result = read_when_free(
                    runtime,
                    store,
                    wait_s=WAIT_S,
                    on_wait=partial(click.echo, f"{store.name}: another process is reading it; waiting", err=True),
                    since=since,
                    dry_run=is_dry_run,
                    on_progress=update_progress,
                )
            results.append(result)
            if as_json:
                print_json_line(serialize_reading(result, is_dry_run=is_dry_run))
            else:
                print_reading(store, result, is_dry_run=is_dry_run)
    if any(not result.is_complete or (is_dry_run and result.missing) for result in results):
        sys.exit(1)


def choose_stores(runtime: "Runtime", store_name: str | None) -> "list[Store]":
    """Return the stores whose orders can be listed. Exits if there is none."""
    settings = runtime.settings
    by_id = settings.stores_by_id
    stores = [*by_id.values()]
    if store_name is not None:
        stores = [lookup_or_fail("store", store_name, {**by_id, **settings.stores})]
    readable = [store for store in stores if settings.can_list_orders(store)]
    for store in stores:
        if store not in readable:
            click.echo(f"{store.name}: skipped, its settings have no access to an API that lists orders", err=True)
    if not readable:
        exit_with(["No orders can be read: set `api_url` and the credentials of a store."], 1)
    return readable


@contextmanager
def orders_progress(store: "Store") -> Iterator[Any]:
    with progress_on_tty(f"{store.name}: orders read", None) as update_progress:
        yield update_progress


def serialize_reading(result: "ReadingResult", *, is_dry_run: bool) -> dict[str, Any]:
    """Return the JSON of a reading. Its keys are part of the command's interface."""
    from connector.core.messages import render_stored

    return {
        "store": result.store,
        "orders": result.orders,
        "missing": serialize_missing(result),
        "unreadable": result.unreadable,
        "not_recorded": result.unrecorded,
        "complete": result.is_complete,
        "error": render_stored(result.error) or None,
        "dry_run": is_dry_run,
    }


def serialize_missing(result: "ReadingResult") -> list[dict[str, Any]]:
    return [
        {
            "store": order.store,
            "order_id": order.order_id,
            "number": order.number,
            "updated_at": format_time(order.updated_at),
        }
        for order in result.missing
    ]


def format_time(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else None


def print_reading(store: "Store", result: "ReadingResult", *, is_dry_run: bool) -> None:
    from connector.core.messages import render_stored

    verb = "are missing" if is_dry_run else "were missing, and are taken in"
    click.echo(f"{store.name}: {result.orders} orders read, {len(result.missing)} {verb}.")
    if result.missing:
        print_table(MISSING_COLUMNS, serialize_missing(result))
    if result.unreadable:
        click.echo(f"{store.name}: {result.unreadable} entries of the list are no orders.", err=True)
    if result.unrecorded:
        click.echo(f"{store.name}: {result.unrecorded} orders could not be recorded; see the log.", err=True)
    if result.error is not None:
        click.echo(f"{store.name}: not read completely: {render_stored(result.error)}", err=True)
    elif result.is_interrupted:
        click.echo(f"{store.name}: not read completely: another process has taken over", err=True)


def reconcile_with_stores(
    store_name: str | None, *, since: datetime | None, until: datetime | None, as_json: bool
) -> None:
    """Compare the stores' paid orders with what is on record, and print the result. Exits with 1 if they differ."""
    from connector.catch_up.comparison import compare_with_store

    comparisons = []
    with local_runtime() as runtime:
        for store in choose_stores(runtime, store_name):
            with orders_progress(store) as update_progress:
                comparisons.append(
                    compare_with_store(runtime, store, since=since, until=until, on_progress=update_progress)
                )
    data = serialize_comparisons(comparisons)
    if as_json:
        print_json_line(data)
    else:
        print_comparisons(data)
    if data["differences"] or data["errors"]:
        sys.exit(1)


def serialize_comparisons(comparisons: "list[StoreComparison]") -> dict[str, Any]:
    """Return the JSON of a comparison with the stores. Its keys are part of the command's interface."""
    from connector.catch_up.comparison import OUTCOMES
    from connector.core.messages import render_stored

    return {
        "stores": [
            {
                "store": comparison.store,
                "paid_orders": len(comparison.verdicts),
                **{outcome: comparison.outcomes[outcome] for outcome in OUTCOMES},
                "missing": len(comparison.missing),
            }
            for comparison in comparisons
        ],
        "differences": [
            {
                "store": missing.store,
                "order_id": missing.order_id,
                "number": missing.number,
                "updated_at": format_time(missing.updated_at),
                "account": missing.account,
                "what": render_stored(missing.what),
            }
            for comparison in comparisons
            for missing in comparison.missing
        ],
        "errors": [
            {"store": comparison.store, "error": render_stored(comparison.error)}
            for comparison in comparisons
            if comparison.error is not None
        ],
    }


def print_comparisons(data: dict[str, Any]) -> None:
    """Print a comparison with the stores, in the form that `serialize_comparisons` returns."""
    if data["stores"]:
        print_table(tuple(data["stores"][0]), data["stores"])
    if data["differences"]:
        print_table(DIFFERENCE_COLUMNS, data["differences"])
    for error in data["errors"]:
        click.echo(f"{error['store']}: its orders could not be read: {error['error']}", err=True)
    if not (data["differences"] or data["errors"]):
        click.echo("Every paid order is accounted for.")
