"""Commands that create secrets: token, user hash."""

from datetime import datetime

import click

from connector.cli.common import UTCTime, cli

#: 256 bits, which are 43 characters.
TOKEN_BYTES = 32
MIN_PASSWORD_LENGTH = 8


@cli.command()
@click.option("--key", "is_key", is_flag=True, help="Print a key for TOKEN_KEYS instead.")
@click.option("--name", help="Create a token for the API: print [tokens.NAME] for connector.toml, and the token.")
@click.option(
    "--role", type=click.Choice(["viewer", "operator"]), help="What the token NAME may do.  [default: viewer]"
)
@click.option("--expires", type=UTCTime(days_only=True), help="The UTC day from which the token NAME is refused.")
def token(is_key: bool, name: str | None, role: str | None, expires: datetime | None) -> None:
    """Print a new random token, for ADMIN_TOKEN, METRICS_TOKEN or SECRET_KEY.

    With --name, creates a token for the API. connector.toml contains only its hash: the table goes to standard output,
    and the token to standard error: connector token --name NAME >> connector.toml
    """
    import secrets
    from base64 import urlsafe_b64encode

    text = secrets.token_urlsafe(TOKEN_BYTES)
    if name is not None:
        if is_key:
            raise click.UsageError("--key is not for the API: it takes no --name.")
        print_api_token(text, name, role or "viewer", expires)
        return
    if role or expires:
        raise click.UsageError("--role and --expires go with --name.")
    # As `Fernet.generate_key` makes it: https://cryptography.io/en/latest/fernet/, read 2026-11-30.
    click.echo(urlsafe_b64encode(secrets.token_bytes(32)).decode() if is_key else text)


def print_api_token(text: str, name: str, role: str, expires: datetime | None) -> None:
    from marshmallow import ValidationError

    from connector.settings.api_tokens import format_hash, validate_token_name
    from connector.settings.errors import format_path

    try:
        validate_token_name(name)
    except ValidationError as error:
        raise click.BadParameter(str(error.messages[0]), param_hint="--name") from error
    click.echo(f'\n[{format_path(("tokens", name))}]\nhash = "{format_hash(text)}"\nrole = "{role}"')
    if expires is not None:
        click.echo(f"expires = {expires.date().isoformat()}")
    click.echo(f"The token, which is not shown again: {text}", err=True)


@cli.group()
def user() -> None:
    """Help with the dashboard's users in `[users]`."""


@user.command("hash")
@click.password_option(help="If omitted, the command asks. On the command line, it stays in the shell's history.")
def hash_password(password: str) -> None:
    """Print the hash of a password, for `password_hash` in [users.NAME]."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise click.BadParameter(f"The password must have at least {MIN_PASSWORD_LENGTH} characters.")
    from werkzeug.security import generate_password_hash

    click.echo(generate_password_hash(password))
