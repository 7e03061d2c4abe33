"""What `connector check` and `connector doctor` say about credentials that people entered."""

from collections.abc import Iterator

from connector.core.check_result import CheckResult, failure, ok, warning
from connector.core.exceptions import DatabaseUnavailableError, MigrationNeededError
from connector.database.credentials import refresh_entered_credentials
from connector.database.engine import Database
from connector.database.sqlite import database_file
from connector.settings import CredentialUse, EnteredCredential, Settings
from connector.settings.credentials import credential_use


def load_credentials_in_effect(settings: Settings) -> Settings:
    """Return the settings with the credentials that people entered; as they are if the database cannot be used.

    Changes nothing, and creates no file.
    """
    url = settings.environment.database_url
    if url.startswith("sqlite") and not database_file(url).exists():
        return settings
    try:
        database = Database(url, read_only=True)
    except DatabaseUnavailableError:
        return settings
    try:
        database.require_migrated()
        return refresh_entered_credentials(settings, database)
    except (DatabaseUnavailableError, MigrationNeededError):
        return settings
    finally:
        database.close()


def check_entered_credentials(settings: Settings) -> Iterator[CheckResult]:
    """Report each entered credential of these settings: whether it is used, since when, and who entered it."""
    for credential in settings.entered_credentials:
        yield check_credential(credential, credential_use(settings, credential))


def check_credential(credential: EnteredCredential, use: CredentialUse) -> CheckResult:
    subject, setting = f"account {credential.account}", credential.setting
    entered = f"that {credential.entered_by} entered on {credential.entered_at:%Y-%m-%d at %H:%M} UTC"
    withdraw = f"connector accounts withdraw-credentials {credential.account}"
    match use:
        case CredentialUse.IN_USE:
            tested = "" if credential.is_verified else ", and was not tested"
            return ok(subject, f"the {setting} {entered} is used in place of the configuration's{tested}")
        case CredentialUse.OUTDATED:
            message = f"the configuration's {setting} is used: it was changed after the one {entered}"
            return ok(subject, message)
        case CredentialUse.UNREADABLE:
            message = f"no key of TOKEN_KEYS decrypts the {setting} {entered}: the configuration's is used"
            remedy = f"put that key back into TOKEN_KEYS, enter the {setting} again, or {withdraw}"
            return failure(subject, message, remedy)
        case CredentialUse.UNKNOWN_ACCOUNT:
            return warning(subject, f"the {setting} {entered} is of an account that is not configured", withdraw)
