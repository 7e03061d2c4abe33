"""Commands about who may sign in to the dashboard."""

import click

from connector.cli.common import cli


@cli.group()
def user() -> None:
    """Who may sign in to the dashboard."""


@user.command("hash")
@click.password_option(help="Asked for where it is not given; what stands in a command stays in the shell's history.")
def hash_password(password: str) -> None:
    """Print what `password_hash` of a [users.NAME] table is set to, for a password."""
    from werkzeug.security import generate_password_hash

    click.echo(generate_password_hash(password))
