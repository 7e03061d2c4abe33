"""The alerts: who is told, through which channel, and how long something may last before; how `[alerts]` is checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, fields, post_load
from marshmallow.validate import Length, Range

from connector.settings.coercion import parse_texts
from connector.settings.errors import Faults, Trail, check
from mappings.settings import A_YEAR_S, IDENTIFIER, NOT_BLANK, ServiceUrl, SettingsSchema

#: What people are told of. `attention` is a note that a person must look at.
KINDS = (
    "unmappable",
    "refused",
    "uncertain",
    "exhausted",
    "attention",
    "circuit",
    "backlog",
    "silent",
    "differences",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One place that alerts are sent to."""

    name: str  # the table's name
    channel: str
    kinds: tuple[str, ...] = KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack(Channel):
    """An incoming webhook of Slack, or of what understands the same, such as Mattermost and Discord's `/slack`."""

    url: str = field(repr=False)  # who knows it may post


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Channel):
    """An address that takes alerts as JSON, signed as https://www.standardwebhooks.com has it if there is a secret."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Email(Channel):
    smtp: str = field(repr=False)  # smtps://user:password@host:465 or smtp://…:587, which STARTTLS makes private
    sender: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Whom to tell, and after how long."""

    channels: tuple[Channel, ...] = ()
    backlog_after_s: float = 600.0
    silent_after_h: float = 48.0
    silent_after_h_by_store: Mapping[str, float] = field(default_factory=dict)  # by the store's id
    repeat_every_s: float = 900.0
    remind_every_h: float = 24.0
    reconcile_every_s: float = 3_600.0


class AlertUrl(ServiceUrl):
    """As other services' addresses, and it may carry a query: some hold their key there."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        address, has_query, query = str(value).partition("?")
        checked = super()._deserialize(address if isinstance(value, str) else value, *args, **kwargs)
        return f"{checked}?{query}" if has_query else checked


class SmtpUrl(fields.String):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        try:
            parts = urlsplit(text)
            is_good = parts.scheme in {"smtp", "smtps"} and parts.hostname and (parts.port or 1) > 0
        except ValueError:
            is_good = False
        if not is_good or not text.isprintable():
            raise ValidationError(
                "must be smtps://user:password@host:465, or smtp://user:password@host:587 for STARTTLS."
                " Write @, : and / of a password as %40, %3A and %2F."
            )
        return text


class Address(fields.String):
    """An e-mail address as one is written into a header; what it names, the mail server knows."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        local, at, host = text.strip().rpartition("@")
        if not (local and at and host) or not text.isprintable() or " " in host:
            raise ValidationError("must be an e-mail address.")
        return text.strip()


def refuse_unknown_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValidationError(f"“{kind}” is no kind of alert; one of {', '.join(KINDS)}.")


class ChannelSchema(SettingsSchema):
    name = fields.String(required=True, validate=IDENTIFIER)
    channel = fields.String(required=True)
    kinds = fields.List(
        fields.String(validate=refuse_unknown_kind), validate=Length(min=1, error="needs at least one.")
    )

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> Any:
        return self.model(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})


class SlackSchema(ChannelSchema):
    model: ClassVar[type[Any]] = Slack

    url = AlertUrl(required=True)


class WebhookSchema(ChannelSchema):
    model: ClassVar[type[Any]] = Webhook

    url = AlertUrl(required=True)
    secret = fields.String(validate=NOT_BLANK)


class EmailSchema(ChannelSchema):
    model: ClassVar[type[Any]] = Email

    smtp = SmtpUrl(required=True)
    sender = Address(data_key="from", required=True)
    to = fields.List(Address(), required=True, validate=Length(min=1, error="needs at least one."))


CHANNELS: Mapping[str, type[ChannelSchema]] = {"slack": SlackSchema, "webhook": WebhookSchema, "email": EmailSchema}

DURATION_S = Range(min=1, max=A_YEAR_S)
DURATION_H = Range(min=0.01, max=A_YEAR_S / 3_600)


class AlertsSchema(SettingsSchema):
    model = Alerts

    to = fields.Dict(values=fields.Dict())
    backlog_after_s = fields.Float(validate=DURATION_S)
    silent_after_h = fields.Float(validate=DURATION_H)
    silent_after_h_by_store = fields.Dict(values=fields.Float(validate=DURATION_H))
    repeat_every_s = fields.Float(validate=DURATION_S)
    remind_every_h = fields.Float(validate=DURATION_H)
    reconcile_every_s = fields.Float(validate=DURATION_S)

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> Alerts:
        data.pop("to", None)
        return Alerts(**data)


def build_alerts(table: Any, stores: Mapping[str, str], faults: Faults) -> Alerts:
    """Return what `[alerts]` says, after adding its faults.

    Args:
        stores: the ids of the stores, by their tables' names.
    """
    if not isinstance(table, dict):
        return Alerts()
    built: Alerts | None = check(AlertsSchema(), parse_texts(AlertsSchema(), table), ("alerts",), faults)
    to = table.get("to")
    named = to.items() if isinstance(to, dict) else ()
    channels = [
        build_channel(name, one, ("alerts", "to", name), faults) for name, one in named if isinstance(one, dict)
    ]
    limits = built.silent_after_h_by_store if built else {}
    for name in limits.keys() - stores.keys():
        faults.add(("alerts", "silent_after_h_by_store", name), f"there is no store “{name}”.")
    if built is None or None in channels:
        return Alerts()
    return replace(
        built,
        channels=tuple(one for one in channels if one),
        silent_after_h_by_store={stores[name]: hours for name, hours in limits.items() if name in stores},
    )


def build_channel(name: str, table: Mapping[str, Any], path: Trail, faults: Faults) -> Channel | None:
    kind = table.get("channel")
    if not isinstance(kind, str) or kind not in CHANNELS:
        said = f"“{kind}” is no channel" if isinstance(kind, str) else "is missing"
        faults.add((*path, "channel"), f"{said}; one of {', '.join(sorted(CHANNELS))}.")
        return None
    schema: Schema = CHANNELS[kind]()
    built: Channel | None = check(schema, {**parse_texts(schema, table), "name": name}, path, faults)
    return built
