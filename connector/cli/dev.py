"""Commands to try the service without real storefronts and destinations: trigger, sandbox, demo."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import cli, exit_with, lookup_or_fail, read_settings

if TYPE_CHECKING:
    from connector.sandbox.server import SandboxServer
    from connector.settings import Settings
    from mappings.settings import Store


@cli.command()
@click.option("--store", "store_name", required=True, help="The store that sends the webhook.")
@click.option("--sample", is_flag=True, help="Post an invented order instead of FILE.")
@click.option("--even-if-real", is_flag=True, help="Post an invented order even to a real account, which may ship it.")
@click.option("--topic", help="The platform's topic. Default: its topic for a paid order.")
@click.option("--url", help="Address of the service. Default: this machine, at PORT.")
@click.argument("file", type=click.File("rb"), required=False)
def trigger(store_name: str, sample: bool, even_if_real: bool, topic: str | None, url: str | None, file: Any) -> None:
    """Sign the webhook in FILE, or a sample, and post it as the store would.

    The order in FILE counts as real: the service sends it to the accounts of the store's routes, as if the shop had
    posted it. Only post the shop's own orders.

    --sample, or no FILE, posts an invented order. A real account would ship or invoice it, so the command refuses
    unless the service and all accounts on the store's routes are on this machine, like those of `connector sandbox`.

    If the storefront's webhooks only name the order, FILE is the order. If the store's api_url is the sandbox's, the
    command first puts the order there. Then it posts the webhook that names it.
    """
    from connector.sandbox.webhook_sender import WebhookNotSentError, is_sample, post_webhook, read_fresh_sample

    if sample and file:
        raise click.UsageError("--sample takes no FILE.")
    settings = read_settings()
    store = lookup_or_fail("store", store_name, settings.stores)
    storefront = settings.storefront(store)
    body = file.read() if file else read_fresh_sample(storefront.name)
    address = (url or f"http://127.0.0.1:{settings.environment.port}").rstrip("/")
    if (file is None or is_sample(body)) and not even_if_real:
        refuse_real_accounts(settings, store, address)
    try:
        status, response_text = post_webhook(f"{address}/webhooks/{store_name}", storefront, store, body, topic)
    except WebhookNotSentError as error:
        exit_with([f"No response from {address} ({error}). Is the service running there?"], 1)
    click.echo(response_text.rstrip("\n"))
    if status != 200:
        exit_with([f"The service responded with status {status}."], 1)


def refuse_real_accounts(settings: "Settings", store: "Store", address: str) -> None:
    """End the command if an invented order could reach a real account."""
    from mappings.settings import is_loopback

    accounts = {id_ for route in settings.routes_of(store.id) for id_ in route.accounts}
    real = sorted(id_ for id_ in accounts if not is_loopback(settings.accounts[id_].base_url))
    if real:
        reason = f"routes of {store.name} lead to {', '.join(real)}, which would ship or invoice it."
    elif not is_loopback(address):
        reason = f"the service at {address} may have other accounts than this configuration."
    else:
        return
    exit_with(
        [
            f"The sample is an invented order, and was not posted: {reason}",
            "Give an order of the shop as FILE, or use an account of `connector sandbox`.",
        ],
        1,
    )


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9000,
    show_default=True,
    help="The port to listen on; 0 chooses a free one.",
)
@click.option(
    "--write",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a configuration of stores, accounts and routes for this sandbox to FILE, such as connector.toml.",
)
def sandbox(host: str, port: int, config_path: Path | None) -> None:
    """Play the destinations and the storefronts' APIs, for tests.

    It checks every body against the destination's contract. It runs until Ctrl-C, and prints accounts for itself. With
    --write, it writes a whole configuration and, beside it, .env with the environment variables, and prints what to do
    next. It does not overwrite files.
    """
    from connector.sandbox.server import serve as serve_sandbox

    if config_path is not None:
        check_new_files(config_path, host, port)

    def start(server: "SandboxServer") -> None:
        if config_path is None:
            print_addresses(server)
        else:
            write_configuration(server, config_path)

    try:
        serve_sandbox(host, port, log_requests=True, on_start=start)
    except OSError as error:
        exit_with([f"The sandbox cannot listen on {host}, port {port}: {error.strerror}."], 1)


def check_new_files(path: Path, host: str, port: int) -> None:
    """End the command if a file exists, or cannot be written."""
    from connector.sandbox.configuration import name_files

    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        exit_with([f"--write: no file can be written in {path.parent.absolute()}."], 1)
    if existing := name_files(path).find_existing(path.parent):
        again = f"connector sandbox --host {host} --port {port}"
        exit_with(
            [
                f"{existing[0]} exists. Move it, or write to another file.",
                f"If this command wrote it before, the sandbox runs with it: {again}",
            ],
            1,
        )


def write_configuration(server: "SandboxServer", path: Path) -> None:
    """Write the configuration for this sandbox, and print what to do next."""
    from connector.operations.setup import write_files
    from connector.sandbox.configuration import build_configuration

    configuration = build_configuration(path, server)
    write_files(configuration, path.parent)
    storefront = sorted(server.storefronts)[0]
    click.echo(f"The sandbox is at {server.url()}, which shows what it receives. Ctrl-C stops it.")
    click.echo(f"Wrote {path} and {path.parent / configuration.environment_name}. In another terminal:\n")
    for line in (
        f"cd {shlex.quote(str(path.parent.absolute()))}",
        f"set -a; . ./{shlex.quote(configuration.environment_name)}; set +a",
        "connector serve    # prints where the dashboard is: sign in with this ADMIN_TOKEN",
    ):
        click.echo(f"  {line}")
    click.echo("\nThen, in a third one, after the same first two lines, order something:\n")
    click.echo(f"  connector trigger --store {storefront} --sample\n")
    sys.stdout.flush()


def print_addresses(server: "SandboxServer") -> None:
    """Print the settings that point at the sandbox."""
    from connector.settings.setup import format_toml

    click.echo(f"# The sandbox is at {server.url()}; Ctrl-C stops it. Accounts for connector.toml that use it:")
    for name, destination in server.destinations.items():
        click.echo(f"\n[accounts.{name}]")
        settings = {"destination": name, "base_url": server.url(name), **destination.sample.settings}
        for setting, value in settings.items():
            click.echo(f"{setting} = {format_toml(value)}")
    click.echo("\n# It also stands in for the storefronts' APIs. As a store's api_url:")
    for name in sorted(server.storefronts):
        click.echo(f"#   {name}: {server.url(name)}")
    click.echo("\n# A whole configuration: connector sandbox --write connector.toml")
    sys.stdout.flush()


@cli.command()
@click.option("--once", is_flag=True, help="Exit when done; the status is 0 only if every order ended as expected.")
def demo(once: bool) -> None:
    """Run the service on this machine against a sandbox, and show how orders travel."""
    from connector.sandbox.demo import run_demo

    sys.exit(run_demo(once=once))
