"""A Shopify store's settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from marshmallow import ValidationError, post_load, validates, validates_schema

from mappings import setting_fields as fields
from mappings.app_settings import AppStore, AppStoreSchema
from mappings.setting_fields import OneOf
from mappings.settings import DomainList


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopifyStore(AppStore):
    #: Which of an order's two amounts to use if the customer paid in another currency than the shop's.
    money: Literal["shop", "presentment"] = "shop"


class ShopifyStoreSchema(AppStoreSchema):
    model: ClassVar[type[ShopifyStore]] = ShopifyStore

    money = fields.String(validate=OneOf(["shop", "presentment"]))
    shop_domain = DomainList()

    @validates("shop_domain")
    def require_permanent_domain(self, domains: list[str], **_: Any) -> None:
        """Deletions name the shop only in a header, by its permanent domain."""
        if not any(map(is_permanent_domain, domains)):
            raise ValidationError("must have the shop's permanent domain, such as tienda.myshopify.com.")

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def require_address(self, _data: Any, table: Mapping[str, Any], **_: Any) -> None:
        if "client_id" in table and not table.keys() & {"shop_domain", "api_url"}:
            message = "is required with client_id: the shop's permanent domain, such as tienda.myshopify.com."
            raise ValidationError(message, field_name="shop_domain")

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> ShopifyStore:
        """By default, the API is at the shop's permanent domain."""
        domain = next(filter(is_permanent_domain, data.get("shop_domain", [])), None)
        if domain and data.keys() & {"api_token", "client_id"}:
            data.setdefault("api_url", f"https://{domain}")
        return self.model(**data)


def is_permanent_domain(domain: str) -> bool:
    return domain.endswith(".myshopify.com")
