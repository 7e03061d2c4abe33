"""Commands that make secrets: token, user hash."""

import click

from connector.cli.common import cli

#: 256 bits, which are 43 characters.
TOKEN_BYTES = 32
MIN_PASSWORD_LENGTH = 8


@cli.command()
def token() -> None:
    """Print a new random token, for ADMIN_TOKEN, METRICS_TOKEN or SECRET_KEY."""
    import secrets

    click.echo(secrets.token_urlsafe(TOKEN_BYTES))


@cli.group()
def user() -> None:
    """Users of the dashboard, which are configured in `[users]`."""


@user.command("hash")
@click.password_option(help="Prompted for if omitted. A password on the command line stays in the shell's history.")
def hash_password(password: str) -> None:
    """Print the hash of a password, for `password_hash` in [users.NAME]."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise click.BadParameter(f"The password must have at least {MIN_PASSWORD_LENGTH} characters.")
    from werkzeug.security import generate_password_hash

    click.echo(generate_password_hash(password))
