"""The access tokens that stores' apps obtained, encrypted, for all processes."""

import threading
from contextlib import suppress
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select

from connector.core.access_token import AccessToken
from connector.core.exceptions import DatabaseUnavailableError
from connector.core.token_cipher import TokenCipher, UndecryptableError
from connector.core.worker_id import new_worker_id
from connector.database.coordination import acquire_lock, release_lock, release_lock_of_dead_holder
from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import StoreToken
from connector.observability.logs import get_logger

#: Longer than an exchange may take, so that a process that died delays the others for this long at most.
LOCK_TTL_S = 20.0


class DatabaseVault:
    """Keeps the token of one store in the database. While the database is unavailable, each process is on its own.

    Args:
        owner: what the token belongs to; another owner's is not returned.
    """

    def __init__(self, database: Database, store_id: str, *, owner: str, cipher: TokenCipher) -> None:
        self.database = database
        self.store_id = store_id
        self.owner = owner
        self.cipher = cipher
        self._holder = new_worker_id()
        self._local_lock = threading.Lock()  # for the threads of this process, which share the holder
        self._unreadable: str | None = None  # the last token that could not be decrypted

    def load(self) -> AccessToken | None:
        try:
            row = read_row(self.database, self.store_id)
        except DatabaseUnavailableError:
            return None
        if row is None:
            return None
        try:
            text = self.cipher.decrypt(row.token, owner=self.owner)
        except UndecryptableError:
            if row.token != self._unreadable:
                get_logger().warning("store_token_unreadable", store=self.store_id, what="it is replaced")
            self._unreadable = row.token
            return None
        if not self.cipher.is_current(row.token, owner=self.owner):
            self._encrypt_again(row, text)
        return AccessToken(text=text, obtained_at=row.obtained_at, expires_at=row.expires_at)

    def save(self, token: AccessToken) -> None:
        with suppress(DatabaseUnavailableError):  # this process has it in memory
            save_store_token(self.database, self.store_id, token, owner=self.owner, cipher=self.cipher)

    def try_lock(self) -> bool:
        if not self._local_lock.acquire(blocking=False):
            return False
        has_lock = False
        try:
            release_lock_of_dead_holder(self.database, self._lock_name)
            has_lock = acquire_lock(self.database, self._lock_name, self._holder, lease_s=LOCK_TTL_S)
        except DatabaseUnavailableError:
            has_lock = True
        finally:
            if not has_lock:
                self._local_lock.release()
        return has_lock

    def unlock(self) -> None:
        try:
            with suppress(DatabaseUnavailableError):  # the lock expires
                release_lock(self.database, self._lock_name, self._holder)
        finally:
            self._local_lock.release()

    @property
    def _lock_name(self) -> str:
        return f"token:{self.store_id}"

    def _encrypt_again(self, row: StoreToken, text: str) -> None:
        """Encrypt a token with the newest key, so that the older one can be removed."""
        encrypted = self.cipher.encrypt(text, owner=self.owner)
        is_same = (col(StoreToken.store) == row.store) & (col(StoreToken.token) == row.token)
        statement = update(StoreToken).where(is_same).values(token=encrypted)
        with suppress(DatabaseUnavailableError):
            self.database.transact(lambda transaction: transaction.execute(statement).rowcount)


def save_store_token(database: Database, store_id: str, token: AccessToken, *, owner: str, cipher: TokenCipher) -> None:
    """Keep a store's token in place of an older one. Raises `DatabaseUnavailableError`."""
    values: dict[str, str | datetime | None] = {
        "token": cipher.encrypt(token.text, owner=owner),
        "obtained_at": token.obtained_at,
        "expires_at": token.expires_at,
    }

    def save(transaction: Transaction) -> None:
        insert_ignore(transaction.connection, StoreToken, [{"store": store_id, **values}], unique=("store",))
        transaction.execute(update(StoreToken).where(col(StoreToken.store) == store_id).values(values))

    database.transact(save)


def read_store_token(database: Database, store_id: str, *, owner: str, cipher: TokenCipher) -> AccessToken | None:
    """A store's token; None if there is none. Raises `UndecryptableError`."""
    row = read_row(database, store_id)
    if row is None:
        return None
    text = cipher.decrypt(row.token, owner=owner)
    return AccessToken(text=text, obtained_at=row.obtained_at, expires_at=row.expires_at)


def read_row(database: Database, store_id: str) -> StoreToken | None:
    with database.read() as session:
        return session.exec(select(StoreToken).where(StoreToken.store == store_id)).one_or_none()
