"""A Tiendanube store's settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from mappings import setting_fields as fields
from mappings.app_settings import AppStore, AppStoreSchema
from mappings.settings import HeaderValue, ServiceUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class TiendanubeStore(AppStore):
    store_id: str  # the shop's number at Tiendanube
    api_url: str | None = "https://api.tiendanube.com/v1"
    auth_url: str = "https://www.tiendanube.com"  # where the shop installs the app
    #: A name, and a contact in brackets. Without it the API returns 400:
    #: https://github.com/TiendaNube/api-docs, README.md, "Identify your app", read 2026-11-21.
    user_agent: str = "connector (run by the shop itself)"

    @property
    def token_owner(self) -> str:
        """A token is of one shop, and good for all versions of the API."""
        return f"{self.client_id}@{self.store_id}"


class Number(fields.String):
    """A number of Tiendanube, as a number or as text."""

    default_error_messages = {"number": "must be a number."}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(str(value) if type(value) is int else value, *args, **kwargs)
        if not re.fullmatch(r"[0-9]{1,20}", text):
            raise self.make_error("number")
        return text


class TiendanubeStoreSchema(AppStoreSchema):
    model: ClassVar[type[TiendanubeStore]] = TiendanubeStore

    store_id = Number(
        required=True, error_messages={"number": "must be the shop's number, as the app got it with its token."}
    )
    client_id = Number(error_messages={"number": "must be the app's number."})
    auth_url = ServiceUrl()
    user_agent = HeaderValue()

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def require_token_or_app(self, _data: Any, table: Mapping[str, Any], **_: Any) -> None:
        """Webhooks only name an order, so nothing can be sent without access to the API."""
        if not table.keys() & {"api_token", "client_id", "client_secret"}:
            message = "is required, or client_id and client_secret, for which `connector authorize` obtains a token."
            raise ValidationError(message, field_name="api_token")
