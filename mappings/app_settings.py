"""The settings of a store whose API is called by an app, as Shopify's and Tiendanube's are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

from marshmallow import ValidationError, pre_load, validates_schema

from mappings import setting_fields as fields
from mappings.settings import HeaderValue, Store, StoreSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStore(Store):
    """A store with a token in `api_token`, or with the credentials of the app that obtains one."""

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)

    @property
    def has_api(self) -> bool:
        return bool(self.api_url and (self.api_token or self.client_id))

    @property
    def token_owner(self) -> str:
        """What a token belongs to: it is not used for another app, and not sent to another server."""
        return f"{self.client_id}@{urlsplit(self.api_url or '').netloc}"


class AppStoreSchema(StoreSchema):
    model: ClassVar[type[AppStore]] = AppStore

    client_id: fields.String = HeaderValue()
    client_secret = HeaderValue()

    @pre_load
    def set_default_secrets(self, table: dict[str, Any], **_: Any) -> dict[str, Any]:
        """An app's client secret is also the key of its webhooks' signatures."""
        client_secret = table.get("client_secret")
        return {"secrets": [client_secret], **table} if isinstance(client_secret, str) and client_secret else table

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def validate_credentials(self, _data: Any, table: Mapping[str, Any], **_: Any) -> None:
        missing = {"client_id", "client_secret"} - table.keys()
        if len(missing) == 1:
            present = "client_secret" if "client_id" in missing else "client_id"
            raise ValidationError(f"is required with {present}.", field_name=missing.pop())
        if not missing and "api_token" in table:
            raise ValidationError(
                "is not used with client_id and client_secret, which obtain a token: leave out one or the other.",
                field_name="api_token",
            )
