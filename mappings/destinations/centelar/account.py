"""A Centelar account's settings."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from marshmallow import ValidationError, post_load
from marshmallow.validate import Regexp

from mappings import setting_fields as fields
from mappings.destinations.centelar.payments import PAYMENT_TYPE_CHOICES
from mappings.labels import N_
from mappings.lookup_tables import LookupTable, LookupTableField
from mappings.money.invoice_lines import ChargeTableField
from mappings.setting_fields import OneOf
from mappings.settings import (
    CURRENCY_CODE,
    NOT_BLANK,
    Account,
    AccountSchema,
    SettingsSchema,
    Template,
    require_order_reference,
    validate_timezone,
)
from mappings.text import match_key


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationRef:
    """How Centelar identifies a branch or a stock location: by id, else by name."""

    id: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CentelarAccount(Account):
    connection_id: int  # of the shop's integration in Centelar
    currency: str = "ARS"  # Centelar has no field for it
    timezone: str = "America/Argentina/Buenos_Aires"  # of `creation_date`, which has no offset
    ext_code: str = "{order_id}"
    product_code_by_sku: LookupTable[str] = field(default_factory=LookupTable)  # SKU -> product_code, where they differ
    payment_types: LookupTable[str] = field(default_factory=LookupTable)  # gateway -> type
    free_orders: Literal["problem", "send"] = "problem"
    #: Location, or branch of a pickup -> the location of the stock.
    locations: LookupTable[LocationRef] = field(default_factory=LookupTable)
    #: Branch of a pickup -> Centelar's branch.
    pickups: LookupTable[LocationRef] = field(default_factory=LookupTable)
    last_name_missing: str = "problem"  # or the text to send
    charges: LookupTable[str] = field(default_factory=LookupTable)  # kind of charge -> SKU


class PickupSchema(SettingsSchema):
    id = fields.Integer(strict=True)
    name = fields.String(validate=NOT_BLANK)

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> LocationRef:
        if not data:
            raise ValidationError(N_("needs an id or a name."))
        return LocationRef(id=data.get("id"), name=None if "id" in data else data["name"])


class LocationSchema(PickupSchema):
    id = fields.Integer(data_key="location_id", strict=True)
    name = fields.String(data_key="location_name", validate=NOT_BLANK)


class CentelarAccountSchema(AccountSchema):
    model: ClassVar[type[CentelarAccount]] = CentelarAccount

    connection_id = fields.Integer(strict=True, required=True)
    currency = fields.String(validate=CURRENCY_CODE)
    timezone = fields.String(validate=validate_timezone)
    ext_code = Template(validate=require_order_reference)
    product_code_by_sku = LookupTableField(fields.String(validate=NOT_BLANK))
    payment_types = LookupTableField(
        fields.String(validate=OneOf(PAYMENT_TYPE_CHOICES)),
        keys=fields.String(validate=Regexp(r".*[^\W_]", error=N_("must name a gateway."))),
        normalize_key=match_key,
    )
    free_orders = fields.String(validate=OneOf(["problem", "send"]))
    locations = LookupTableField(fields.Nested(LocationSchema), normalize_key=match_key)
    pickups = LookupTableField(fields.Nested(PickupSchema), normalize_key=match_key)
    last_name_missing = fields.String(validate=NOT_BLANK)
    charges = ChargeTableField()
