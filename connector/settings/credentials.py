"""The accounts' credentials in effect: the configuration's, and over them those that people entered.

An entered credential replaces one value at one destination. If the configuration has another value or address
afterwards, whoever changed it decided later, so the configuration wins.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from connector.settings.entered_credentials import CredentialUse, EnteredCredential
from connector.settings.loader import Settings
from mappings.credentials import read_credential, replace_credential
from mappings.settings import Account


def digest_configured(account: Account, setting: str) -> str:
    """Return a digest of what the configuration has for a credential: its value, and where it is sent.

    It is only stored encrypted: by a digest alone, a short value could be guessed.
    """
    configured = [account.destination, account.base_url, setting, read_credential(account, setting)]
    return sha256(json.dumps(configured).encode()).hexdigest()


def credential_use(settings: Settings, credential: EnteredCredential) -> CredentialUse:
    """Return whether the credential is used, or why not."""
    account = settings.configured_accounts.get(credential.account)
    if account is None:
        return CredentialUse.UNKNOWN_ACCOUNT
    if credential.value is None:
        return CredentialUse.UNREADABLE
    if credential.setting not in settings.destination(account).credential_settings(account):
        return CredentialUse.OUTDATED
    is_unchanged = digest_configured(account, credential.setting) == credential.replaced
    return CredentialUse.IN_USE if is_unchanged else CredentialUse.OUTDATED


def with_credentials_in_effect(settings: Settings, account: Account) -> Account:
    """Return the account with the credentials that are used: those that people entered, else the configuration's."""
    configured = settings.configured_accounts[account.id]
    entered = {
        credential.setting: credential.value
        for credential in settings.entered_credentials
        if credential.account == account.id and credential_use(settings, credential) is CredentialUse.IN_USE
    }
    for setting in settings.destination(configured).credential_settings(configured):
        account = replace_credential(account, setting, entered.get(setting) or read_credential(configured, setting))
    return account


def apply_entered_credentials(
    settings: Settings, credentials: Sequence[EnteredCredential], *, version: int
) -> Settings:
    """Put these credentials over those of the configuration, in place of those that were entered before.

    Args:
        version: of the credentials, see `connector.database.credentials`.
    """
    settings = replace(settings, entered_credentials=tuple(credentials), entered_credentials_version=version)
    accounts = {id_: with_credentials_in_effect(settings, account) for id_, account in settings.accounts.items()}
    return replace(settings, accounts=accounts)
