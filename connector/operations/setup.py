"""Checks and writes the files of a new configuration, for `connector init`."""

import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from connector.core.check_result import Severity
from connector.database.engine import Database
from connector.database.store_webhooks import set_webhooks_managed
from connector.operations.doctor import check_store_api
from connector.operations.probe import ProbeOutcome, StoreProbe, probe_accounts, probe_stores
from connector.settings import Settings, load_settings
from connector.settings.setup import (
    CONFIG_FILE,
    ENVIRONMENT_FILE,
    NewConfiguration,
    SetupPart,
    generate_secret,
    generate_token_key,
    is_usable_admin_token,
)
from mappings.app_settings import AppStore

CONFIG_MODE, ENVIRONMENT_MODE = 0o644, 0o600
#: Results that other credentials may change.
REJECTIONS = (ProbeOutcome.CREDENTIALS_REJECTED, ProbeOutcome.NO_TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialTest:
    """Whether a store's or an account's credentials work. The texts are English."""

    kind: Literal["storefront", "destination"]
    subject: str
    message: str
    is_good: bool
    is_rejected: bool  # other credentials may help
    is_pending: bool = False  # the shop has to authorize the app first

    @property
    def label(self) -> str:
        return "to do" if self.is_pending else "ok" if self.is_good else "FAILED"


def new_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables besides the secrets of the store and the account: random ones, if not set."""
    admin_token = environ.get("ADMIN_TOKEN", "")
    return {
        "ADMIN_TOKEN": admin_token if is_usable_admin_token(admin_token) else generate_secret(),
        "TOKEN_KEYS": environ.get("TOKEN_KEYS") or generate_token_key(),
    }


def load_new_settings(configuration: NewConfiguration, environ: Mapping[str, str]) -> Settings:
    """Return what the service would load from the files. Raises `SettingsError`."""
    with TemporaryDirectory(prefix="connector-init-") as folder:
        path = Path(folder) / CONFIG_FILE
        path.write_text(configuration.toml, "utf-8")
        return load_settings(path, {**environ, **configuration.variables})


def test_credentials(settings: Settings) -> list[CredentialTest]:
    """Send a request that creates nothing to each store's API, if it has one, and to each account."""
    tests = []
    for store_probe in probe_stores(settings):
        check, is_pending = check_store_api(store_probe), is_unauthorized(settings, store_probe)
        tests.append(
            CredentialTest(
                kind="storefront",
                subject=check.subject,
                message=check.message,
                is_good=check.severity is Severity.OK or is_pending,
                is_rejected=store_probe.outcome in REJECTIONS and not is_pending,
                is_pending=is_pending,
            )
        )
    for probe in probe_accounts(settings):
        tests.append(
            CredentialTest(
                kind="destination",
                subject=f"account {probe.account}",
                message=probe.message,
                is_good=probe.is_good,
                is_rejected=probe.outcome in REJECTIONS,
            )
        )
    return tests


def is_unauthorized(settings: Settings, probe: StoreProbe) -> bool:
    """Return whether the shop has to authorize its app, so that there is a token."""
    can_authorize = settings.storefront(probe.store).app_authorization is not None
    return can_authorize and probe.outcome is ProbeOutcome.NO_TOKEN


def manage_webhooks(settings: Settings, store_name: str, directory: Path) -> bool:
    """Have the service make the store's webhooks as soon as `public_url` reaches it. Return whether it will.

    Args:
        directory: where the service will run. `DATABASE_URL` may name a file in it.

    Raises `DatabaseUnavailableError`.
    """
    store = settings.stores[store_name]
    if not (settings.public_url and store.has_api and settings.storefront(store).webhook_api):
        return False
    if not settings.environment.auto_migrate or directory.resolve() != Path.cwd():
        return False
    database = Database(settings.environment.database_url)
    try:
        database.migrate()
        set_webhooks_managed(database, store.id, is_managed=True)
    finally:
        database.close()
    return True


def next_steps(
    settings: Settings, store_part: SetupPart, directory: Path, *, are_webhooks_managed: bool = False
) -> list[str]:
    """Return what remains to be done, as commands with comments.

    Args:
        are_webhooks_managed: the service creates the store's webhooks.
    """
    environment = settings.environment
    steps = [f"cd {shlex.quote(str(directory))}"] if directory.resolve() != Path.cwd() else []
    steps += [
        "set -a; . ./.env; set +a",
        *authorization_steps(settings, store_part.name),
        f"connector serve    # the dashboard: http://{environment.host}:{environment.port}, with ADMIN_TOKEN of .env",
    ]
    if are_webhooks_managed:
        return [
            *steps,
            f"The service makes the store's webhooks within minutes after {settings.public_url} reaches it.",
        ]
    return steps + webhook_steps(settings, store_part)


def authorization_steps(settings: Settings, store_name: str) -> list[str]:
    store = settings.stores[store_name]
    is_app = isinstance(store, AppStore) and store.client_id is not None
    if settings.storefront(store).app_authorization is None or not is_app:
        return []
    return [f"connector authorize {store_name}    # obtains the app's token, as the shop's owner accepts"]


def webhook_steps(settings: Settings, store_part: SetupPart) -> list[str]:
    """Return how the store's webhooks are made: by its API, or by hand."""
    store = settings.stores[store_part.name]
    if store.has_api and settings.storefront(store).webhook_api is not None:
        sync = f"connector webhooks sync --store {store.name}"
        if settings.public_url is None:
            return [f"{sync}    # once public_url in {CONFIG_FILE} is the address of this service"]
        return [f"{sync}    # once {settings.public_url} reaches this service"]
    secrets = [store_part.variable(question) for question in store_part.plan.questions if question.is_generated]
    secret = f" Their secret is {secrets[0]} in {ENVIRONMENT_FILE}." if secrets else ""
    address = f"{settings.public_url or 'https://<your host>'}/webhooks/{store.name}"
    return [f"Create the store's webhooks, to {address}: docs/storefronts.md says which.{secret}"]


def write_files(configuration: NewConfiguration, directory: Path, *, is_forced: bool = False) -> None:
    """Write both files, or none: each is complete when it appears.

    Args:
        is_forced: replace files that exist. Otherwise raises `FileExistsError`.
    """
    files = [
        (directory / configuration.environment_name, configuration.environment_file, ENVIRONMENT_MODE),
        (directory / configuration.config_name, configuration.toml, CONFIG_MODE),
    ]
    with TemporaryDirectory(prefix=".connector-init-", dir=directory) as folder:
        prepared = []
        for path, text, mode in files:
            temporary = Path(folder) / path.name
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(descriptor, mode)  # whatever the umask is
                file.write(text)
            prepared.append((temporary, path))
        if is_forced:
            for temporary, path in prepared:
                temporary.replace(path)
            return
        written: list[Path] = []
        try:
            for temporary, path in prepared:
                create_from(temporary, path)
                written.append(path)
        except BaseException:
            for path in written:
                with suppress(FileNotFoundError):
                    path.unlink()
            raise


def create_from(temporary: Path, path: Path) -> None:
    """Give a file its name, unless there is one. Raises `FileExistsError`."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        temporary.rename(path)
