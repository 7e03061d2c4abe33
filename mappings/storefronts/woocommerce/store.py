"""A WooCommerce store's settings."""

from typing import Any

from marshmallow import ValidationError

from mappings.settings import DomainList, HeaderValue, StoreSchema


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
    api_token = KeyAndSecret()
    shop_domain = DomainList()
