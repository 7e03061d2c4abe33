"""Commands that make secrets: token, user hash."""

import click

from connector.cli.common import cli

#: 256 bits, which are 43 characters.
TOKEN_BYTES = 32
MIN_PASSWORD_LENGTH = 8


@cli.command()
@click.option("--key", "is_key", is_flag=True, help="Print a key for TOKEN_KEYS instead.")
def token(is_key: bool) -> None:
    """Print a new random token, for ADMIN_TOKEN, METRICS_TOKEN or SECRET_KEY."""
    import secrets
    from base64 import urlsafe_b64encode

    # As `Fernet.generate_key` makes it: https://cryptography.io/en/latest/fernet/, read 2026-11-30.
    click.echo(urlsafe_b64encode(secrets.token_bytes(32)).decode() if is_key else secrets.token_urlsafe(TOKEN_BYTES))


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
