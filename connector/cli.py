"""The command line. Each command is thin: it opens what it needs and calls what the web and the forwarder call.

Exit status: 0 it went well, 1 it did not (the text says why), 2 the command or the configuration is at fault.
Imports stand inside the commands: `connector map` must not wait for a web server's.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import click

from connector import __version__
from connector.errors import ConnectorError, SettingsError

if TYPE_CHECKING:
    from connector.runtime import Runtime
    from connector.settings import Settings

#: Between two transactions that prune, so that webhooks need not wait.
PRUNE_REST_S = 0.1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Carry paid orders from online stores to the services that ship and book them."""


def main() -> None:
    """Run the command line, and turn errors that have a name into a text and an exit status."""
    try:
        cli()
    except SettingsError as error:
        fail(error.faults, 2)
    except ConnectorError as error:
        fail([str(error)], 1)


def fail(lines: list[str], status: int) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(status)


def read_settings() -> "Settings":
    from connector.log import set_up_log
    from connector.settings import load_settings

    set_up_log()
    return load_settings()


@contextmanager
def open_here() -> Iterator["Runtime"]:
    """The runtime of a command that looks or acts, and sends nothing itself."""
    from connector.log import set_up_log
    from connector.runtime import open_runtime
    from connector.settings import load_settings

    set_up_log(quiet=True)
    with open_runtime(load_settings()) as runtime:
        yield runtime


def user() -> str:
    """Who acts, as the notes tell it."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return f"user {os.getuid()}"


def prepare_database(settings: "Settings") -> None:
    """Wait for the database to answer, then bring it up to date unless that is somebody else's task."""
    from connector.runtime import wait_for_database

    wait_for_database(settings)
    if settings.environment.auto_migrate:
        migrate_database(settings)


def migrate_database(settings: "Settings") -> None:
    from connector.database.engine import Database

    database = Database(settings.environment.database_url)
    database.migrate()
    database.close()


@cli.command()
def serve() -> None:
    """Run the service: the web server, and the forwarder beside it."""
    from connector.runtime import open_runtime
    from connector.serve import Supervisor

    settings = read_settings()
    prepare_database(settings)
    with open_runtime(settings):
        pass  # what would stop every process is said once, here
    sys.exit(Supervisor(settings.environment).run())


@cli.command()
def worker() -> None:
    """Run the forwarder alone."""
    from connector.runtime import open_runtime
    from connector.worker import run_worker

    settings = read_settings()
    prepare_database(settings)
    with open_runtime(settings, sends=True) as runtime:
        run_worker(runtime)


@cli.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    migrate_database(read_settings())
    click.echo("The tables are up to date.")


@cli.command()
@click.option("--live", is_flag=True, help="Also reach each account, by requests that create nothing.")
def check(live: bool) -> None:
    """Check the configuration, and name all its faults."""
    from connector.settings import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        fail(error.faults, 1)
    stores, accounts, routes = len(settings.stores), len(settings.accounts), len(settings.routes)
    click.echo(f"The configuration is good: stores {stores}, accounts {accounts}, routes {routes}.")
    if not live:
        return
    from connector.probing import probe_accounts

    probed = probe_accounts(settings)
    for one in probed:
        click.echo(f"Account {one.account}: {one.said}.")
    if not all(one.is_good for one in probed):
        sys.exit(1)


@cli.command("map")
@click.option("--store", help="A store of the configuration.")
@click.option("--account", help="An account of the configuration.")
@click.option("--storefront", help="Without a configuration: the platform that the order comes from.")
@click.option("--destination", help="Without a configuration: the service that it goes to.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A setting of the store or the account.")
@click.argument("file", type=click.File("rb"))
def map_order(
    store: str | None,
    account: str | None,
    storefront: str | None,
    destination: str | None,
    values: tuple[str, ...],
    file: Any,
) -> None:
    """Show the body that the order in FILE becomes. Sends nothing, and needs no database.

    The body goes to standard output; problems and warnings, one a line, to standard error.
    """
    from connector.settings import build_both, load_settings
    from mappings import DESTINATIONS, STOREFRONTS
    from mappings.schema import MappingError
    from mappings.settings import Account, Store

    of_store: Store
    of_account: Account
    if store and account and not (storefront or destination or values):
        settings = load_settings()
        accounts = {one.name: one for one in settings.accounts.values()} | dict(settings.accounts)
        of_store = choose("store", store, dict(settings.stores))
        of_account = choose("account", account, accounts)
    elif storefront and destination and not (store or account):
        choose("storefront", storefront, STOREFRONTS)
        choose("destination", destination, DESTINATIONS)
        of_store, of_account = build_both(storefront, destination, dict(map(split_setting, values)))
    else:
        raise click.UsageError("give --store and --account, or --storefront and --destination with --set.")
    payload = read_payload(file)
    try:
        order = STOREFRONTS[of_store.storefront].read(payload, of_store)
        written = DESTINATIONS[of_account.destination].write(order, of_account, of_store)
    except MappingError as error:
        fail(error.problems, 1)
    for warning in written.warnings:
        click.echo(warning, err=True)
    click.echo(json.dumps(written.body, ensure_ascii=False, indent=2))


def choose(kind: str, name: str, known: dict[str, Any]) -> Any:
    if name not in known:
        raise click.UsageError(f"no {kind} “{name}”; there are {', '.join(sorted(known))}.")
    return known[name]


def split_setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--set takes NAME=VALUE, not “{text}”.")
    return name.strip(), value


def read_payload(file: Any) -> dict[str, Any]:
    try:
        payload = json.loads(file.read())
    except (ValueError, RecursionError):
        raise click.UsageError(f"{file.name} is not JSON.") from None
    if not isinstance(payload, dict):
        raise click.UsageError(f"{file.name} is not a JSON object.")
    return payload


@cli.command()
@click.option("--store", "store_name", required=True, help="The store whose storefront is played.")
@click.option("--topic", help="The platform's topic. Default: its topic of a paid order.")
@click.option("--url", help="Where the service listens. Default: this machine, at PORT.")
@click.argument("file", type=click.File("rb"), required=False)
def trigger(store_name: str, topic: str | None, url: str | None, file: Any) -> None:
    """Sign the webhook in FILE, or a sample, and post it as the storefront would.

    Where a storefront's webhooks only name the order, FILE is the order. The webhook that names it is posted, after
    the order was put at the store's `api_url` if that is the sandbox's.
    """
    import httpx

    from connector.sandbox.storefronts import post_webhook, read_sample

    settings = read_settings()
    store = choose("store", store_name, dict(settings.stores))
    storefront = settings.storefront(store)
    body = file.read() if file else read_sample(storefront.name)
    address = (url or f"http://127.0.0.1:{settings.environment.port}").rstrip("/")
    try:
        status, answer = post_webhook(f"{address}/webhooks/{store_name}", storefront, store, body, topic)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail([f"No answer from {address} ({type(error).__name__}): is the service running there?"], 1)
    click.echo(answer.rstrip("\n"))
    if status != 200:
        fail([f"The service answered {status}."], 1)


@cli.command("list")
@click.option("--events", is_flag=True, help="List events in place of deliveries.")
@click.option("--state")
@click.option("--reason")
@click.option("--account")
@click.option("--store")
@click.option("--order", help="An order's id or number.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
def list_rows(
    events: bool,
    state: str | None,
    reason: str | None,
    account: str | None,
    store: str | None,
    order: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List deliveries, newest first."""
    from connector.database.lookups import list_deliveries, list_events
    from connector.database.tables import Reason, State
    from connector.web.shapes import show_delivery, show_events

    for given, words in ((state, State), (reason, Reason)):
        if given is not None and given not in list(words):
            raise click.UsageError(f"“{given}” is none of {', '.join(words)}.")
    with open_here() as runtime:
        if events:
            if state or reason or account:
                raise click.UsageError("events have no state, reason or account.")
            rows = show_events(runtime, list_events(runtime.database, store=store, order=order, limit=limit))
            columns = ["id", "store", "topic", "order_number", "status", "reason", "received_at"]
        else:
            found = list_deliveries(
                runtime.database, state=state, reason=reason, account=account, store=store, order=order, limit=limit
            )
            rows = [show_delivery(delivery) for delivery in found]
            columns = ["id", "store", "order_number", "account", "state", "reason", "attempts", "remote_id"]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    else:
        print_table(columns, rows)


def print_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Print every cell whole: an id that is cut cannot be copied."""
    lines = [columns, *(["" if row[name] is None else str(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@cli.command()
@click.option("--event", "is_event", is_flag=True, help="ID is an event's.")
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
def show(is_event: bool, id_: int) -> None:
    """Show one delivery, with its body and its attempts, as JSON."""
    from connector.database.lookups import load_delivery, load_event
    from connector.web.shapes import show_events, show_whole_delivery

    with open_here() as runtime:
        if is_event:
            shown = show_events(runtime, [load_event(runtime.database, id_)])[0]
        else:
            shown = show_whole_delivery(runtime, load_delivery(runtime.database, id_))
    click.echo(json.dumps(shown, ensure_ascii=False, indent=2))


@cli.command()
@click.option("--event", "is_event", is_flag=True, help="ID is an event's: all that the routes want of it now.")
@click.option("--force", is_flag=True, help="Also what may have been sent. Look at the destination first.")
@click.option("--new-key", is_flag=True, help="With --force: no earlier attempt was processed, so take a new key.")
@click.option("--note", help="Why; it is kept.")
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
def retrigger(is_event: bool, force: bool, new_key: bool, note: str | None, id_: int) -> None:
    """Queue a delivery again."""
    from connector import manual

    with open_here() as runtime:
        if not is_event:
            manual.retrigger_delivery(runtime, id_, who=user(), force=force, new_key=new_key, note=note)
            click.echo(f"Delivery {id_} is queued.")
            return
        if new_key:
            raise click.UsageError("--new-key is for one delivery.")
        for one in manual.retrigger_event(runtime, id_, who=user(), force=force, note=note):
            click.echo(f"Delivery {one.id} is {one.done}: {one.why}.")


@cli.command()
@click.option("--as", "as_", type=click.Choice(["delivered", "discarded"]), required=True)
@click.option("--remote-id", help="The order's id at the destination.")
@click.option("--note", help="Why; it is kept.")
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
def resolve(as_: str, remote_id: str | None, note: str | None, id_: int) -> None:
    """Settle a parked delivery by your word."""
    from connector import manual

    with open_here() as runtime:
        manual.resolve_delivery(runtime, id_, who=user(), as_=as_, remote_id=remote_id, note=note)
    click.echo(f"Delivery {id_} is {as_}.")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
def accounts(as_json: bool) -> None:
    """List the accounts: whether each takes orders at present, and how many lie there."""
    from connector.web.shapes import show_accounts

    with open_here() as runtime:
        rows = show_accounts(runtime)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    else:
        print_table(
            ["id", "destination", "state", "since", "reason", "waiting", "sending", "parked"],
            [row | row["deliveries"] for row in rows],
        )


@cli.command()
@click.option("--note", help="Why; it is kept.")
@click.argument("account")
def pause(note: str | None, account: str) -> None:
    """Send an account nothing more until it is resumed. Its orders wait."""
    from connector import manual

    with open_here() as runtime:
        manual.pause_account(runtime, account, who=user(), note=note)
    click.echo(f"Account {account} is paused.")


@cli.command()
@click.argument("account")
def resume(account: str) -> None:
    """Send to an account again at once, be it paused or its circuit open."""
    from connector import manual

    with open_here() as runtime:
        manual.resume_account(runtime, account, who=user())
    click.echo(f"Account {account} takes orders again.")


@cli.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="What came in on this UTC day or later.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="What came in before this UTC day.")
@click.option("--store", help="A store of the configuration, or a retired one's id.")
@click.option(
    "--late-s",
    type=click.FloatRange(min=0),
    default=600,
    show_default=True,
    help="How long what is due may lie untaken while its account takes orders.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def reconcile(since: datetime | None, until: datetime | None, store: str | None, late_s: float, as_json: bool) -> None:
    """Account for every webhook and every delivery, from what is on record. Changes nothing.

    Each event must be ignored with a reason, or have a delivery for every account that its routes named. Each delivery
    must hold what its state needs: a delivered one the destination's reply, read anew, or the name of who said so; one
    that is sending a live process; one that waits a time that is not too far off; any other its reason. What lacks
    that is listed, and the exit status is 1. A service that runs need not be stopped for it.
    """
    from connector.database.reconcile import Scope
    from connector.database.reconcile import reconcile as reconcile_rows
    from connector.web.shapes import show_report

    with open_here() as runtime:
        ids = {name: one.id for name, one in runtime.settings.stores.items()}
        ids |= {id_: id_ for id_ in [*ids.values(), *runtime.settings.retired]}
        scope = Scope(
            store=choose("store", store, ids) if store else None,
            since=since and since.replace(tzinfo=UTC),
            until=until and until.replace(tzinfo=UTC),
        )
        report = reconcile_rows(
            runtime.database,
            scope,
            accounts=runtime.settings.accounts,
            lease_s=runtime.settings.environment.lease_s,
            late_s=late_s,
        )
    shown = show_report(report)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        print_report(shown)
    if report.found:
        sys.exit(1)


def print_report(shown: dict[str, Any]) -> None:
    columns = ["store", "day", "accepted", "ignored", "duplicates", "waiting", "sending", "delivered", "parked"]
    days = [{"store": one["store"], "day": one["day"], **one["events"], **one["deliveries"]} for one in shown["days"]]
    for row, one in zip(days, shown["days"], strict=True):
        row["differences"] = one["differences"]
    print_table([*columns, "discarded", "differences"], days)
    for held in shown["held"]:
        click.echo(f"account {held['account']} is held ({held['state']}): {held['waiting']} wait for it")
    for one in shown["differences"]:
        leads = f" to {one['account']}" if one["account"] else ""
        click.echo(
            f"{one['kind']} {one['id']} ({one['store']} {one['day']}, order {one['order']}{leads}): {one['what']}"
        )
    if shown["unlisted"]:
        click.echo(f"and {shown['unlisted']} more: narrow it by --store, --since, --until")
    if not shown["differences"]:
        click.echo("Everything is accounted for.")


@cli.command()
@click.option("--older-than-days", type=click.IntRange(1, 36_500), default=90, show_default=True)
@click.option("--batch", type=click.IntRange(1, 5_000), default=200, show_default=True, help="Rows in one transaction.")
@click.option("--dry-run", is_flag=True, help="Only count.")
def prune(older_than_days: int, batch: int, dry_run: bool) -> None:
    """Drop payloads, bodies and replies of orders that ended long ago.

    An order has ended when each of its deliveries is delivered or discarded, and nothing more came of it since. What
    tells events and orders apart stays for ever: a webhook that is repeated after years makes no second delivery. Ids,
    order numbers, states, errors and notes stay too. The service may go on; stopped halfway, it goes on when it is run
    again. A dropped order can be sent again only when a newer version of it comes. Kept, too, are payloads that only
    name an order, and the bytes of what may have arrived and must be repeated, if ever, unchanged under its key.

    SQLite uses the space again by itself; only its VACUUM gives it back to the disk, and wipes what stood there.
    """
    from time import sleep

    from connector.database.prune import Aged
    from connector.database.prune import prune as prune_rows

    with open_here() as runtime:
        settings = runtime.settings
        aged = Aged(
            before=runtime.clock() - timedelta(days=older_than_days),
            thin_stores=[one.id for one in settings.stores.values() if settings.storefront(one).thin_body],
        )
        dropped = prune_rows(runtime.database, aged, batch=batch, is_dry=dry_run, rest=lambda: sleep(PRUNE_REST_S))
    said = "Would drop" if dry_run else "Dropped"
    click.echo(f"{said} what {dropped.deliveries} deliveries and {dropped.events} events held.")


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True)
def sandbox(host: str, port: int) -> None:
    """Play the destinations, strictly by their contracts, and the storefronts' APIs, to try the service against."""
    from connector.sandbox.server import SandboxServer
    from connector.sandbox.server import serve as serve_sandbox

    def say_where(server: SandboxServer) -> None:
        click.echo(f"# The sandbox is at {server.url()} until Ctrl-C. Accounts that lead there, for connector.toml:")
        for name, destination in server.destinations.items():
            click.echo(f"\n[accounts.{name}]")
            for setting, value in {"destination": name, "base_url": server.url(name), **destination.example}.items():
                click.echo(f"{setting} = {write_toml(value)}")
        click.echo("\n# Storefronts' APIs are played there too. As a store's api_url:")
        for name in sorted(server.storefronts):
            click.echo(f"#   {name}: {server.url(name)}")
        sys.stdout.flush()

    try:
        serve_sandbox(host, port, log_requests=True, on_start=say_where)
    except OSError as error:
        fail([f"The sandbox cannot listen at {host}, port {port}: {error.strerror}."], 1)


def write_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {write_toml(one)}" for name, one in value.items()) + " }"
    return json.dumps(value)


@cli.command()
@click.option(
    "--once", is_flag=True, help="End when all is done: exit status 0 only if every order ended as it should."
)
def demo(once: bool) -> None:
    """Run everything on this machine, with a sandbox in the destinations' place, and watch orders travel."""
    from connector.sandbox.demo import run_demo

    sys.exit(run_demo(once=once))
