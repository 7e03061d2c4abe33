"""A LaPyme account's settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Literal

from marshmallow import ValidationError, validates_schema
from marshmallow.validate import Regexp

from mappings import setting_fields as fields
from mappings.labels import N_, Sentence
from mappings.lookup_tables import LookupTable, LookupTableField
from mappings.money.invoice_lines import ChargeTableField
from mappings.setting_fields import OneOf, Range
from mappings.settings import CURRENCY_CODE, NOT_BLANK, Account, AccountSchema, HeaderValue, Template
from mappings.text import match_key

UUID_PATTERN = r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z"
UUID_VALIDATOR = Regexp(UUID_PATTERN, error=N_("must be a UUID as LaPyme shows it."))

#: ARCA's ids of VAT rates, in percent. https://github.com/LaPyme/arca.ts, packages/arca/src/constants.ts,
#: read 2026-11-21, and LaPyme's sales examples (5 is 21 %).
TAX_RATES = {3: Decimal(0), 4: Decimal("10.5"), 5: Decimal(21), 6: Decimal(27)}
#: ARCA's codes of currencies (same source). Newer releases of LaPyme's SDK use ARS and USD.
ARCA_CURRENCY_CODES = {"ARS": "PES", "USD": "DOL"}
CURRENCY_CHOICES = ["PES", "DOL", "ARS", "USD"]
DELIVERY_METHODS = ["shipping", "local_delivery", "pickup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LapymeAccount(Account):
    api_key: str = field(repr=False)
    customer_id: str  # the default customer of orders
    customer_id_by_document: LookupTable[str] = field(default_factory=LookupTable, repr=False)
    customers: Literal["default", "find", "find_or_create"] = "default"  # if the table has no row
    assigned_warehouse_id: str
    #: Location, or branch of a pickup -> assigned_warehouse_id.
    warehouses: LookupTable[str] = field(default_factory=LookupTable)
    currencies: LookupTable[str] = field(default_factory=lambda: LookupTable(ARCA_CURRENCY_CODES))
    tax_rate_id: int = 5
    tax_rates: dict[int, Decimal] = field(default_factory=lambda: dict(TAX_RATES))  # id -> percent
    tax_rate_id_by_sku: LookupTable[int] = field(default_factory=LookupTable)
    product_id_by_sku: LookupTable[str] = field(default_factory=LookupTable)
    delivery_method_by_shipping: LookupTable[str] = field(default_factory=LookupTable)  # shipping method -> LaPyme's
    shipping_sku: str = "ENVIO"
    shipping_name: str = "Envío"
    charges: LookupTable[str] = field(default_factory=LookupTable)  # kind of charge -> SKU
    tax_rounding: Literal["order", "line"] = "order"
    notes: str = "{storefront} {number}"


class LapymeAccountSchema(AccountSchema):
    model: ClassVar[type[LapymeAccount]] = LapymeAccount
    documented_base_url = "https://api.lapyme.com.ar"

    api_key = HeaderValue(required=True)
    customer_id = fields.String(validate=UUID_VALIDATOR, required=True)
    customer_id_by_document = LookupTableField(fields.String(validate=UUID_VALIDATOR), normalize_key=match_key)
    customers = fields.String(validate=OneOf(["default", "find", "find_or_create"]))
    assigned_warehouse_id = fields.String(validate=UUID_VALIDATOR, required=True)
    warehouses = LookupTableField(fields.String(validate=UUID_VALIDATOR), normalize_key=match_key)
    currencies = LookupTableField(
        fields.String(validate=OneOf(CURRENCY_CHOICES)), keys=fields.String(validate=CURRENCY_CODE)
    )
    tax_rate_id = fields.Integer(strict=True)
    tax_rates = fields.Dict(keys=fields.Integer(), values=fields.Decimal(validate=Range(min=0, max=100)))
    tax_rate_id_by_sku = LookupTableField(fields.Integer(strict=True), choices_setting="tax_rates")
    product_id_by_sku = LookupTableField(fields.String(validate=UUID_VALIDATOR))
    delivery_method_by_shipping = LookupTableField(
        fields.String(validate=OneOf(DELIVERY_METHODS)), normalize_key=match_key
    )
    shipping_sku = fields.String(validate=NOT_BLANK)
    shipping_name = fields.String(validate=NOT_BLANK)
    charges = ChargeTableField()
    tax_rounding = fields.String(validate=OneOf(["order", "line"]))
    notes = Template()

    @validates_schema(skip_on_field_errors=False)
    def validate_tax_rates(self, data: Mapping[str, Any], **_: Any) -> None:
        rates = data.get("tax_rates", TAX_RATES)
        if data.get("tax_rate_id", 5) not in rates:
            raise ValidationError("has no percentage in `tax_rates`.", "tax_rate_id")
        for sku, rate_id in data.get("tax_rate_id_by_sku", {}).items():
            if rate_id not in rates:
                message = Sentence(N_("gives “%(sku)s” a rate without a percentage in `tax_rates`."), sku=sku)
                raise ValidationError(message, "tax_rate_id_by_sku")
