"""Rayo: same-day and national delivery in Mexico. Writes the body of POST /api/rest/orders.

Fields are in the order of Rayo's page: https://docs.techrayo.com/operation/operation-createorder, read 2026-11-21.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from marshmallow import ValidationError, fields, validates_schema

from mappings import setting_fields
from mappings.advice import UNAUTHORIZED, Advice, Clue, join_values, list_clues
from mappings.destination import Destination, Outcome, TokenExchange
from mappings.fields import CodeLookup, NonEmpty, Phone, PostalCode, Quantity, Text
from mappings.labels import N_
from mappings.lookup_tables import LookupTable, LookupTableField
from mappings.order import Address, Line
from mappings.order_request import OrderRequest
from mappings.person_names import has_unsent_company, receiver_name
from mappings.problems import FieldError, Problem, register_templates
from mappings.samples import SampleAccount
from mappings.schema import DestinationSchema
from mappings.settings import NOT_BLANK, Account, AccountSchema, HeaderValue
from mappings.setup_questions import SetupPlan, SetupQuestion
from mappings.text import casefold_ascii, match_key

register_templates(
    {
        "rayo_pickup": N_("%(where)s is missing: Rayo does not offer collection in store."),
        "rayo_nothing_to_ship": N_("%(where)s are missing: nothing is left to ship."),
        "rayo_no_identifier": N_("%(where)s “%(value)s” has no identifier at Rayo"),
        "rayo_no_service": N_("%(where)s > “%(value)s” has no service at Rayo"),
        "rayo_no_state": N_("%(where)s “%(value)s” has no word"),
        "rayo_fulfilled": N_(
            "%(where)s > “%(product)s”: %(quantity)s of %(sold)s not shipped: sent already, collected, or sent by "
            "another service."
        ),
        "rayo_not_shipped": N_("%(where)s > “%(product)s” is left out: it is not shipped."),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RayoAccount(Account):
    api_key: str | None = field(default=None, repr=False)  # exchanged for a token
    access_token: str | None = field(default=None, repr=False)  # a permanent one, if Rayo gave no key
    servicio_rayo: str = "NACIONAL"
    #: Shipping method -> servicio_rayo.
    servicio_rayo_by_shipping: LookupTable[str] = field(default_factory=LookupTable)
    identifier: Literal["sku", "barcode"] = "sku"
    #: SKU or barcode -> Rayo's identifier; False: the product is not shipped.
    identifiers: LookupTable[str | Literal[False]] = field(default_factory=LookupTable)
    states: LookupTable[str] = field(default_factory=LookupTable)  # state -> the name to send
    no_exterior_missing: str = "problem"  # or the text to send


class IdentifierOrFalse(setting_fields.String):
    """A product's identifier at Rayo, or `false` if it is not shipped. A CSV file has both as text."""

    default_error_messages = {"invalid": N_("must be text, or false if the product is not shipped.")}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value is False or (isinstance(value, str) and value.strip().casefold() == "false"):
            return False
        return NOT_BLANK(super()._deserialize(value, *args, **kwargs))


class RayoAccountSchema(AccountSchema):
    model = RayoAccount
    documented_base_url = "https://cerebro.techrayo.com"

    api_key = HeaderValue()
    access_token = HeaderValue()
    servicio_rayo = setting_fields.String(validate=NOT_BLANK)
    servicio_rayo_by_shipping = LookupTableField(setting_fields.String(validate=NOT_BLANK), normalize_key=match_key)
    identifier = setting_fields.String(validate=setting_fields.OneOf(["sku", "barcode"]))
    identifiers = LookupTableField(IdentifierOrFalse())
    states = LookupTableField(setting_fields.String(validate=NOT_BLANK), normalize_key=casefold_ascii)
    no_exterior_missing = setting_fields.String(validate=NOT_BLANK)

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def require_credential(self, _data: Mapping[str, Any], original_data: Mapping[str, Any], **_: Any) -> None:
        if "api_key" not in original_data and "access_token" not in original_data:
            raise ValidationError("is missing: Rayo needs `api_key` or `access_token`.", "api_key")


class RayoConsigneeSchema(DestinationSchema):
    calle = Text(attribute="street", required=True)
    ciudad = Text(attribute="city", required=True)
    codigo_postal = PostalCode(attribute="postal_code", country="MX", required=True)
    colonia = Text(attribute="district", required=True)
    estado = Text(attribute="state", required=True)
    no_exterior = Text(attribute="number", required=True)
    no_interior = Text(attribute="unit", allow_none=True)  # an older page requires it; this one accepts null
    nombre = Text(attribute="full_name", required=True)
    pais = CodeLookup({"MX": "mexico"}, attribute="country", required=True)
    # All three numbers in Rayo's examples have ten digits and no country code.
    telefono = Phone(attribute="phone", country="MX", required=True)


class RayoProductSchema(DestinationSchema):
    cantidad = Quantity(attribute="quantity", required=True)
    identificador = Text(attribute="sku", required=True)  # the barcode, if the account's `identifier` says so


class RayoOrderSchema(DestinationSchema):
    consumidor_destino = fields.Nested(
        RayoConsigneeSchema,
        attribute="ship_to",
        required=True,
        error_messages={"required": [FieldError("rayo_pickup")]},
    )
    productos = fields.Nested(
        RayoProductSchema,
        many=True,
        attribute="products",
        required=True,
        validate=NonEmpty("rayo_nothing_to_ship"),
    )
    servicio_rayo = Text(required=True)


@dataclass(frozen=True, kw_only=True)
class RayoOrderRequest(OrderRequest):
    account: RayoAccount

    @property
    def ship_to(self) -> Address | None:
        """The address as it is sent; None if the customer collects the order."""
        address = self.order.ship_to
        if address is None or self.order.is_pickup:
            return None
        fallback = self.account.no_exterior_missing
        return replace(
            address,
            name=receiver_name(self.order, address),
            number=address.number or (None if fallback == "problem" else fallback),
            # An older page calls it "internal number / references":
            # https://docs.techrayo.com/operation/operation-post-api-rest-orders, read 2026-11-21.
            unit=address.unit_and_reference,
            state=self.account.states.find(address.state) or address.state,
            phone=self.order.phone_to_call,
        )

    @property
    def sent_address(self) -> Address | None:
        return None if self.order.is_pickup else self.order.ship_to

    @property
    def products(self) -> list[Line]:
        """What is left to ship. Lines with the same identifier are one product: Rayo has no prices."""
        return list(self.products_by_line_number.values())

    @cached_property
    def products_by_line_number(self) -> dict[int, Line]:
        """The products, by the number of the first line of the order with each."""
        line_number_by_identifier: dict[str, int] = {}
        products: dict[int, Line] = {}
        for line_number, line in enumerate(self.order.lines, start=1):
            if not line.quantity_to_ship or not self.is_shipped(line):
                continue
            code = self.code_of(line)
            identifier = self.account.identifiers.find(code) or code
            first_line_number = (
                line_number_by_identifier.setdefault(identifier, line_number) if identifier else line_number
            )
            quantity = products[first_line_number].quantity if first_line_number in products else 0
            products[first_line_number] = replace(line, sku=identifier, quantity=quantity + line.quantity_to_ship)
        return products

    def is_shipped(self, line: Line) -> bool:
        """Return whether a product is shipped at all: a row `false` of `identifiers` says that it is not."""
        rows = [self.account.identifiers.find(code) for code in (self.code_of(line), line.sku)]
        return super().is_shipped(line) and all(row is not False for row in rows)

    def code_of(self, line: Line) -> str | None:
        return line.sku if self.account.identifier == "sku" else line.barcode

    @property
    def servicio_rayo(self) -> str:
        return self.account.servicio_rayo_by_shipping.find(*self.order.shipping_names) or self.account.servicio_rayo

    @property
    def label_keys(self) -> Mapping[str, str]:
        return {"sku": self.account.identifier}

    def order_line_number(self, index: int) -> int:
        return list(self.products_by_line_number)[index]

    def problems(self) -> Iterator[Problem]:
        for line in self.lines_to_ship:
            code = self.code_of(line)
            yield from self.required_row_problems(
                "rayo_no_identifier",
                "identifiers",
                code,
                placeholder="IDENTIFICADOR",
                path=("lines", self.account.identifier),
                value=code,
            )
        shipping_names = self.order.shipping_names
        yield from self.required_row_problems(
            "rayo_no_service",
            "servicio_rayo_by_shipping",
            *shipping_names,
            placeholder="SERVICIO",
            path=("shipping",),
            value=next(iter(shipping_names), None),
        )
        state = self.order.ship_to.state if self.order.ship_to else None
        yield from self.required_row_problems(
            "rayo_no_state", "states", state, placeholder="ESTADO", path=("ship_to", "state"), value=state
        )

    def warnings(self) -> Iterator[Problem]:
        for line in self.order.lines:
            product = line.name or line.sku
            if not self.is_shipped(line):
                yield Problem(code="rayo_not_shipped", path=("lines",), params={"product": product})
            elif line.quantity_fulfilled:
                params = {"product": product, "quantity": line.quantity_fulfilled, "sold": line.quantity}
                yield Problem(code="rayo_fulfilled", path=("lines",), params=params)
        if self.order.note:
            yield Problem(code="not_sent", path=("note",), params={"vendor": "Rayo"})
        if self.order.ship_to and has_unsent_company(self.order, self.order.ship_to):
            yield Problem(code="not_sent", path=("ship_to", "company"), params={"vendor": "Rayo"})


class Rayo(Destination[RayoAccount]):
    name = "rayo"
    order_schema = RayoOrderSchema
    request_class = RayoOrderRequest
    settings_schema = RayoAccountSchema
    path = "/api/rest/orders"
    ships = True
    order_id_path = "orden.ordenRef"
    # https://docs.techrayo.com/operation/operation-generatejwt, read 2026-11-21.
    token_exchange = TokenExchange(
        path="/api/rest/auth",
        key_header="x-api-key",
        token_path="AuthWithAPIkey.accessToken",  # noqa: S106  # a path in the response
    )
    # A product that does not exist is a 200:
    # https://docs.techrayo.com/operation/operation-get-api-rest-product-parameter, read 2026-11-21.
    probe_path = "/api/rest/product/0"
    probe_checks_credentials = True
    setup_plan = SetupPlan(
        questions=(SetupQuestion(name="api_key", prompt="Rayo's API key", is_secret=True),),
        settings={"api_key": "{api_key}"},
    )
    sample = SampleAccount(settings={"api_key": "clave"}, country="MX")
    advice = Advice(
        panel=N_("Rayo's panel"),
        # Unverified: that the panel shows times of Mexico City.
        time_zone="America/Mexico_City",
        time_zone_label=N_("Mexico City time"),
        steps={
            "uncertain": (
                N_(
                    "Rayo keeps no order number of the store. Search Rayo's panel for the recipient, and compare the "
                    "address, the products and the time below."
                ),
            ),
            # https://docs.techrayo.com/, read 2026-11-21.
            "refused": (
                N_(
                    "Rayo needs each product in its catalogue, with dimensions and stock in your warehouse. EXPRESS "
                    "and PROGRAMADA also need a postcode that they serve. Check these in Rayo's panel."
                ),
            ),
            UNAUTHORIZED: (
                N_("Ask Rayo for a valid key: that of account %(account)s (`%(setting)s`) is not accepted."),
            ),
        },
    )

    def credential_setting(self, account: RayoAccount) -> str:
        return "api_key" if account.api_key else "access_token"

    def find_clues(self, body: Any) -> list[Clue]:
        recipient = body.get("consumidor_destino")
        street = join_values(recipient, "calle", "no_exterior", "no_interior", "colonia")
        locality = join_values(recipient, "codigo_postal", "ciudad", "estado")
        products = [f"{product.get('cantidad')} × {product.get('identificador')}" for product in body["productos"]]
        return [
            *list_clues(recipient, [(N_("Recipient"), "nombre"), (N_("Phone"), "telefono")]),
            Clue(label=N_("Address"), value=f"{street}, {locality}"),
            Clue(label=N_("Products sent"), value=", ".join(products)),
        ]

    def bearer_token(self, account: RayoAccount) -> str | None:
        return None if account.api_key else account.access_token

    def required_details(self, account: RayoAccount) -> Set[str]:
        return {"barcodes"} if account.identifier == "barcode" else frozenset()

    def classify_response(self, status: int, body: Any) -> Outcome | None:
        """Read Rayo's own codes.

        Rayo runs on Hasura: an expired token is 400 `invalid-jwt`, and `unexpected` means that the handler ran and its
        response was lost (https://github.com/hasura/graphql-engine/issues/8659, read 2026-11-21).
        """
        code = body.get("code") if isinstance(body, Mapping) else None
        if status == 401 or code == "invalid-jwt":
            return Outcome.TOKEN_EXPIRED
        if status == 400 and code == "unexpected":
            return Outcome.AMBIGUOUS
        return None
