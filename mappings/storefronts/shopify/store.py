"""A Shopify store's settings."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from mappings import setting_fields as fields
from mappings.setting_fields import OneOf
from mappings.settings import Store, StoreSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopifyStore(Store):
    #: Which of an order's two amounts to use if the customer paid in another currency than the shop's.
    money: Literal["shop", "presentment"] = "shop"


class ShopifyStoreSchema(StoreSchema):
    model: ClassVar[type[ShopifyStore]] = ShopifyStore

    money = fields.String(validate=OneOf(["shop", "presentment"]))
