"""Sessions of the dashboard, and the key that signs its cookies.

A session's row has a digest of the token in the browser's cookie, so reading the database gives nobody a session.
"""

from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe

from sqlalchemy import delete, insert, or_, update
from sqlmodel import col, select

from connector.core.exceptions import DatabaseUnavailableError
from connector.database.engine import Database, Transaction
from connector.database.insert_ignore import insert_ignore
from connector.database.models import DashboardSession, StoredSecret

TOKEN_BYTES = 32
#: A session ends this long after its sign-in, and when nobody has used it for this long.
MAX_AGE, MAX_IDLE = timedelta(hours=12), timedelta(hours=2)
#: A use is stored at most this often.
TOUCH_EVERY = timedelta(minutes=1)
COOKIE_KEY = "cookie_key"


def load_cookie_key(database: Database) -> str:
    """Return the key that signs cookies: made at random once, the same for all processes from then on."""
    is_key = col(StoredSecret.name) == COOKIE_KEY
    with database.read() as session:
        key = session.exec(select(StoredSecret.value).where(is_key)).one_or_none()
    if key is not None:
        return key

    def create(transaction: Transaction) -> str:
        row = {"name": COOKIE_KEY, "value": token_urlsafe(TOKEN_BYTES)}
        insert_ignore(transaction.connection, StoredSecret, [row], unique=("name",))
        value = transaction.load_one(select(StoredSecret.value).where(is_key))
        assert value is not None  # noqa: S101  # inserted above, or by another process
        return value

    return database.transact(create)


def start_session(database: Database, *, user: str, fingerprint: str) -> str:
    """Start a session and return its token. Sessions that are over are deleted.

    Args:
        fingerprint: of the user's password and role.
    """
    token = token_urlsafe(TOKEN_BYTES)

    def start(transaction: Transaction) -> None:
        now = transaction.now
        is_over = or_(
            col(DashboardSession.started_at) <= now - MAX_AGE, col(DashboardSession.used_at) <= now - MAX_IDLE
        )
        transaction.execute(delete(DashboardSession).where(is_over))
        values = {"digest": digest_token(token), "user": user, "fingerprint": fingerprint}
        transaction.execute(insert(DashboardSession).values({**values, "started_at": now, "used_at": now}))

    database.transact(start)
    return token


def load_session(database: Database, token: str, *, counts_as_use: bool) -> DashboardSession | None:
    """Return the session with this token, unless it is over.

    Args:
        counts_as_use: whether a person did something, which keeps the session from ending.
    """
    is_session = col(DashboardSession.digest) == digest_token(token)
    with database.read() as session:
        row = session.exec(select(DashboardSession).where(is_session)).one_or_none()
    now = database.clock()
    if row is None or row.started_at <= now - MAX_AGE or row.used_at <= now - MAX_IDLE:
        return None
    if counts_as_use and row.used_at <= now - TOUCH_EVERY:
        touch = update(DashboardSession).where(is_session)
        with suppress(DatabaseUnavailableError):  # a full disk is no reason to show nothing
            database.transact(lambda transaction: transaction.execute(touch.values(used_at=transaction.now)))
    return row


def end_session(database: Database, token: str) -> None:
    is_session = col(DashboardSession.digest) == digest_token(token)
    database.transact(lambda transaction: transaction.execute(delete(DashboardSession).where(is_session)))


def digest_token(token: str) -> str:
    return sha256(token.encode()).hexdigest()
