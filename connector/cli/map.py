"""`connector map`: the body that an order maps to, and where each field comes from. Needs no database or network."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import cli, exit_with, lookup_or_fail, operator_name
from connector.cli.correct import parse_assignment
from connector.cli.output import print_table
from connector.core.json_body import InvalidJsonError, parse_json

if TYPE_CHECKING:
    from connector.settings import Route
    from mappings.corrections import Correction
    from mappings.preview.provenance import ExplainedMapping
    from mappings.settings import Account, Store


@cli.command("map")
@click.option("--store", help="A store of the configuration.")
@click.option("--account", help="An account of the configuration.")
@click.option("--storefront", help="Without a configuration: the platform that the order comes from.")
@click.option("--destination", help="Without a configuration: the service that the order goes to.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A setting of the store or the account.")
@click.option(
    "--correct",
    "assignments",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Map as if this had been entered (see `correct`).",
)
@click.option("--explain", "is_explained", is_flag=True, help="Show where each field of the body comes from.")
@click.option("--json", "as_json", is_flag=True, help="With --explain: print one JSON object.")
@click.argument("file", type=click.File("rb"))
def map_order(
    store: str | None,
    account: str | None,
    storefront: str | None,
    destination: str | None,
    values: tuple[str, ...],
    assignments: tuple[str, ...],
    is_explained: bool,
    as_json: bool,
    file: Any,
) -> None:
    """Show the body that the order in FILE maps to. Sends nothing and needs no database.

    The body goes to standard output; problems and warnings go to standard error, one per line. --explain shows a table
    instead: for each field, the part of the order or the setting that the value comes from, and what else it depends
    on. To find out, the command changes the order's values one at a time and maps it again.

    This command does not decide whether the order is sent; its webhooks, later versions and cancellations, the store's
    `since` and the routes do. If the settings would stop the order, a line on standard error says so. The command does
    not use rows of lookup tables that were entered in the database; `connector replay --dry-run` does.
    """
    from mappings.preview.dry_run import dry_run
    from mappings.problems import render_problems

    if as_json and not is_explained:
        raise click.UsageError("--json requires --explain; the body alone is JSON already.")
    routes: list[Route] | None = None
    if store and account and not (storefront or destination or values):
        source, target, routes = load_configured_pair(store, account)
    elif storefront and destination and not (store or account):
        source, target = build_unconfigured_pair(storefront, destination, values)
    else:
        raise click.UsageError("use --store and --account, or --storefront and --destination with --set.")
    payload = read_payload(file)
    corrections = parse_corrections(assignments)
    if is_explained:
        from mappings.preview.provenance import explain_mapping

        explained = explain_mapping(source, target, payload, corrections=corrections)
        print_explanation(explained, as_json=as_json)
        print_delivery_notes(source, payload, routes)
        if explained.problems:
            sys.exit(1)
        return
    result = dry_run(source, target, payload, corrections=corrections)
    print_delivery_notes(source, payload, routes)
    if result.body is None:
        exit_with(render_problems(result.problems), 1)
    for warning in render_problems(result.warnings):
        click.echo(warning, err=True)
    click.echo(json.dumps(result.body, ensure_ascii=False, indent=2))


def print_delivery_notes(store: "Store", payload: dict[str, Any], routes: "list[Route] | None") -> None:
    """Say what mapping does not decide: why the order would not be sent as a delivery, as far as that is known.

    Args:
        routes: between the store and the account; None without a configuration.
    """
    from connector.core.messages import build_message
    from connector.delivery.age import find_doubt, find_old
    from mappings import STOREFRONTS
    from mappings.problems import MappingError, render_problems

    storefront = STOREFRONTS[store.storefront]
    discard_reasons, notes = [], []
    if store.since is not None:
        times = storefront.order_times(payload)
        if old := find_old(times, store.since):
            discard_reasons.append(old)
        if doubt := find_doubt(times, store.since):
            notes.append(build_message("delivery_would_be_held", reason=doubt))
    try:
        order = storefront.parse_order(payload, store)
    except MappingError:
        order = None
    if order is not None and order.is_paid is False and all(route.takes_only_paid for route in routes or ()):
        discard_reasons.append(build_message("newest_version_unpaid"))
    if order is not None and routes is not None:
        exclusions = [route.only.exclusion_reason(order) for route in routes] or [build_message("no_route")]
        if None not in exclusions:
            discard_reasons += list(dict.fromkeys(reason for reason in exclusions if reason))
    notes += [build_message("delivery_would_be_discarded", reason=reason) for reason in discard_reasons]
    for line in render_problems(notes):
        click.echo(line, err=True)


def load_configured_pair(store: str, account: str) -> "tuple[Store, Account, list[Route]]":
    """Return a store and an account of the configuration, and the routes between them.

    An account is found by its name or its id.
    """
    from connector.settings import load_settings

    settings = load_settings()
    accounts = {configured_account.name: configured_account for configured_account in settings.accounts.values()}
    source = lookup_or_fail("store", store, settings.stores)
    target = lookup_or_fail("account", account, {**accounts, **settings.accounts})
    return source, target, settings.routes_between(source.id, target.id)


def build_unconfigured_pair(storefront: str, destination: str, values: tuple[str, ...]) -> "tuple[Store, Account]":
    """Return a store and an account that no configuration file describes. `values` are NAME=VALUE."""
    from connector.settings import build_pair
    from mappings import DESTINATIONS, STOREFRONTS

    lookup_or_fail("storefront", storefront, STOREFRONTS)
    lookup_or_fail("destination", destination, DESTINATIONS)
    return build_pair(storefront, destination, dict(map(parse_setting, values)))


def print_explanation(explained: "ExplainedMapping", *, as_json: bool) -> None:
    if as_json:
        from connector.serializers.previews import serialize_explained_body

        click.echo(json.dumps(serialize_explained_body(explained), ensure_ascii=False, indent=2))
        return
    from mappings.problems import render_problems

    for line in render_problems([*explained.problems, *explained.warnings]):
        click.echo(line, err=True)
    rows = [
        {
            "field": origin.field,
            "value": json.dumps(origin.value, ensure_ascii=False),
            "is": origin.label,
            "from": ", ".join(map(str, origin.sources)) or f"({origin.note})",
            "depends on": ", ".join(map(str, origin.depends_on)),
        }
        for origin in explained.origins
    ]
    print_table(["field", "value", "is", "from", "depends on"], rows)


def parse_corrections(assignments: tuple[str, ...]) -> "list[Correction]":
    """Return what `connector correct` would store. Raises `click.UsageError`."""
    from mappings.correctable_fields import clean_value, is_correctable
    from mappings.corrections import Correction

    corrections = []
    for field, value in map(parse_assignment, assignments):
        cleaned = clean_value(field, value)
        if not is_correctable(field) or cleaned is None:
            raise click.UsageError("--correct takes FIELD=VALUE, such as ship_to.district=Centro.")
        corrections.append(Correction(field=field, value=cleaned, entered_by=operator_name()))
    return corrections


def parse_setting(text: str) -> tuple[str, str]:
    """Split NAME=VALUE. Raises `click.UsageError`."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.UsageError(f"--set takes NAME=VALUE, not “{text}”.")
    return name.strip(), value


def read_payload(file: Any) -> dict[str, Any]:
    """Read a JSON object. Raises `click.UsageError`."""
    try:
        payload = parse_json(file.read())
    except InvalidJsonError as error:
        raise click.UsageError(f"{file.name}: {error}.") from None
    if not isinstance(payload, dict):
        raise click.UsageError(f"{file.name} is not a JSON object.")
    return payload
