"""The values of a Centelar order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from mappings.corrections import payment_field
from mappings.destinations.centelar.account import CentelarAccount, LocationRef
from mappings.destinations.centelar.payments import (
    PAYMENT_TYPE_BY_GATEWAY,
    PAYMENT_TYPE_CHOICES,
    PaymentLine,
    gateway_name,
    gateway_names,
    quoted_gateway,
)
from mappings.destinations.centelar.problems import TEMPLATES
from mappings.money.allocation import ZERO, to_cents
from mappings.money.invoice_lines import (
    InvoiceLine,
    build_total_mismatch,
    charge_problems,
    charge_rows,
    charge_warnings,
    find_total_mismatch,
    format_cents,
    normalize_charges,
    product_rows,
    split_unit_prices,
)
from mappings.order import Address, Order, Payment
from mappings.order_request import OrderRequest
from mappings.person_names import buyer_name, has_unsent_company, receiver_name
from mappings.phones import format_e164
from mappings.problems import Problem, register_templates
from mappings.tax_ids import TaxId, parse_tax_id
from mappings.text import match_key

register_templates(TEMPLATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerData:
    first_name: str | None
    last_name: str | None
    document: TaxId | None
    email: str | None
    phone: str | None
    is_corporate: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItem:
    sku: str | None  # Centelar's product code
    portion: InvoiceLine
    location: LocationRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressOrBranch:
    """Where the order goes: to an address, or to a branch of the shop."""

    disposition: Literal["residential", "pickup"]
    receiver: str | None
    address: Address | None = None
    pickup_id: int | None = None
    pickup_name: str | None = None

    @property
    def coordinates(self) -> list[Decimal] | None:
        """Longitude and latitude, in the order of the page's example."""
        if self.address is None or self.address.longitude is None or self.address.latitude is None:
            return None
        return [self.address.longitude, self.address.latitude]


@dataclass(frozen=True, kw_only=True)
class CentelarOrderRequest(OrderRequest):
    account: CentelarAccount

    @property
    def placed_at(self) -> str | None:
        # Unverified: that Centelar reads it as local time. Its other pages show local time with an offset.
        if self.order.placed_at is None:
            return None
        try:
            local = self.order.placed_at.astimezone(ZoneInfo(self.account.timezone))
        except OverflowError:  # the first hours of year 1 have no earlier zone
            return None
        return local.replace(tzinfo=None).isoformat(timespec="seconds")

    @property
    def ext_code(self) -> str:
        return self.format_template(self.account.ext_code)

    @property
    def customer(self) -> CustomerData:
        first_name, last_name = buyer_name(self.order)
        fallback = self.account.last_name_missing
        document = self.tax_document
        phone = self.order.phone_to_call
        return CustomerData(
            first_name=first_name,
            last_name=last_name or (None if fallback == "problem" else fallback),
            document=document,
            email=self.order.email or (self.order.customer.email if self.order.customer else None),
            phone=format_e164(phone, self.order.country or "AR") if phone else None,
            # The tax document decides; without one, the company of the billing address does.
            is_corporate=document.is_company if document else (True if self.billed_company else None),
        )

    @cached_property
    def tax_document(self) -> TaxId | None:
        document = parse_tax_id(self.order.document) if self.order.document else None
        return document if document and document.kind in {"cuit", "dni"} else None

    @property
    def billed_company(self) -> str | None:
        company = self.order.bill_to.company if self.order.bill_to else None
        return (
            company if company and any(char.isalpha() for char in company) else None
        )  # some people write their DNI there

    @cached_property
    def bookable_order(self) -> Order:
        return normalize_charges(self.order, self.account.charges)

    @cached_property
    def products(self) -> list[OrderItem]:
        """What was sold, shipped or not, and the charges. A line whose price does not divide evenly becomes two."""
        location = self.account.locations.find(self.order.location, self.order.pickup_name)
        rows = [*product_rows(self.bookable_order), *charge_rows(self.bookable_order, self.account.charges)]
        codes = self.account.product_code_by_sku
        return [
            OrderItem(sku=codes.find(portion.sku) or portion.sku, portion=portion, location=location)
            for portion in split_unit_prices(rows)
        ]

    def order_line_number(self, index: int) -> int:
        return self.products[index].portion.number

    @property
    def nonzero_payments(self) -> list[Payment]:
        return [payment for payment in self.order.payments or [] if payment.amount]

    @property
    def payments(self) -> list[PaymentLine]:
        """The payments that have a type at Centelar. Others, and negative ones, are problems."""
        return [
            PaymentLine(type=type_, payment=payment, amount=format_cents(to_cents(payment.amount)))
            for payment in self.nonzero_payments
            if payment.amount > 0 and (type_ := self.find_payment_type(payment))
        ]

    def find_payment_type(self, payment: Payment) -> str | None:
        names = gateway_names(payment)
        types = (
            self.account.payment_types.find(name) or PAYMENT_TYPE_BY_GATEWAY.get(match_key(name)) for name in names
        )
        return next((type_ for type_ in types if type_), None)

    @property
    def ship_to(self) -> AddressOrBranch | None:
        address = self.order.ship_to
        if not self.order.is_pickup:
            if self.order.is_all_virtual:  # nothing is shipped, and Centelar requires an address
                return self.bill_to
            return self.deliver_to(address) if address else None
        # A branch without a row keeps its name here; `missing_row_problems` reports it.
        branch = self.account.pickups.find(self.order.pickup_name) or LocationRef(name=self.order.pickup_name)
        receiver = receiver_name(self.order, address or Address())
        return AddressOrBranch(disposition="pickup", receiver=receiver, pickup_id=branch.id, pickup_name=branch.name)

    def deliver_to(self, address: Address) -> AddressOrBranch:
        receiver = receiver_name(self.order, address)
        return AddressOrBranch(disposition="residential", receiver=receiver, address=address)

    @property
    def sent_address(self) -> Address | None:
        return None if self.order.is_pickup else self.order.ship_to

    @property
    def bill_to(self) -> AddressOrBranch | None:
        """The billing address, else the shipping address; never the branch where the order is collected."""
        addresses = [address for address in (self.order.bill_to, self.order.ship_to) if address and address.street]
        return self.deliver_to(addresses[0]) if addresses else None

    @property
    def shipping(self) -> Decimal | None:
        return sum((method.total for method in self.bookable_order.shipping), ZERO) if self.order.shipping else None

    def missing_row_problems(self) -> Iterator[Problem]:
        order = self.order
        branch = order.pickup_name
        if order.is_pickup and branch and self.account.pickups.find(branch) is None:
            yield self.build_missing_row_problem(
                "centelar_no_branch", "pickups", branch, placeholder="id=ID", path=("ship_to", "branch"), value=branch
            )
        for line in order.lines:
            yield from self.required_row_problems(
                "centelar_no_product_code",
                "product_code_by_sku",
                line.sku,
                placeholder="PRODUCT_CODE",
                path=("lines", "sku"),
                value=line.sku,
            )
        locations = [location for location in (order.location, branch) if location]
        yield from self.required_row_problems(
            "centelar_no_location",
            "locations",
            *locations,
            placeholder="location_id=ID",
            value=next(iter(locations), None),
        )

    def problems(self) -> Iterator[Problem]:
        order, account = self.order, self.account
        if order.currency != account.currency:
            params = {"value": order.currency, "choices": account.currency}
            yield Problem(code="not_served", path=("currency",), params=params)
        yield from charge_problems(self, self.bookable_order, "Centelar")
        yield from self.payment_problems()
        yield from self.missing_row_problems()
        if account.totals == "exact":
            yield from self.sum_mismatches

    def payment_problems(self) -> Iterator[Problem]:
        order = self.order
        for payment in self.nonzero_payments:
            gateway = gateway_name(payment)
            if payment.amount < 0:
                params = {"gateway": gateway, "amount": str(payment.amount)}
                yield Problem(code="centelar_negative_payment", path=("payments",), params=params)
            if not self.find_payment_type(payment):
                problem = self.build_missing_row_problem(
                    "centelar_no_payment_type",
                    "payment_types",
                    *gateway_names(payment),
                    placeholder="TYPE",
                    path=("payments",),
                    gateway=gateway,
                    types=(tuple(PAYMENT_TYPE_CHOICES),),
                )
                yield replace(problem, fields=(payment_field(payment),))
        if order.total == 0:
            if not self.nonzero_payments and self.account.free_orders == "problem":
                yield Problem(code="centelar_free_order", path=("payments",))
        elif order.payments is None:
            yield Problem(code="centelar_payments_unknown", path=("payments",), fields=("payments.gateway",))
        elif not self.nonzero_payments:
            yield Problem(code="centelar_unpaid", path=("payments",))

    @cached_property
    def sum_mismatches(self) -> list[Problem]:
        cents_by_gateway: dict[str, int] = {}
        for payment in self.nonzero_payments:
            cents_by_gateway[quoted_gateway(payment)] = cents_by_gateway.get(quoted_gateway(payment), 0) + to_cents(
                payment.amount
            )
        mismatches = [
            find_total_mismatch(self.order) or find_total_mismatch(self.bookable_order),
            build_total_mismatch("payments_mismatch", cents_by_gateway, self.order) if cents_by_gateway else None,
        ]
        return [mismatch for mismatch in mismatches if mismatch]

    def warnings(self) -> Iterator[Problem]:
        order, document = self.order, self.tax_document
        yield from self.sum_mismatches
        yield from charge_warnings(order, self.bookable_order, "Centelar")
        if order.document and document is None:
            yield Problem(code="centelar_document_not_sent", path=("document",), params={"value": order.document})
        if document and not document.has_good_check_digit:
            params = {"number": document.number}
            yield Problem(code="centelar_wrong_cuit_check_digit", path=("document",), params=params)
        if any(address and has_unsent_company(order, address) for address in (order.ship_to, order.bill_to)):
            yield Problem(code="centelar_company_not_sent", path=("company",))
        if order.bill_to and not order.bill_to.street:
            yield Problem(code="centelar_billing_without_street", path=("bill_to", "street"))
        elif order.is_pickup and order.ship_to and order.ship_to.street and order.bill_to:
            yield Problem(code="centelar_pickup_address_not_sent", path=("ship_to",))
        if order.note:
            yield Problem(code="not_sent", path=("note",), params={"vendor": "Centelar"})
