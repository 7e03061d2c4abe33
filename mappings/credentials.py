"""The credentials of an account, by the setting that has each: `api_key`, or `headers.Authorization` for a header."""

from dataclasses import replace

from mappings.settings import Account, AccountT

HEADER_PREFIX = "headers."


def read_credential(account: Account, setting: str) -> str | None:
    """Return the value of a credential; None if the account has none."""
    if setting.startswith(HEADER_PREFIX):
        return account.headers.get(setting.removeprefix(HEADER_PREFIX))
    value: str | None = getattr(account, setting, None)
    return value


def replace_credential(account: AccountT, setting: str, value: str | None) -> AccountT:
    """Return the account with another value of a credential; None: without the credential."""
    if not setting.startswith(HEADER_PREFIX):
        return replace(account, **{setting: value})  # type: ignore[arg-type]  # of the account's own class
    header = setting.removeprefix(HEADER_PREFIX)
    headers = {name: text for name, text in account.headers.items() if name != header}
    return replace(account, headers=headers if value is None else {**headers, header: value})
