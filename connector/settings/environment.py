"""Environment variables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, post_load, validates_schema
from marshmallow.validate import Length, Regexp

from mappings import setting_fields as fields
from mappings.settings import HeaderValue, SettingsSchema

#: The networks of the proxies in front of the service, or their number.
TrustedProxies = tuple[IPv4Network | IPv6Network, ...] | int

#: Of secrets that give an operator's rights.
MIN_SECRET_LENGTH = 32
#: 32 bytes in base64 for URLs, as https://cryptography.io/en/latest/fernet/ describes it, read 2026-11-30.
FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]=", re.ASCII)
TOO_SHORT = f"must be at least {MIN_SECRET_LENGTH} characters, made at random: `connector token` prints one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Environment variables, named as the fields in capitals."""

    database_url: str = field(default="sqlite:///connector.db", repr=False)  # may hold a password
    admin_token: str | None = field(default=None, repr=False)  # None: /api returns 404
    secret_key: str | None = field(default=None, repr=False)  # signs cookies; None: the database keeps one
    metrics_token: str | None = field(default=None, repr=False)  # for /metrics only
    token_keys: tuple[str, ...] = field(default=(), repr=False)  # encrypt stores' tokens; none: kept in memory only
    sentry_dsn: str | None = field(default=None, repr=False)  # None: errors are not reported
    otel_exporter_otlp_endpoint: str | None = field(default=None, repr=False)  # None: tracing is off
    otel_service_name: str = "connector"
    host: str = "127.0.0.1"  # with PORT, all addresses
    port: int = 8000
    web_concurrency: int = 2
    worker_processes: int | None = None  # None: `connector serve` decides
    lease_s: int = 60
    auto_migrate: bool = True
    trusted_proxies: TrustedProxies = ()


class EnvInteger(fields.Integer):
    """A whole number in ASCII digits. marshmallow's would also accept "8_000" and " 8000 "."""

    def __init__(self, min_value: int, max_value: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.range = range(min_value, max_value + 1)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or int(value) not in self.range:
            raise ValidationError(f"must be a whole number from {self.range.start} to {self.range.stop - 1}.")
        return int(value)


class EnvBoolean(fields.Boolean):
    """0 or 1, or another common word for them."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if value.lower() not in {"0", "1", "false", "true", "no", "yes", "off", "on"}:
            raise ValidationError("must be 0 or 1.")
        return value.lower() in {"1", "true", "yes", "on"}


class WebAddress(fields.String):
    """An `http://` or `https://` address."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        try:
            parts = urlsplit(str(value))
            is_valid = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) > 0
        except ValueError:
            is_valid = False
        if not is_valid or not str(value).isprintable():
            raise ValidationError("must be a web address such as https://example.com.")
        return str(value)


class SentryDsn(WebAddress):
    """A Sentry DSN: a web address with a key and a project number."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        parts = urlsplit(text)
        if not parts.username or not re.search(r"/[0-9]+/?\Z", parts.path):
            raise ValidationError("must be a DSN from Sentry, such as https://key@sentry.example.com/1.")
        return text


class TrustedProxiesField(fields.String):
    """The networks of the proxies in front of the service, separated by commas, or the number of proxies."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if re.fullmatch("[1-9]", value, re.ASCII):
            return int(value)
        try:
            networks = tuple(ip_network(item.strip()) for item in str(value).split(","))
        except ValueError as error:
            raise ValidationError(
                "must be networks such as 10.0.0.0/8, separated by commas, or the number of proxies, from 1 to 9."
            ) from error
        if any(network.prefixlen == 0 for network in networks):
            raise ValidationError("must not trust every address: anyone could choose the address that is counted.")
        return networks


class AdminToken(HeaderValue):
    """A token that nobody can guess: it gives an operator's rights to anyone who has it."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        token = super()._deserialize(value, *args, **kwargs)
        if len(token) < MIN_SECRET_LENGTH:
            raise ValidationError(TOO_SHORT)
        return token


class TokenKeys(fields.String):
    """Fernet keys, separated by commas: 32 bytes each, in the alphabet of base64 for URLs."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        keys = tuple(key.strip() for key in str(value).split(","))
        numbers = [number for number, key in enumerate(keys, start=1) if not FERNET_KEY.fullmatch(key)]
        if numbers:
            detail = f" Number {numbers[0]} of {len(keys)} is no such key." if len(keys) > 1 else ""
            raise ValidationError(
                f"must be keys that `connector token --key` prints, separated by commas, the newest first.{detail}"
            )
        if len(set(keys)) < len(keys):
            raise ValidationError("has the same key twice.")
        return keys


class DatabaseUrl(fields.String):
    """An SQLite file, or a PostgreSQL server with the scheme that Heroku or the driver uses."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        scheme, _colon, path = str(value).partition("://")
        if scheme in {"postgres", "postgresql"}:
            if not is_postgresql_url(str(value)):
                raise ValidationError("must be postgres://user:password@host:port/database.")
            return str(value)
        if scheme != "sqlite" or not path.startswith("/") or "?" in path or not path.isprintable():
            raise ValidationError(
                "must be sqlite:/// and the path of a file, such as sqlite:///connector.db,"
                " or postgres://user:password@host:port/database."
            )
        if path.endswith("/") or ":memory:" in path:
            raise ValidationError("must name a file: a database in memory loses every order when the process ends.")
        return str(value)


def is_postgresql_url(url: str) -> bool:
    """Whether it names a server and a database. For a socket, `?host=` names its directory."""
    try:
        parts = urlsplit(url)
        has_server = bool(parts.hostname or "host=" in parts.query) and (parts.port or 1) > 0
    except ValueError:
        return False
    return has_server and len(parts.path) > 1 and url.isprintable() and " " not in url


class EnvironmentSchema(SettingsSchema):
    model = Environment

    database_url = DatabaseUrl(data_key="DATABASE_URL")
    admin_token = AdminToken(data_key="ADMIN_TOKEN")
    secret_key = fields.String(data_key="SECRET_KEY", validate=Length(min=MIN_SECRET_LENGTH, error=TOO_SHORT))
    metrics_token = HeaderValue(data_key="METRICS_TOKEN")
    token_keys = TokenKeys(data_key="TOKEN_KEYS")
    sentry_dsn = SentryDsn(data_key="SENTRY_DSN")
    otel_exporter_otlp_endpoint = WebAddress(data_key="OTEL_EXPORTER_OTLP_ENDPOINT")
    otel_service_name = fields.String(data_key="OTEL_SERVICE_NAME")
    host = fields.String(data_key="HOST", validate=Regexp(r"\S+\Z", error="must be an address to listen on."))
    port = EnvInteger(1, 65535, data_key="PORT")
    web_concurrency = EnvInteger(1, 256, data_key="WEB_CONCURRENCY")
    worker_processes = EnvInteger(1, 64, data_key="WORKER_PROCESSES")
    lease_s = EnvInteger(1, 86_400, data_key="LEASE_S")
    auto_migrate = EnvBoolean(data_key="AUTO_MIGRATE")
    trusted_proxies = TrustedProxiesField(data_key="TRUSTED_PROXIES")
    allow_ephemeral_sqlite = EnvBoolean(data_key="ALLOW_EPHEMERAL_SQLITE")

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def refuse_ephemeral_disk(self, data: dict[str, Any], variables: Mapping[str, str], **_: Any) -> None:
        """Refuse SQLite on Heroku: a dyno restarts at least once a day and loses its disk.

        https://devcenter.heroku.com/articles/dynos#restarting, as quoted on 2026-11-21 by
        https://github.com/gbtami/pychess-variants/issues/1314.
        """
        url = variables.get("DATABASE_URL", Environment().database_url)
        if "DYNO" in variables and url.startswith("sqlite:") and not data.get("allow_ephemeral_sqlite"):
            raise ValidationError(
                "SQLite is refused because DYNO is set: a dyno's disk is wiped at least once a day, with every order "
                "on it. Set ALLOW_EPHEMERAL_SQLITE=1 to accept that.",
                field_name="DATABASE_URL",
            )

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> Environment:
        data.pop("allow_ephemeral_sqlite", None)
        if "port" in data:  # a platform such as Heroku sets it, and its router connects from another machine
            data.setdefault("host", "0.0.0.0")  # noqa: S104
        return Environment(**data)
