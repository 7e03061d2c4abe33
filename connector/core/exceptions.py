"""The errors that this package raises on purpose. The type says who acts next; no text holds secrets or personal data.

ConnectorError
├── SettingsError             the developer edits connector.toml or the environment
├── MigrationNeededError      the operator runs `connector migrate`
├── DatabaseUnavailableError  nobody: the caller waits and asks again (503)
├── StoreUnavailableError     the caller asks again later, or looks at the store's API token (502)
├── SignatureError            the sender signs with the store's secret (401)
├── InvalidRequestError       the caller corrects the request (400)
├── NotFoundError             the caller names something that exists (404)
├── ConflictError             the caller looks at the state, then decides anew (409)
└── KeyReusedError            the caller takes a new Idempotency-Key for another request (422)
"""


class ConnectorError(Exception):
    """Something went wrong in a way that has a name."""


class SettingsError(ConnectorError):
    """The configuration cannot be used. `faults` are all of them, each `path: what was expected`."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class MigrationNeededError(ConnectorError):
    """The database's tables are older or newer than this program."""


class DatabaseUnavailableError(ConnectorError):
    """The database cannot take or give anything now: locked, full or out of reach."""


class StoreUnavailableError(ConnectorError):
    """A storefront's API does not give what has to be fetched from it."""


class SignatureError(ConnectorError):
    """A webhook carries no signature, or one that none of the store's secrets made."""


class InvalidRequestError(ConnectorError):
    """The request cannot be understood. The text says what would be right."""


class NotFoundError(ConnectorError):
    """There is no such event, delivery or store."""


class ConflictError(ConnectorError):
    """The state does not allow what a person asked for. The text says why."""


class IdempotencyKeyReusedError(ConnectorError):
    """An `Idempotency-Key` came before with another request."""
