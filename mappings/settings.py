"""The settings that all stores and all accounts have, named as in `connector.toml`.

An integration extends `Store` or `Account` with its own settings, and `StoreSchema` or `AccountSchema` with their
validation. Defaults are in the dataclass only.
"""

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from marshmallow import RAISE, Schema, ValidationError, post_load, pre_load, validates_schema
from marshmallow.validate import Length, Regexp

from mappings import setting_fields as fields
from mappings.labels import N_
from mappings.lookup_tables import LookupTableField
from mappings.setting_fields import OneOf, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A shop on a storefront."""

    name: str  # of the table; also the `<store>` in `/webhooks/<store>`
    id: str  # in the database and in idempotency keys; by default the name
    storefront: str
    secrets: list[str] = field(default_factory=list, repr=False)  # a webhook may be signed with any of them
    shop_domain: list[str] = field(default_factory=list)  # the shop's addresses; empty: any shop with the secret
    api_url: str | None = None
    api_token: str | None = field(default=None, repr=False)
    since: datetime | None = None  # older orders are not sent; None: when the connector first ran with it, less a day
    document_from: list[str] | None = None  # None: the storefront's usual paths
    district_from: list[str] = field(default_factory=list)
    number_from: list[str] = field(default_factory=list)
    unit_from: list[str] = field(default_factory=list)
    location_from: list[str] = field(default_factory=list)
    extra_from: dict[str, list[str]] = field(default_factory=dict)  # name in `Order.extra` -> paths
    pickup_methods: list[str] = field(default_factory=list)  # shipping methods whose orders the customer collects
    unsure: Literal["problem", "send_as_is"] = "problem"  # what to do with an ambiguous address line
    catch_up_every_s: float = 3_600.0  # how often to read what changed, from the API; 0: not automatically
    catch_up_overlap_s: float = 3_600.0  # how much of what was read before is read again
    catch_up_lag_s: float = 300.0  # what changed later than this is left to its webhook
    schema: type[Any] | None = None  # a merchant's own, instead of the storefront's

    @property
    def has_api(self) -> bool:
        """Whether the storefront's API can be called."""
        return bool(self.api_url and self.api_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at a destination. Names ending in `_s` are seconds."""

    name: str
    id: str
    destination: str
    base_url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 20.0  # for the whole attempt
    concurrency: int = 4
    rate_per_s: float | None = None
    retry_first_s: float = 1.0
    retry_max_s: float = 600.0
    retry_for_s: float = 172_800.0
    ambiguous_for_s: float = 3_600.0
    breaker_failures: int = 5
    breaker_open_s: float = 30.0
    totals: Literal["exact", "warn"] = "exact"
    bundles: Literal["parts", "kit"] = "parts"  # what is sent of a kit that is sold as lines of its own
    required_tables: list[str] = field(default_factory=list)  # tables in which every order must have its rows
    schema: type[Any] | None = None  # a merchant's own, instead of the destination's


StoreT = TypeVar("StoreT", bound=Store)
AccountT = TypeVar("AccountT", bound=Account)


#: Ids and names are part of URLs and idempotency keys, so they are ASCII.
IDENTIFIER = Regexp(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", error="must be 1 to 64 letters, digits, dots, dashes or underscores."
)
NOT_BLANK = Length(min=1, error=N_("must not be empty."))
#: One year. `datetime` overflows when much longer durations are added.
MAX_DURATION_S = 31_536_000
MAX_URL_LENGTH = 2_000
CURRENCY_CODE = Regexp(r"[A-Z]{3}\Z", error=N_("must be an ISO 4217 code."))


class PathList(fields.List[str]):
    """A path from the payload's root, or several to try in order. `list:name` selects the item with that name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fields.String(validate=NOT_BLANK), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return super()._deserialize([value] if isinstance(value, str) else value, attr, data, **kwargs)


class DomainList(PathList):
    """The address of a shop, or several: a domain, and a folder if the shop is in one. Compared in lower case."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        addresses = super()._deserialize(value, attr, data, **kwargs)
        domains = [shop_address(address) for address in addresses]
        if not domains or not all(domains):
            raise ValidationError("must be the shop's domain, such as tienda.example.com.")
        return domains


def shop_address(url: Any) -> str | None:
    """Return the host and folder of a web address: "https://WWW.Tienda.example/mx/" is "tienda.example/mx"."""
    if not isinstance(url, str) or len(url) > MAX_URL_LENGTH:
        return None
    try:
        parts = urlsplit(url.strip() if "//" in url else f"//{url.strip()}")
        host = (parts.hostname or "").encode("idna").decode().removeprefix("www.")
        port = f":{parts.port}" if parts.port and parts.port not in (80, 443) else ""
    except ValueError:
        return None
    return f"{host}{port}{parts.path.rstrip('/')}" if re.fullmatch(r"[a-z0-9._-]+", host) else None


def is_of_domain(address: str | None, shop_domain: Iterable[str]) -> bool:
    """Return whether an address is one of these. One without a folder stands for all of its folders.

    Plug-ins for several languages add folders to a shop's address.
    """
    return address is not None and not {address, address.partition("/")[0]}.isdisjoint(shop_domain)


class SchemaClassField(fields.Field[type[Any]]):
    """A merchant's schema class. The loader has imported it from `module:Class`."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> type[Any]:
        if not isinstance(value, type):
            raise ValidationError('must be "module:Class", such as "mymappings.rayo:MyRayoOrder".')
        return value


#: The placeholders that a template may have.
TEMPLATE_PLACEHOLDERS = frozenset({"storefront", "store", "order_id", "number"})
TEMPLATE_ERROR = "may contain {storefront}, {store}, {order_id} and {number}, and no other braces."


def placeholders_in(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


class Template(fields.String):
    """A text with `TEMPLATE_PLACEHOLDERS` in braces, which `OrderRequest.format_template` replaces."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        template: str = super()._deserialize(value, *args, **kwargs)
        try:
            segments = list(string.Formatter().parse(template))
        except ValueError as error:
            raise ValidationError(TEMPLATE_ERROR) from error
        for _, name, spec, conversion in segments:
            if name is not None and (name not in TEMPLATE_PLACEHOLDERS or spec or conversion):
                raise ValidationError(TEMPLATE_ERROR)
        return template


def require_order_reference(template: str) -> None:
    """Reject a template that gives every order the same text. Raises `ValidationError`."""
    if placeholders_in(template).isdisjoint({"order_id", "number"}):
        raise ValidationError("needs {order_id} or {number}, so that every order gets a different text.")


def validate_timezone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValidationError(
            f"“{name}” is not in the IANA time zone database; use a name such as America/Argentina/Buenos_Aires."
        ) from error


class HeaderValue(fields.String):
    """The value of a header: printable ASCII, because other characters cannot be sent unchanged."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        if not text or not text.isascii() or not text.isprintable():
            raise ValidationError("must be printable ASCII text.")
        return text


#: Names of this machine.
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


def is_loopback(url: str) -> bool:
    """Return whether an address is on this machine: the sandbox's, and no real shop's or service's."""
    return urlsplit(url).hostname in LOOPBACK_HOSTS


class ServiceUrl(fields.String):
    """An `https://` address without a query. `http://` is for loopback only. A trailing slash is removed."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        try:
            parts = urlsplit(text)
            host = parts.hostname
            _ = parts.port
        except ValueError as error:
            raise ValidationError("must be a web address such as https://example.com.") from error
        if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
            raise ValidationError("must be a web address such as https://example.com.")
        if parts.username or parts.password:
            raise ValidationError("must not contain a user name or password; use `headers`.")
        if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
            raise ValidationError("must begin with https:// (http:// is only allowed for this machine).")
        return text.rstrip("/")


class SettingsSchema(Schema):
    """Validates a table of the configuration and builds its `model`. An unknown key is an error."""

    model: ClassVar[type[Any]]
    error_messages = {"type": "must be a table.", "unknown": "is not a setting."}

    class Meta(Schema.Meta):
        unknown = RAISE

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> Any:
        return self.model(**data)


class StoreSchema(SettingsSchema):
    model: ClassVar[type[Store]] = Store

    name = fields.String(required=True, validate=IDENTIFIER)
    id = fields.String(required=True, validate=IDENTIFIER)
    storefront = fields.String(required=True)
    secrets = fields.List(
        fields.String(validate=NOT_BLANK), required=True, validate=Length(min=1, error="needs at least one secret.")
    )
    api_url = ServiceUrl()
    api_token = HeaderValue()
    since = fields.Instant()
    document_from = PathList()
    district_from = PathList()
    number_from = PathList()
    unit_from = PathList()
    location_from = PathList()
    extra_from = fields.Dict(keys=fields.String(validate=NOT_BLANK), values=PathList())
    pickup_methods = fields.List(fields.String(validate=NOT_BLANK))
    unsure = fields.String(validate=OneOf(["problem", "send_as_is"]))
    catch_up_every_s = fields.Float(validate=Range(min=0, max=MAX_DURATION_S))
    catch_up_overlap_s = fields.Float(validate=Range(min=0, max=MAX_DURATION_S))
    catch_up_lag_s = fields.Float(validate=Range(min=0, max=MAX_DURATION_S))
    schema = SchemaClassField()


class AccountSchema(SettingsSchema):
    model: ClassVar[type[Account]] = Account
    #: The vendor's documented address: the default of `base_url`.
    documented_base_url: ClassVar[str | None] = None

    name = fields.String(required=True, validate=IDENTIFIER)
    id = fields.String(required=True, validate=IDENTIFIER)
    destination = fields.String(required=True)
    base_url = ServiceUrl(required=True)
    headers = fields.Dict(keys=HeaderValue(), values=HeaderValue())
    timeout_s = fields.Float(validate=Range(min=0.1, max=600))
    concurrency = fields.Integer(strict=True, validate=Range(min=1, max=256))
    rate_per_s = fields.Float(validate=Range(min=0.001, max=1_000))
    retry_first_s = fields.Float(validate=Range(min=0, max=MAX_DURATION_S, min_inclusive=False))
    retry_max_s = fields.Float(validate=Range(min=0, max=MAX_DURATION_S, min_inclusive=False))
    retry_for_s = fields.Float(validate=Range(min=0, max=MAX_DURATION_S))
    ambiguous_for_s = fields.Float(validate=Range(min=0, max=MAX_DURATION_S))
    breaker_failures = fields.Integer(strict=True, validate=Range(min=1))
    breaker_open_s = fields.Float(validate=Range(min=0, max=MAX_DURATION_S, min_inclusive=False))
    totals = fields.String(validate=OneOf(["exact", "warn"]))
    bundles = fields.String(validate=OneOf(["parts", "kit"]))
    required_tables = fields.List(fields.String())
    schema = SchemaClassField()

    @validates_schema(skip_on_field_errors=False)
    def validate_required_tables(self, table: Mapping[str, Any], **_: Any) -> None:
        table_names = sorted(name for name, field in self.fields.items() if isinstance(field, LookupTableField))
        errors = {
            index: [f"“{name}” is not a table of this account; use one of {', '.join(table_names)}."]
            for index, name in enumerate(table.get("required_tables", []))
            if name not in table_names
        }
        if errors:
            raise ValidationError({"required_tables": errors})

    @pre_load
    def set_default_base_url(self, table: dict[str, Any], **_: Any) -> dict[str, Any]:
        if self.documented_base_url:
            return {"base_url": self.documented_base_url, **table}
        return table
