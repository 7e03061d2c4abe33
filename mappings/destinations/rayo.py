"""Rayo: same-day and national delivery in Mexico. Writes POST /api/rest/orders; it neither gets tokens nor sends.

Fields stand in the order of Rayo's own page:
https://docs.techrayo.com/operation/operation-createorder, read 2026-11-21.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf

from mappings.contracts import load_contract
from mappings.fields import Lookup, Part, Phone, PostalCode, Quantity, Text
from mappings.integration import Destination, Outcome, TokenExchange
from mappings.lookup_tables import Rows, Table
from mappings.order import LABELS, Address, Dispatch, Line
from mappings.schema import DestinationSchema
from mappings.settings import NOT_BLANK, Account, AccountSchema, HeaderValue
from mappings.text import fold, squeeze


@dataclass(frozen=True, slots=True, kw_only=True)
class RayoAccount(Account):
    api_key: str | None = field(default=None, repr=False)  # exchanged for a token
    access_token: str | None = field(default=None, repr=False)  # a standing one, where Rayo gave no key
    servicio_rayo: str = "NACIONAL"
    servicio_rayo_by_shipping: Rows[str] = field(default_factory=Rows)  # method of shipping -> servicio_rayo
    identifier: Literal["sku", "barcode"] = "sku"
    identifiers: Rows[str] = field(default_factory=Rows)  # SKU, or barcode -> what Rayo calls the product
    states: Rows[str] = field(default_factory=Rows)  # words to send in place of a state's name
    no_exterior_missing: str = "problem"  # or the text to send


class RayoAccountSchema(AccountSchema):
    model = RayoAccount
    documented_base_url = "https://cerebro.techrayo.com"

    api_key = HeaderValue()
    access_token = HeaderValue()
    servicio_rayo = fields.String(validate=NOT_BLANK)
    servicio_rayo_by_shipping = Table(fields.String(validate=NOT_BLANK), alike=squeeze)
    identifier = fields.String(validate=OneOf(["sku", "barcode"]))
    identifiers = Table(fields.String(validate=NOT_BLANK))
    states = Table(fields.String(validate=NOT_BLANK), alike=fold)
    no_exterior_missing = fields.String(validate=NOT_BLANK)

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def need_a_credential(self, _table: Mapping[str, Any], given: Mapping[str, Any], **_: Any) -> None:
        if "api_key" not in given and "access_token" not in given:
            raise ValidationError("is missing: Rayo needs `api_key` or `access_token`.", "api_key")


class RayoConsignee(DestinationSchema):
    calle = Text(attribute="street", required=True)
    ciudad = Text(attribute="city", required=True)
    codigo_postal = PostalCode(attribute="postal_code", country="MX", required=True)
    colonia = Text(attribute="district", required=True)
    estado = Text(attribute="state", required=True)
    no_exterior = Text(attribute="number", required=True)
    no_interior = Text(attribute="unit", allow_none=True)  # an older page requires the key, this one takes null
    nombre = Text(attribute="full_name", required=True)
    pais = Lookup({"MX": "mexico"}, attribute="country", required=True)
    # All three numbers that Rayo publishes have ten digits and no country code.
    telefono = Phone(attribute="phone", country="MX", required=True)


class RayoProduct(DestinationSchema):
    cantidad = Quantity(attribute="quantity", required=True)
    identificador = Text(attribute="sku", required=True)  # the barcode, where the account says so


class RayoOrder(DestinationSchema):
    consumidor_destino = Part(
        RayoConsignee,
        attribute="ship_to",
        required=True,
        error_messages={"required": "is missing: Rayo does not serve collection in store."},
    )
    productos = fields.List(
        Part(RayoProduct),
        attribute="products",
        required=True,
        validate=Length(min=1, error="are missing: nothing is left to ship."),
    )
    servicio_rayo = Text(required=True)


@dataclass(frozen=True, kw_only=True)
class RayoDispatch(Dispatch):
    account: RayoAccount

    @property
    def ship_to(self) -> Address | None:
        """The address as Rayo is to see it; None where the customer collects the order."""
        address = self.order.ship_to
        if address is None or self.order.is_pickup:
            return None
        missing = self.account.no_exterior_missing
        return replace(
            address,
            number=address.number or (None if missing == "problem" else missing),
            # An older page calls it "internal number / references":
            # https://docs.techrayo.com/operation/operation-post-api-rest-orders, read 2026-11-21.
            unit=address.unit_and_reference,
            state=self.account.states.find(address.state) or address.state,
            phone=self.order.phone_to_call,
        )

    @property
    def shown_address(self) -> Address | None:
        return None if self.order.is_pickup else self.order.ship_to

    @property
    def products(self) -> list[Line]:
        """What is to be shipped; lines of one identifier are one product to Rayo, since it knows no prices."""
        return list(self.numbered_products.values())

    @cached_property
    def numbered_products(self) -> dict[int, Line]:
        """The products, each by the number of the order's first line that holds it."""
        first_lines: dict[str, int] = {}
        products: dict[int, Line] = {}
        for number, line in enumerate(self.order.lines, start=1):
            if not line.is_shippable:
                continue
            code = self.code_of(line)
            identifier = self.account.identifiers.find(code) or code
            first = first_lines.setdefault(identifier, number) if identifier else number
            known = products[first].quantity if first in products else 0
            products[first] = replace(line, sku=identifier, quantity=known + line.quantity)
        return products

    def code_of(self, line: Line) -> str | None:
        return line.sku if self.account.identifier == "sku" else line.barcode

    @property
    def servicio_rayo(self) -> str:
        return self.account.servicio_rayo_by_shipping.find(*self.order.shipping_words) or self.account.servicio_rayo

    @property
    def labels(self) -> Mapping[str, str]:
        return {"sku": LABELS[self.account.identifier]}

    def number_line(self, place: int) -> int:
        return list(self.numbered_products)[place]

    def problems(self) -> Iterator[str]:
        for line in self.order.shippable_lines:
            code = self.code_of(line)
            what = f"Products > {LABELS[self.account.identifier]} “{code}” has no identifier at Rayo"
            yield from self.require_row(what, "identifiers", code, value="IDENTIFICADOR")
        words = self.order.shipping_words
        what = f"Shipping > “{next(iter(words), None)}” has no service at Rayo"
        yield from self.require_row(what, "servicio_rayo_by_shipping", *words, value="SERVICIO")
        state = self.order.ship_to.state if self.order.ship_to else None
        yield from self.require_row(f"Shipping address > state “{state}” has no word", "states", state, value="ESTADO")

    def warnings(self) -> Iterator[str]:
        for line in self.order.lines:
            if not line.is_shippable:
                yield f"Products > “{line.name or line.sku}” is left out: it is not shipped."
        if self.order.note:
            yield "Customer note is not sent: Rayo has no field for it."
        if self.order.ship_to and self.order.ship_to.company:
            yield "Shipping address > company is not sent: Rayo has no field for it."


def judge(status: int, body: Any) -> Outcome | None:
    """Read Rayo's own codes.

    Rayo stands on Hasura: a token that is no longer good is 400 `invalid-jwt`, and `unexpected` means that the
    handler ran and its answer was lost (https://github.com/hasura/graphql-engine/issues/8659, read 2026-11-21).
    """
    code = body.get("code") if isinstance(body, Mapping) else None
    if status == 401 or code == "invalid-jwt":
        return Outcome.TOKEN_EXPIRED
    if status == 400 and code == "unexpected":
        return Outcome.AMBIGUOUS
    return None


DESTINATION = Destination(
    name="rayo",
    order=RayoOrder,
    contract=load_contract("rayo"),
    path="/api/rest/orders",
    remote_id="orden.ordenRef",
    settings=RayoAccountSchema,
    example={"api_key": "clave"},
    dispatch=RayoDispatch,
    needs=lambda account: {"barcodes"} if account.identifier == "barcode" else frozenset(),
    bearer=lambda account: None if account.api_key else account.access_token,
    # https://docs.techrayo.com/operation/operation-generatejwt, read 2026-11-21.
    token=TokenExchange(
        path="/api/rest/auth",
        key_header="x-api-key",
        token_at="AuthWithAPIkey.accessToken",  # noqa: S106  # a place in the reply
    ),
    api_key=lambda account: account.api_key,
    # A product that is not there is a 200:
    # https://docs.techrayo.com/operation/operation-get-api-rest-product-parameter, read 2026-11-21.
    probe_path="/api/rest/product/0",
    judge=judge,
)
