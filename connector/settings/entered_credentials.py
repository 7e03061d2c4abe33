"""Credentials of accounts that people entered in the dashboard, by the API or by the command line."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class CredentialUse(StrEnum):
    """Whether an entered credential is used, and if not, why."""

    IN_USE = "in use"
    OUTDATED = "outdated"  # the configuration changed since, so its value wins
    UNREADABLE = "unreadable"  # no key of TOKEN_KEYS decrypts it, or it belongs to something else
    UNKNOWN_ACCOUNT = "unknown account"  # the configuration has no such account, or the account no such setting


@dataclass(frozen=True, slots=True, kw_only=True)
class EnteredCredential:
    """A credential of an account that a person entered. It wins over the configuration's until that changes.

    Args:
        account: the account's id.
        setting: as `mappings.credentials` names it.
        value: None if it could not be decrypted.
        replaced: the digest of what the configuration had, see `connector.settings.credentials`.
        is_verified: the destination accepted it when it was entered.
    """

    account: str
    setting: str
    value: str | None = field(repr=False)
    replaced: str | None = field(repr=False)
    is_verified: bool
    entered_by: str
    entered_at: datetime
