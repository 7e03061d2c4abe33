"""A WooCommerce store's settings."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from marshmallow import ValidationError

from mappings import setting_fields as fields
from mappings.setting_fields import OneOf
from mappings.settings import DomainList, HeaderValue, Store, StoreSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class WooStore(Store):
    #: What the status `completed` means: the shop has sent the order, or has yet to.
    completed: Literal["sent", "to_send"] = "sent"


class KeyAndSecret(HeaderValue):
    """The credentials of the REST API, for HTTP Basic: a consumer key and its secret, separated by a colon.

    https://woocommerce.github.io/woocommerce-rest-api-docs/#authentication-over-https, read 2026-11-21.
    """

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        key, _, secret = text.partition(":")
        if not key.strip() or not secret.strip():
            raise ValidationError("must be a consumer key and its secret with a colon between: `ck_…:cs_…`.")
        return text


class WooStoreSchema(StoreSchema):
    model: ClassVar[type[WooStore]] = WooStore

    api_token = KeyAndSecret()
    shop_domain = DomainList()
    completed = fields.String(validate=OneOf(["sent", "to_send"]))
