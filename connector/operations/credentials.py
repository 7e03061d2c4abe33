"""Credentials of accounts, for an operator: which are used, and others in place of the configuration's.

An entered credential is in the database, encrypted. No function here returns one, and no error names one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from marshmallow import ValidationError
from marshmallow.validate import Length

from connector.core.exceptions import ConflictError, InvalidRequestError, NotFoundError
from connector.database import credentials
from connector.database.credentials import find_rejected_deliveries, open_cipher, owner_of
from connector.database.jobs import JobRequest
from connector.database.models import Job, JobAction
from connector.database.queries.deliveries import DeliveryFilter
from connector.operations.jobs import MAX_IDS, start_job
from connector.operations.probe import ProbeResult, probe_accounts
from connector.runtime import Runtime, current_settings
from connector.settings import CredentialUse, EnteredCredential, Settings
from connector.settings.credentials import credential_use, digest_configured
from mappings.credentials import HEADER_PREFIX, read_credential, replace_credential
from mappings.settings import Account, HeaderValue

MAX_LENGTH = 4_000


class Verdict(StrEnum):
    """What a test with new credentials showed."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNTESTED = "untested"  # the destination did not answer, or its response says nothing about them
    NOT_TESTABLE = "not testable"  # the destination has no request that tests credentials and creates nothing


class InvalidCredentialError(InvalidRequestError):
    """A credential cannot be sent as it is. `code` says why: "empty", "unprintable" or "too_long"."""

    def __init__(self, setting: str, code: str) -> None:
        super().__init__(f"`{setting}` {INVALID_MESSAGES[code]}")
        self.setting = setting
        self.code = code


INVALID_MESSAGES = {
    "empty": "is missing",
    "unprintable": "must be printable ASCII text",
    "too_long": f"must have at most {MAX_LENGTH} characters",
}


class CredentialsRejectedError(InvalidRequestError):
    """The destination rejects the new credentials, so they were not kept."""

    def __init__(self, probe: ProbeResult) -> None:
        super().__init__(f"the destination rejects these credentials ({probe.message}): they were not kept")
        self.probe = probe


class CredentialsUntestedError(ConflictError):
    """The new credentials could not be tested, so they were not kept."""

    def __init__(self, probe: ProbeResult) -> None:
        super().__init__(
            f"these credentials could not be tested ({probe.message}): they were not kept; `keep_untested` keeps them"
        )
        self.probe = probe


class TokenKeysMissingError(ConflictError):
    """Nothing can be kept, because there is no key to encrypt it with."""

    def __init__(self) -> None:
        super().__init__(
            "TOKEN_KEYS is not set, and credentials are only kept encrypted: set it to what `connector token --key` "
            "prints, or change the credentials in the configuration, and restart the service"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialStatus:
    """Which value of a credential is used, never the value.

    Args:
        setting: as `mappings.credentials` names it.
        is_configured: the configuration has a value.
        use: whether the value that a person entered is used, or why not; None: nobody entered one.
        scheme: what a header's value begins with and is kept, as "Bearer".
    """

    setting: str
    is_configured: bool
    entered_by: str | None = None
    entered_at: datetime | None = None
    is_verified: bool | None = None
    use: CredentialUse | None = None
    scheme: str | None = None
    is_stray: bool = False  # entered for a setting that is no credential of the account any more

    @property
    def source(self) -> str:
        """Where the value in use is from: "entered", "configuration" or "none"."""
        if self.use is CredentialUse.IN_USE:
            return "entered"
        return "configuration" if self.is_configured else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What became of new credentials that were kept.

    Args:
        job: sends what the account had refused because of the old ones; None: nothing.
    """

    verdict: Verdict
    job: Job | None = None


def list_credentials(runtime: Runtime, account_id: str) -> list[CredentialStatus]:
    """Return the credentials of an account, without their values. Raises `NotFoundError`."""
    return describe_credentials(current_settings(runtime)[0], account_id)


def describe_credentials(settings: Settings, account_id: str) -> list[CredentialStatus]:
    """Return the credentials of an account in these settings. Raises `NotFoundError`."""
    account = find_configured(settings, account_id)
    entered = {item.setting: item for item in settings.entered_credentials if item.account == account_id}
    names = [*settings.destination(account).credential_settings(account)]
    strays = [name for name in entered if name not in names]
    return [
        *(describe_credential(settings, account, name, entered.get(name)) for name in names),
        *(replace(describe_credential(settings, account, name, entered[name]), is_stray=True) for name in strays),
    ]


def describe_credential(
    settings: Settings, account: Account, setting: str, entered: EnteredCredential | None
) -> CredentialStatus:
    configured = read_credential(account, setting)
    status = CredentialStatus(
        setting=setting, is_configured=configured is not None, scheme=find_scheme(setting, configured)
    )
    if entered is None:
        return status
    return replace(
        status,
        entered_by=entered.entered_by,
        entered_at=entered.entered_at,
        is_verified=entered.is_verified,
        use=credential_use(settings, entered),
    )


def replace_credentials(
    runtime: Runtime,
    account_id: str,
    values: Mapping[str, str],
    *,
    actor: str,
    note: str | None = None,
    keep_untested: bool = False,
    retry_rejected: bool = True,
) -> Replacement:
    """Use other credentials for an account, in all processes within seconds and without a restart.

    They are tested first, with a request that creates nothing. The orders that wait for the account are then sent.

    Args:
        values: by setting.
        keep_untested: keep them also if the test shows nothing, as when the destination cannot be reached.
        retry_rejected: also send orders that the account refused because of its credentials, while it accepted others.

    Raises:
        NotFoundError: there is no such account.
        InvalidRequestError: the account has no such credential, or a value cannot be sent in a header.
        TokenKeysMissingError: there is no key to encrypt them with.
        CredentialsRejectedError: the destination rejects them.
        CredentialsUntestedError: the test showed nothing, and `keep_untested` is not set.
    """
    settings, _ = current_settings(runtime)
    configured = find_configured(settings, account_id)
    cipher = open_cipher(settings)
    if cipher is None:
        raise TokenKeysMissingError
    parsed = parse_values(settings, configured, values)
    account = settings.accounts[account_id]
    for setting, value in parsed.items():
        account = replace_credential(account, setting, value)
    verdict, probe = probe_credentials(settings, account)
    if verdict is Verdict.REJECTED:
        raise CredentialsRejectedError(probe)
    if verdict is Verdict.UNTESTED and not keep_untested:
        raise CredentialsUntestedError(probe)
    encrypted = {
        setting: cipher.encrypt(
            json.dumps([value, digest_configured(configured, setting)]),
            owner=owner_of(account_id, configured.destination, setting),
        )
        for setting, value in parsed.items()
    }
    credentials.save_credentials(
        runtime.database, account_id, encrypted, is_verified=verdict is Verdict.ACCEPTED, actor=actor, note=note
    )
    runtime.log.info("credentials_replaced", account=account_id, settings=sorted(parsed), who=actor, test=str(verdict))
    job = send_rejected(runtime, account_id, actor=actor, note=note) if retry_rejected else None
    return Replacement(verdict=verdict, job=job)


def withdraw_credentials(runtime: Runtime, account_id: str, *, actor: str, note: str | None = None) -> None:
    """Delete an account's entered credentials, so that the configuration's are used again.

    Raises `NotFoundError` if nobody entered any.
    """
    credentials.withdraw_credentials(runtime.database, account_id, actor=actor, note=note)
    runtime.log.info("credentials_withdrawn", account=account_id, who=actor)


def count_rejected(runtime: Runtime, account_id: str) -> int:
    """Return how many orders `replace_credentials` would send that the account refused because of its credentials."""
    return len(find_rejected_deliveries(runtime.database, account_id, limit=MAX_IDS))


def send_rejected(runtime: Runtime, account_id: str, *, actor: str, note: str | None) -> Job | None:
    ids = find_rejected_deliveries(runtime.database, account_id, limit=MAX_IDS)
    if not ids:
        return None
    request = JobRequest(action=JobAction.RETRIGGER, actor=actor, note=note)
    return start_job(runtime, DeliveryFilter(ids=tuple(ids)), request)


def find_configured(settings: Settings, account_id: str) -> Account:
    """Return the account as the configuration has it. Raises `NotFoundError`."""
    if account_id not in settings.configured_accounts:
        raise NotFoundError("no such account")
    return settings.configured_accounts[account_id]


def parse_values(settings: Settings, account: Account, values: Mapping[str, str]) -> dict[str, str]:
    """Return the values to send, by setting. Raises `InvalidRequestError`."""
    names = settings.destination(account).credential_settings(account)
    if unknown := sorted(set(values) - set(names)):
        raise InvalidRequestError(f"the account has no credential {', '.join(unknown)}: it has {', '.join(names)}")
    if not values:
        raise InvalidRequestError(f"a value is missing, for {', '.join(names)}")
    return {setting: parse_value(account, setting, value) for setting, value in values.items()}


def parse_value(account: Account, setting: str, value: str) -> str:
    """Return a value as it is sent. Raises `InvalidCredentialError`."""
    value = value.strip()
    if not value:
        raise InvalidCredentialError(setting, "empty")
    try:
        HeaderValue().deserialize(value)
    except ValidationError as error:
        raise InvalidCredentialError(setting, "unprintable") from error
    try:
        Length(max=MAX_LENGTH)(value)
    except ValidationError as error:
        raise InvalidCredentialError(setting, "too_long") from error
    scheme = find_scheme(setting, read_credential(account, setting))
    if scheme is None or value.lower().startswith(f"{scheme.lower()} "):
        return value
    return f"{scheme} {value}"


def find_scheme(setting: str, configured: str | None) -> str | None:
    """Return the scheme of a configured `Authorization` header, as "Bearer": destinations hand out what follows it."""
    if setting.lower() != f"{HEADER_PREFIX}authorization" or not configured:
        return None
    scheme, space, _ = configured.partition(" ")
    return scheme if space else None


def probe_credentials(settings: Settings, account: Account) -> tuple[Verdict, ProbeResult]:
    """Test an account's credentials with a request that creates nothing."""
    [probe] = probe_accounts(replace(settings, accounts={account.id: account}), account.id)
    if probe.rejects_credentials:
        return Verdict.REJECTED, probe
    if not probe.is_good or probe.status == 429:
        return Verdict.UNTESTED, probe
    if not settings.destination(account).probe_checks_credentials:
        return Verdict.NOT_TESTABLE, probe
    is_success = probe.status is not None and 200 <= probe.status < 300
    return (Verdict.ACCEPTED if is_success else Verdict.UNTESTED), probe
