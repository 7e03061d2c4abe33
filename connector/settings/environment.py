"""The environment: what the machine decides, and how each variable is checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, post_load, validates_schema
from marshmallow.validate import Length, Regexp

from mappings.settings import HeaderValue, SettingsSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the machine decides, by variables of these names in capitals."""

    database_url: str = "sqlite:///connector.db"
    admin_token: str | None = field(default=None, repr=False)  # None: nobody may use /api
    secret_key: str | None = field(default=None, repr=False)  # signs the dashboard's sessions; None: made of the token
    metrics_token: str | None = field(default=None, repr=False)  # opens /metrics alone
    sentry_dsn: str | None = field(default=None, repr=False)  # None: no fault is reported anywhere
    otel_exporter_otlp_endpoint: str | None = None  # None: nothing is traced
    otel_service_name: str = "connector"
    host: str = "0.0.0.0"  # noqa: S104  # webhooks come from outside
    port: int = 8000
    web_concurrency: int = 2
    lease_s: int = 60
    auto_migrate: bool = True


class EnvInteger(fields.Integer):
    """Digits alone: `Integer` would also take "8_000" and " 8000 "."""

    def __init__(self, lowest: int, highest: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.range = range(lowest, highest + 1)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or int(value) not in self.range:
            raise ValidationError(f"must be a whole number from {self.range.start} to {self.range.stop - 1}.")
        return int(value)


class EnvBoolean(fields.Boolean):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if value.lower() not in {"0", "1", "false", "true", "no", "yes", "off", "on"}:
            raise ValidationError("must be 0 or 1.")
        return value.lower() in {"1", "true", "yes", "on"}


class WebAddress(fields.String):
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
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        parts = urlsplit(text)
        if not parts.username or not re.search(r"/[0-9]+/?\Z", parts.path):
            raise ValidationError("must be a DSN as Sentry shows it, such as https://key@sentry.example.com/1.")
        return text


class DatabaseUrl(fields.String):
    """A file of SQLite, or a PostgreSQL server as Heroku and its driver write it."""

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
            raise ValidationError("must name a file: a database in memory loses every order with its process.")
        return str(value)


def is_postgresql_url(url: str) -> bool:
    """True when it names a server and a database. A socket's folder stands in `?host=`."""
    try:
        parts = urlsplit(url)
        has_server = bool(parts.hostname or "host=" in parts.query) and (parts.port or 1) > 0
    except ValueError:
        return False
    return has_server and len(parts.path) > 1 and url.isprintable() and " " not in url


class EnvironmentSchema(SettingsSchema):
    model = Environment

    database_url = DatabaseUrl(data_key="DATABASE_URL")
    admin_token = HeaderValue(data_key="ADMIN_TOKEN")
    secret_key = fields.String(
        data_key="SECRET_KEY", validate=Length(min=32, error="must be at least 32 characters that nobody can guess.")
    )
    metrics_token = HeaderValue(data_key="METRICS_TOKEN")
    sentry_dsn = SentryDsn(data_key="SENTRY_DSN")
    otel_exporter_otlp_endpoint = WebAddress(data_key="OTEL_EXPORTER_OTLP_ENDPOINT")
    otel_service_name = fields.String(data_key="OTEL_SERVICE_NAME")
    host = fields.String(data_key="HOST", validate=Regexp(r"\S+\Z", error="must be an address to listen on."))
    port = EnvInteger(1, 65535, data_key="PORT")
    web_concurrency = EnvInteger(1, 256, data_key="WEB_CONCURRENCY")
    lease_s = EnvInteger(1, 86_400, data_key="LEASE_S")
    auto_migrate = EnvBoolean(data_key="AUTO_MIGRATE")
    allow_ephemeral_sqlite = EnvBoolean(data_key="ALLOW_EPHEMERAL_SQLITE")

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def refuse_ephemeral_disk(self, data: dict[str, Any], variables: Mapping[str, str], **_: Any) -> None:
        """A dyno restarts at least daily and loses what it wrote.

        https://devcenter.heroku.com/articles/dynos#restarting, as quoted on 2026-11-21 by
        https://github.com/gbtami/pychess-variants/issues/1314.
        """
        url = variables.get("DATABASE_URL", Environment().database_url)
        if "DYNO" in variables and url.startswith("sqlite:") and not data.get("allow_ephemeral_sqlite"):
            raise ValidationError(
                "SQLite is refused here, since DYNO is set: a dyno's disk is wiped at least daily, with every order "
                "on it. ALLOW_EPHEMERAL_SQLITE=1 accepts that.",
                field_name="DATABASE_URL",
            )

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> Environment:
        data.pop("allow_ephemeral_sqlite", None)
        return Environment(**data)
