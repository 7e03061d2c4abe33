"""`[alerts]`: the channels that alerts are sent to, and the thresholds."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, post_load
from marshmallow.validate import Length

from connector.settings.coercion import coerce_settings
from connector.settings.errors import ConfigErrors, ConfigPath, validate_table
from mappings import setting_fields as fields
from mappings.setting_fields import Range
from mappings.settings import IDENTIFIER, MAX_DURATION_S, NOT_BLANK, ServiceUrl, SettingsSchema

#: The kinds of alerts. `attention` is a note that needs a person.
KINDS = (
    "unmappable",
    "refused",
    "uncertain",
    "exhausted",
    "held",
    "attention",
    "privacy",
    "stopped",
    "circuit",
    "backlog",
    "silent",
    "signature",
    "store_errors",
    "webhooks",
    "catch_up",
    "lost_webhooks",
    "expiring",
    "worker",
    "restored",
    "differences",
)


SECRET_PREFIX, MIN_KEY_BYTES = "whsec_", 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A destination for alerts."""

    name: str  # of the table
    channel: str
    kinds: tuple[str, ...] = KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackChannel(Channel):
    """An incoming webhook of Slack, or of a service that accepts the same, such as Mattermost or Discord's `/slack`."""

    url: str = field(repr=False)  # a secret: anyone who has it can post


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChannel(Channel):
    """An address that receives alerts as JSON, signed as in https://www.standardwebhooks.com if there is a secret."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChannel(Channel):
    """E-mail through an SMTP server."""

    smtp: str = field(repr=False)  # smtps://user:password@host:465, or smtp://…:587 with STARTTLS
    sender: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """The channels, and the thresholds of alerts."""

    channels: tuple[Channel, ...] = ()
    backlog_after_s: float = 600.0
    silent_after_h: float = 48.0
    signature_failures: int = 3
    lost_webhooks: int = 3
    silent_after_h_by_store: Mapping[str, float] = field(default_factory=dict)  # by store id
    repeat_every_s: float = 900.0
    remind_every_h: float = 24.0
    reconcile_every_s: float = 3_600.0


class AlertUrl(ServiceUrl):
    """A service's address, which may have a query: some services have their key there."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        address, has_query, query = str(value).partition("?")
        url = super()._deserialize(address if isinstance(value, str) else value, *args, **kwargs)
        return f"{url}?{query}" if has_query else url


class SmtpUrl(fields.String):
    """An `smtp://` or `smtps://` address."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        try:
            parts = urlsplit(text)
            is_valid = parts.scheme in {"smtp", "smtps"} and parts.hostname and (parts.port or 1) > 0
        except ValueError:
            is_valid = False
        if not is_valid or not text.isprintable():
            raise ValidationError(
                "must be smtps://user:password@host:465, or smtp://user:password@host:587 for STARTTLS."
                " In a password, write @, : and / as %40, %3A and %2F."
            )
        return text


class EmailAddress(fields.String):
    """An e-mail address, with or without a name, as in a header. Only the mail server knows whether it exists."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        local, separator, host = text.strip().rpartition("@")
        if not (local and separator and host) or not text.isprintable() or " " in host:
            raise ValidationError("must be an e-mail address.")
        return text.strip()


def refuse_unknown_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValidationError(f"“{kind}” is not a kind of alert; use one of {', '.join(KINDS)}.")


def check_signing_secret(secret: str) -> None:
    """Check a secret of https://www.standardwebhooks.com: the key in base64, or any other text as the key itself.

    “between 24 bytes (192 bits) and 64 bytes (512 bits)”:
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, read 2026-11-30.
    """
    NOT_BLANK(secret)
    if not secret.startswith(SECRET_PREFIX):
        return
    try:
        key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if len(key) < MIN_KEY_BYTES:
        raise ValidationError(
            f"after “{SECRET_PREFIX}”, must be at least {MIN_KEY_BYTES} bytes in base64: openssl rand -base64 32"
        )


class ChannelSchema(SettingsSchema):
    name = fields.String(required=True, validate=IDENTIFIER)
    channel = fields.String(required=True)
    kinds = fields.List(
        fields.String(validate=refuse_unknown_kind), validate=Length(min=1, error="needs at least one.")
    )

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> Any:
        return self.model(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})


class SlackChannelSchema(ChannelSchema):
    model: ClassVar[type[Any]] = SlackChannel

    url = AlertUrl(required=True)


class WebhookChannelSchema(ChannelSchema):
    model: ClassVar[type[Any]] = WebhookChannel

    url = AlertUrl(required=True)
    secret = fields.String(validate=check_signing_secret)


class EmailChannelSchema(ChannelSchema):
    model: ClassVar[type[Any]] = EmailChannel

    smtp = SmtpUrl(required=True)
    sender = EmailAddress(data_key="from", required=True)
    to = fields.List(EmailAddress(), required=True, validate=Length(min=1, error="needs at least one."))


CHANNELS: Mapping[str, type[ChannelSchema]] = {
    "slack": SlackChannelSchema,
    "webhook": WebhookChannelSchema,
    "email": EmailChannelSchema,
}

DURATION_S = Range(min=1, max=MAX_DURATION_S)
DURATION_H = Range(min=0.01, max=MAX_DURATION_S / 3_600)


class AlertSettingsSchema(SettingsSchema):
    model = AlertSettings

    to = fields.Dict(values=fields.Dict())
    backlog_after_s = fields.Float(validate=DURATION_S)
    silent_after_h = fields.Float(validate=DURATION_H)
    signature_failures = fields.Integer(strict=True, validate=Range(min=1, max=1_000_000))
    lost_webhooks = fields.Integer(strict=True, validate=Range(min=1, max=1_000_000))
    silent_after_h_by_store = fields.Dict(values=fields.Float(validate=DURATION_H))
    repeat_every_s = fields.Float(validate=DURATION_S)
    remind_every_h = fields.Float(validate=DURATION_H)
    reconcile_every_s = fields.Float(validate=DURATION_S)

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> AlertSettings:
        data.pop("to", None)
        return AlertSettings(**data)


def build_alert_settings(table: Any, stores: Mapping[str, str], errors: ConfigErrors) -> AlertSettings:
    """Return the settings in `[alerts]`. Adds its errors.

    Args:
        stores: the ids of the stores, by name.
    """
    if not isinstance(table, dict):
        return AlertSettings()
    settings: AlertSettings | None = validate_table(
        AlertSettingsSchema(), coerce_settings(AlertSettingsSchema(), table), ("alerts",), errors
    )
    to = table.get("to")
    channel_tables = to.items() if isinstance(to, dict) else ()
    channels = [
        build_channel(name, item, ("alerts", "to", name), errors)
        for name, item in channel_tables
        if isinstance(item, dict)
    ]
    hours_by_store = settings.silent_after_h_by_store if settings else {}
    for name in hours_by_store.keys() - stores.keys():
        errors.add(("alerts", "silent_after_h_by_store", name), f"there is no store “{name}”.")
    if settings is None or None in channels:
        return AlertSettings()
    return replace(
        settings,
        channels=tuple(item for item in channels if item),
        silent_after_h_by_store={stores[name]: hours for name, hours in hours_by_store.items() if name in stores},
    )


def build_channel(name: str, table: Mapping[str, Any], path: ConfigPath, errors: ConfigErrors) -> Channel | None:
    kind = table.get("channel")
    if not isinstance(kind, str) or kind not in CHANNELS:
        message = f"“{kind}” is not a channel" if isinstance(kind, str) else "is missing"
        errors.add((*path, "channel"), f"{message}; use one of {', '.join(sorted(CHANNELS))}.")
        return None
    schema: Schema = CHANNELS[kind]()
    channel: Channel | None = validate_table(schema, {**coerce_settings(schema, table), "name": name}, path, errors)
    return channel
