"""The exceptions that this package raises on purpose. No message holds secrets or personal data.

The type says who can fix the problem; `status` is the HTTP status of the API's and the dashboard's response.

ConnectorError
├── SettingsError              the developer edits connector.toml or the environment
├── MigrationNeededError       the operator runs `connector migrate` (503)
├── DatabaseUnavailableError   the caller retries later (503)
├── DatabaseRestoredError      the worker checks the database again, and records that it was restored
├── StoreUnavailableError      the caller retries later, or checks the store's API token (502)
├── SignatureError             the sender signs with the store's secret (401)
├── InvalidRequestError        the caller corrects the request (400)
├── NotFoundError              the caller names something that exists (404)
├── ConflictError              the operation conflicts with the current state (409)
└── IdempotencyKeyReusedError  the caller uses a new Idempotency-Key for a different request (422)
"""

from typing import ClassVar


class ConnectorError(Exception):
    """Base class of all exceptions that this package raises on purpose."""

    status: ClassVar[int] = 500


class SettingsError(ConnectorError):
    """The configuration is invalid. `errors` lists every error as `path: what was expected`."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class MigrationNeededError(ConnectorError):
    """The database schema is older or newer than this program."""

    status = 503


class DatabaseUnavailableError(ConnectorError):
    """The database is locked, full or unreachable.

    The message is for operators: it names the host, port and database, or the file, and the reason. Responses over HTTP
    say only `public_message`.
    """

    status = 503
    public_message: ClassVar[str] = "the database is unavailable"


class DatabaseRestoredError(ConnectorError):
    """The database is another one than the worker has checked: nothing may be sent before it is checked again."""


class StoreUnavailableError(ConnectorError):
    """A storefront's API did not return what was requested."""

    status = 502


class SignatureError(ConnectorError):
    """A webhook has no signature, or none made with one of the store's secrets.

    `reason` is the code of one of `connector.core.messages`.
    """

    status = 401

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class InvalidRequestError(ConnectorError):
    """The request is not valid. The message says what is expected."""

    status = 400


class NotFoundError(ConnectorError):
    """There is no such event, delivery, account or store."""

    status = 404


class ConflictError(ConnectorError):
    """The current state does not allow the operation. The message says why."""

    status = 409


class IdempotencyKeyReusedError(ConnectorError):
    """An `Idempotency-Key` was used before with a different request."""

    status = 422
