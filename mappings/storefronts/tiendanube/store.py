"""A Tiendanube store's settings."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import ValidationError

from mappings import setting_fields as fields
from mappings.settings import HeaderValue, Store, StoreSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class TiendanubeStore(Store):
    store_id: str  # the shop's number at Tiendanube
    api_url: str | None = "https://api.tiendanube.com/v1"
    #: A name, and a contact in brackets. Without it the API returns 400:
    #: https://github.com/TiendaNube/api-docs, README.md, "Identify your app", read 2026-11-21.
    user_agent: str = "connector (run by the shop itself)"


class StoreId(fields.String):
    """The shop's number, as a number or as text."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(str(value) if type(value) is int else value, *args, **kwargs)
        if not re.fullmatch(r"[0-9]{1,20}", text):
            raise ValidationError("must be the shop's number, as the app got it with its token.")
        return text


class TiendanubeStoreSchema(StoreSchema):
    model: ClassVar[type[TiendanubeStore]] = TiendanubeStore

    store_id = StoreId(required=True)
    api_token = HeaderValue(required=True)
    user_agent = HeaderValue()
