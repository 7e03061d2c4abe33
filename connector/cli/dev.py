"""Commands to try the service with: they play the storefront, the destinations, or all of it."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import cli, exit_with, lookup_or_fail, read_settings

if TYPE_CHECKING:
    pass


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
    from connector.sandbox.webhook_sender import WebhookNotSentError, post_webhook, read_sample

    settings = read_settings()
    store = lookup_or_fail("store", store_name, dict(settings.stores))
    storefront = settings.storefront(store)
    body = file.read() if file else read_sample(storefront.name)
    address = (url or f"http://127.0.0.1:{settings.environment.port}").rstrip("/")
    try:
        status, response_text = post_webhook(f"{address}/webhooks/{store_name}", storefront, store, body, topic)
    except WebhookNotSentError as error:
        exit_with([f"No answer from {address} ({error}): is the service running there?"], 1)
    click.echo(response_text.rstrip("\n"))
    if status != 200:
        exit_with([f"The service answered {status}."], 1)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True)
def sandbox(host: str, port: int) -> None:
    """Play the destinations, strictly by their contracts, and the storefronts' APIs, to try the service against."""
    from connector.sandbox.server import SandboxServer
    from connector.sandbox.server import serve as serve_sandbox

    def print_addresses(server: SandboxServer) -> None:
        click.echo(f"# The sandbox is at {server.url()} until Ctrl-C. Accounts that lead there, for connector.toml:")
        for name, destination in server.destinations.items():
            click.echo(f"\n[accounts.{name}]")
            for setting, value in {
                "destination": name,
                "base_url": server.url(name),
                **destination.sample.settings,
            }.items():
                click.echo(f"{setting} = {format_toml(value)}")
        click.echo("\n# Storefronts' APIs are played there too. As a store's api_url:")
        for name in sorted(server.storefronts):
            click.echo(f"#   {name}: {server.url(name)}")
        sys.stdout.flush()

    try:
        serve_sandbox(host, port, log_requests=True, on_start=print_addresses)
    except OSError as error:
        exit_with([f"The sandbox cannot listen at {host}, port {port}: {error.strerror}."], 1)


def format_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {format_toml(item)}" for name, item in value.items()) + " }"
    return json.dumps(value)


@cli.command()
@click.option(
    "--once", is_flag=True, help="End when all is done: exit status 0 only if every order ended as it should."
)
def demo(once: bool) -> None:
    """Run everything on this machine, with a sandbox in the destinations' place, and watch orders travel."""
    from connector.sandbox.demo import run_demo

    sys.exit(run_demo(once=once))
