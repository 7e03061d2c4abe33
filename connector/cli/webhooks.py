"""`connector webhooks …`: the webhooks that stores send, through their storefronts' APIs."""

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import JSON_OPTION, cli, exit_with, local_runtime, lookup_or_fail, operator_name
from connector.cli.output import print_json_line, print_rows

if TYPE_CHECKING:
    from connector.operations.webhooks import WebhooksReport
    from connector.runtime import Runtime
    from mappings.settings import Store

COLUMNS = ("store", "topic", "state", "address", "id", "change")
STORE_OPTION = click.option("--store", "store_name", help="Only this store.")
DRY_RUN_OPTION = click.option("--dry-run", "is_dry_run", is_flag=True, help="Show what would be changed.")


@cli.group()
def webhooks() -> None:
    """Show, create and remove the stores' webhooks. Changes only webhooks that point to this connector.

    The webhooks point to `public_url`. The stores need access to their storefront's API. The exit status is 1 if a
    webhook is missing or does not arrive, or if something failed.
    """


@webhooks.command("list")
@STORE_OPTION
@JSON_OPTION
def list_webhooks(store_name: str | None, as_json: bool) -> None:
    """List the webhooks that the routes need, and all other webhooks of the stores."""
    from connector.operations import webhooks as operations

    run_for_stores(operations.list_webhooks, store_name, as_json=as_json)


@webhooks.command("sync")
@STORE_OPTION
@DRY_RUN_OPTION
@JSON_OPTION
def sync_webhooks(store_name: str | None, is_dry_run: bool, as_json: bool) -> None:
    """Create the webhooks that the routes need, and repair those that do not arrive.

    From then on, the worker repairs them.
    """
    from connector.operations import webhooks as operations

    run_for_stores(
        lambda runtime, store: operations.sync_webhooks(runtime, store, is_dry_run=is_dry_run, actor=operator_name()),
        store_name,
        as_json=as_json,
    )


@webhooks.command("remove")
@STORE_OPTION
@DRY_RUN_OPTION
@JSON_OPTION
def remove_webhooks(store_name: str | None, is_dry_run: bool, as_json: bool) -> None:
    """Delete the webhooks that point to this connector."""
    from connector.operations import webhooks as operations

    run_for_stores(
        lambda runtime, store: operations.remove_webhooks(runtime, store, is_dry_run=is_dry_run, actor=operator_name()),
        store_name,
        as_json=as_json,
        is_removal=True,
    )


def run_for_stores(
    operation: "Callable[[Runtime, Store], WebhooksReport]",
    store_name: str | None,
    *,
    as_json: bool,
    is_removal: bool = False,
) -> None:
    """Print the report of each store, or of one, and exit with 1 if one of them is not as it must be."""
    with local_runtime() as runtime:
        settings = runtime.settings
        if settings.public_url is None:
            exit_with(["`public_url` is not set: it is the address at which storefronts reach this connector."], 1)
        if store_name is not None:
            by_id = settings.stores_by_id
            stores = [lookup_or_fail("store", store_name, {**by_id, **settings.stores})]
        else:
            stores = [store for store in settings.stores.values() if store.has_api]
            if not stores:
                exit_with(["No store has access to its storefront's API: set `api_token` and `api_url`."], 1)
        reports = [operation(runtime, store) for store in stores]
    print_rows(COLUMNS, [row for report in reports for row in build_rows(report)], as_json=as_json)
    for report in reports:
        print_messages(report, as_json=as_json)
    if not all(is_done(report) if is_removal else report.is_complete for report in reports):
        sys.exit(1)


def is_done(report: "WebhooksReport") -> bool:
    return report.error is None and not report.problems


def build_rows(report: "WebhooksReport") -> "Iterable[dict[str, Any]]":
    """Yield a row for each webhook; one that was deleted has the state `deleted`."""
    from mappings.webhook_api import ChangeKind, public_address

    changes = {change.topic: change.kind for change in report.changes if change.kind is not ChangeKind.DELETE}
    deleted = {
        change.webhook.id: change.topic
        for change in report.changes
        if change.webhook is not None and change.kind is ChangeKind.DELETE
    }
    for status in report.statuses:
        webhook = status.webhook
        is_deletion = webhook is not None and deleted.pop(webhook.id, None) is not None
        yield {
            "store": report.store.name,
            "topic": status.topic,
            "state": status.state,
            "address": public_address(status) if webhook else None,
            "id": webhook.id if webhook else None,
            "change": ChangeKind.DELETE if is_deletion else changes.pop(status.topic, None),
        }
    for id_, topic in deleted.items():
        yield {
            "store": report.store.name,
            "topic": topic,
            "state": "deleted",
            "address": None,
            "id": id_,
            "change": ChangeKind.DELETE,
        }


def print_messages(report: "WebhooksReport", *, as_json: bool) -> None:
    """Print what failed, and what the API does not show."""
    from connector.core.messages import render_stored

    name = report.store.name
    for problem in [*([report.error] if report.error else []), *report.problems]:
        if as_json:
            print_json_line({"store": name, "fault": render_stored(problem)})
        else:
            click.echo(f"{name}: {render_stored(problem)}", err=True)
    for note in [*report.warnings, *([report.blind_spot] if report.blind_spot else [])]:
        if as_json:
            print_json_line({"store": name, "note": render_stored(note)})
        else:
            click.echo(f"{name}: {render_stored(note)}")
