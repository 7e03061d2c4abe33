"""A Shopify store's settings."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from marshmallow import ValidationError, validates

from mappings import setting_fields as fields
from mappings.setting_fields import OneOf
from mappings.settings import DomainList, Store, StoreSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopifyStore(Store):
    #: Which of an order's two amounts to use if the customer paid in another currency than the shop's.
    money: Literal["shop", "presentment"] = "shop"


class ShopifyStoreSchema(StoreSchema):
    model: ClassVar[type[ShopifyStore]] = ShopifyStore

    money = fields.String(validate=OneOf(["shop", "presentment"]))
    shop_domain = DomainList()

    @validates("shop_domain")
    def require_permanent_domain(self, domains: list[str], **_: Any) -> None:
        """Deletions name the shop only in a header, by its permanent domain."""
        if not any(map(is_permanent_domain, domains)):
            raise ValidationError("must have the shop's permanent domain, such as tienda.myshopify.com.")


def is_permanent_domain(domain: str) -> bool:
    return domain.endswith(".myshopify.com")
