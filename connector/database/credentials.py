"""The credentials of accounts that people entered, encrypted, and a version number by which processes see a change."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, update
from sqlmodel import and_, col, select

from connector.core.exceptions import NotFoundError
from connector.core.messages import build_message
from connector.core.token_cipher import TokenCipher, UndecryptableError
from connector.database.circuits import let_new_credentials_be_tried
from connector.database.coordination import get_checkpoint, lock_checkpoint, set_checkpoint
from connector.database.engine import Database, Transaction
from connector.database.models import AccountCredential, Attempt, Delivery, OperatorAction, Reason, State
from connector.settings import EnteredCredential, Settings
from connector.settings.credentials import apply_entered_credentials
from mappings.destination import Outcome

#: The checkpoint whose number is the version.
VERSION = "account_credentials"


def refresh_entered_credentials(settings: Settings, database: Database) -> Settings:
    """Put the entered credentials over the configuration's.

    If none has changed since, `settings` itself is returned. That costs one query by primary key.
    """
    version = get_checkpoint(database, VERSION)
    if version == settings.entered_credentials_version:
        return settings
    return apply_entered_credentials(settings, load_credentials(settings, database), version=version)


def load_credentials(settings: Settings, database: Database) -> list[EnteredCredential]:
    """Return all entered credentials. Those that cannot be decrypted have no value."""
    statement = select(AccountCredential).order_by(col(AccountCredential.account), col(AccountCredential.setting))
    with database.read() as session:
        rows = session.exec(statement).all()
    cipher = open_cipher(settings) if rows else None
    return [decrypt(row, settings, cipher) for row in rows]


def open_cipher(settings: Settings) -> TokenCipher | None:
    """Return what encrypts credentials; None without `TOKEN_KEYS`."""
    keys = settings.environment.token_keys
    return TokenCipher(keys) if keys else None


def decrypt(row: AccountCredential, settings: Settings, cipher: TokenCipher | None) -> EnteredCredential:
    value = replaced = None
    account = settings.configured_accounts.get(row.account)
    if cipher is not None and account is not None:
        try:
            text = cipher.decrypt(row.credential, owner=owner_of(row.account, account.destination, row.setting))
            value, replaced = json.loads(text)
        except UndecryptableError:
            pass
    return EnteredCredential(
        account=row.account,
        setting=row.setting,
        value=value,
        replaced=replaced,
        is_verified=row.is_verified,
        entered_by=row.entered_by,
        entered_at=row.entered_at,
    )


def owner_of(account_id: str, destination: str, setting: str) -> str:
    """What an encrypted credential belongs to: a row that was moved to another account is not used."""
    return json.dumps(["account", account_id, destination, setting])


def save_credentials(
    database: Database,
    account_id: str,
    encrypted: Mapping[str, str],
    *,
    is_verified: bool,
    actor: str,
    note: str | None = None,
) -> int:
    """Keep credentials of an account in place of older ones. Returns the new version of the credentials.

    Processes claim none of the account's deliveries until they have the new ones. Those that the account rejected with
    the old ones are due then.

    Args:
        encrypted: by setting, with what it belongs to.
    """

    def save(transaction: Transaction) -> int:
        version = advance_version(transaction)
        for setting, credential in encrypted.items():
            is_row = and_(col(AccountCredential.account) == account_id, col(AccountCredential.setting) == setting)
            transaction.execute(delete(AccountCredential).where(is_row))
            row = {"account": account_id, "setting": setting, "credential": credential, "is_verified": is_verified}
            entered = {"entered_by": actor, "entered_at": transaction.now}
            transaction.execute(insert(AccountCredential).values(**row, **entered))
        code = "credential_verified" if is_verified else "credential_unverified"
        record_action(transaction, account_id, "set-credentials", encrypted, code=code, actor=actor, note=note)
        use_from_now_on(transaction, account_id, version)
        return version

    return database.transact(save)


def withdraw_credentials(database: Database, account_id: str, *, actor: str, note: str | None = None) -> int:
    """Delete an account's entered credentials. Returns the new version. Raises `NotFoundError` if there are none."""

    def withdraw(transaction: Transaction) -> int:
        version = advance_version(transaction)
        is_own = col(AccountCredential.account) == account_id
        settings = transaction.load_all(select(AccountCredential.setting).where(is_own))
        if not settings:
            raise NotFoundError("nobody entered credentials of this account")
        transaction.execute(delete(AccountCredential).where(is_own))
        code = "credential_withdrawn"
        record_action(transaction, account_id, "withdraw-credentials", settings, code=code, actor=actor, note=note)
        use_from_now_on(transaction, account_id, version)
        return version

    return database.transact(withdraw)


def advance_version(transaction: Transaction) -> int:
    """Let other processes see the change, and let one transaction at a time make one."""
    version = lock_checkpoint(transaction, VERSION) + 1
    set_checkpoint(transaction, VERSION, version)
    return version


def record_action(
    transaction: Transaction,
    account_id: str,
    kind: str,
    settings: Collection[str],
    *,
    code: str,
    actor: str,
    note: str | None,
) -> None:
    """Add an entry to the audit trail, without the credential."""
    message = build_message(code, settings=", ".join(sorted(settings)))
    values = {"at": transaction.now, "account": account_id, "kind": kind, "who": actor, "text": note or ""}
    transaction.execute(insert(OperatorAction).values(**values, message=message.to_json()))


def use_from_now_on(transaction: Transaction, account_id: str, version: int) -> None:
    """Keep processes without this version from claiming, and make due what was rejected with the old credentials."""
    let_new_credentials_be_tried(transaction, account_id, version)
    waiting = and_(col(Delivery.account) == account_id, col(Delivery.state) == State.WAITING)
    was_rejected = and_(waiting, col(Delivery.attempts) > 0, last_attempt_was_unauthorized())
    values: dict[str, datetime | None] = {"due_at": transaction.now, "first_forbidden_at": None}
    transaction.execute(update(Delivery).where(was_rejected).values(values))
    transaction.notify()


def find_rejected_deliveries(database: Database, account_id: str, *, limit: int) -> Sequence[int]:
    """Return the ids of parked deliveries that the account refused because of its credentials, the oldest first.

    Those are deliveries that it refused while it accepted others.
    """
    statement = select(Delivery.id).where(
        col(Delivery.account) == account_id,
        col(Delivery.state) == State.PARKED,
        col(Delivery.reason) == Reason.REFUSED,
        last_attempt_was_unauthorized(),
    )
    with database.read() as session:
        return session.exec(statement.order_by(col(Delivery.id)).limit(limit)).all()


def last_attempt_was_unauthorized() -> Any:
    return (
        select(Attempt.id)
        .where(
            col(Attempt.delivery_id) == col(Delivery.id),
            col(Attempt.number) == col(Delivery.attempts),
            col(Attempt.outcome) == Outcome.UNAUTHORIZED,
        )
        .exists()
    )


def encrypt_again(database: Database, settings: Settings) -> None:
    """Encrypt credentials with the newest key, so that older ones can be removed from `TOKEN_KEYS`."""
    with database.read() as session:
        rows = session.exec(select(AccountCredential)).all()
    cipher = open_cipher(settings) if rows else None
    for row in rows:
        account = settings.configured_accounts.get(row.account)
        if cipher is not None and account is not None:
            encrypt_row_again(database, row, cipher, owner=owner_of(row.account, account.destination, row.setting))


def encrypt_row_again(database: Database, row: AccountCredential, cipher: TokenCipher, *, owner: str) -> None:
    if cipher.is_current(row.credential, owner=owner):
        return
    try:
        encrypted = cipher.encrypt(cipher.decrypt(row.credential, owner=owner), owner=owner)
    except UndecryptableError:
        return
    is_same = and_(
        col(AccountCredential.account) == row.account,
        col(AccountCredential.setting) == row.setting,
        col(AccountCredential.credential) == row.credential,
    )
    statement = update(AccountCredential).where(is_same).values(credential=encrypted)
    database.transact(lambda transaction: transaction.execute(statement).rowcount)
