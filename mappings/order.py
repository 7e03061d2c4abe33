"""The canonical order, which every storefront's payload is read into and every destination's body is written from.

Money is `Decimal` in major units (pesos, not cents) of `Order.currency`, tax included. Instants
are timezone-aware. What the storefront does not provide is `None`, never "" or 0: reading is
lenient, and each destination reports what it requires.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from mappings.phones import has_digits
from mappings.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    name: str | None = None  # of the person; given and family name together
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None  # as written; each destination reads it in its own form
    line1: str | None = None  # as written, where the platform joins street and number in one line
    line2: str | None = None  # as written: flat, floor, neighbourhood, whatever people type there
    street: str | None = None
    number: str | None = None  # exterior number; text, because "12 bis" and "S/N" are numbers too
    unit: str | None = None  # interior number, floor or flat
    district: str | None = None  # colonia (MX), barrio (AR)
    reference: str | None = None  # how to find the door: cross streets, the colour of the gate, a doorbell
    ambiguity: Problem | None = None  # `line1` can be read in two ways; `street` is then the whole line
    city: str | None = None
    state: str | None = None  # official name in Spanish where the platform's code is known, else as written
    postal_code: str | None = None
    country: str | None = None  # ISO 3166-1 alpha-2
    latitude: Decimal | None = None
    longitude: Decimal | None = None

    @property
    def full_name(self) -> str | None:
        """The whole name: as given, or else made from its parts."""
        return self.name or " ".join(part for part in (self.first_name, self.last_name) if part) or None

    @property
    def unit_and_reference(self) -> str | None:
        """Interior number and reference as one text, for destinations with a single field for both."""
        return ", ".join(part for part in (self.unit, self.reference) if part) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    name: str | None = None  # given and family name together, where the platform has one field for both
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One product after edits and refunds. The order has no empty lines."""

    line_id: str | None = None  # the storefront's own: kits name their parts by it, and people what they correct
    kit_line_id: str | None = None  # the line of the kit that this one is a part of, see `mappings.bundles`
    sku: str | None = None
    barcode: str | None = None
    name: str | None = None
    quantity: int  # sold
    quantity_fulfilled: int = 0  # of these, not to be sent any more: sent already, collected, or another service's
    total: Decimal  # for the whole quantity: discounts taken off, tax included
    tax: Decimal | None = None  # the part of `total` that is tax
    is_shippable: bool = True

    @property
    def quantity_to_ship(self) -> int:
        return max(self.quantity - self.quantity_fulfilled, 0) if self.is_shippable else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipping:
    """What the customer paid for shipping, once per method chosen."""

    name: str | None = None  # as the customer saw it
    code: str | None = None  # the platform's own word for the method
    instance: str | None = None  # which of several methods with this code, where the platform numbers them
    branch: str | None = None  # where the customer collects, if the platform names it
    #: Name and quantity of each product that goes this way. None: the platform does not say.
    package: tuple[tuple[str, int], ...] | None = None
    total: Decimal  # discounts taken off, tax included
    tax: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Something charged that is neither product nor shipping."""

    kind: str  # "tip", "fee", "rounding", "duties"; "discount" if one on the whole order does not explain its total
    name: str | None = None
    total: Decimal  # tax included; may be negative
    tax: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    gateway: str | None = None  # the platform's own word
    name: str | None = None  # as the customer saw it
    amount: Decimal
    transaction_id: str | None = None
    last_digits: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    storefront: str
    order_id: str  # the storefront's own; unique with the store
    number: str  # the one the merchant and the customer see
    placed_at: datetime | None = None
    updated_at: datetime | None = None
    currency: str  # ISO 4217
    total: Decimal  # what was charged, after refunds
    unallocated_refund: Decimal = Decimal(0)  # refunds that name no product, already subtracted from all of them
    tax: Decimal | None = None  # the part of `total` that is tax, as the storefront calculated it
    lines: list[Line]
    shipping: list[Shipping] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    payments: list[Payment] | None = None  # None: the payload does not say how it was paid
    customer: Customer | None = None
    ship_to: Address | None = None  # None when nothing is sent to the customer's door
    bill_to: Address | None = None
    is_pickup: bool | None = None  # None: the storefront does not say how the order leaves
    pickup_name: str | None = None  # the branch or location where the customer collects
    #: How the storefront says that everything was sent, where it is no matter of single lines.
    sent_reason: Problem | None = None
    #: Why it is not known what is left to ship. It stops the order at destinations that ship.
    unknown_to_ship: list[Problem] = field(default_factory=list)
    location: str | None = None  # where the stock is, or who sold it: from the store's `location_from`
    email: str | None = None
    phone: str | None = None
    document: str | None = None  # tax document as written: DNI, CUIT, RFC
    note: str | None = None  # the customer's
    is_test: bool = False
    is_draft: bool = False
    is_cancelled: bool = False
    is_refunded: bool = False  # completely; or its payment was voided
    is_paid: bool | None = None  # None: the storefront does not say
    unknown_payment: Problem | None = None  # its payment status is one that the platform does not document
    #: Additional values, read by the store's `extra_from` or its own schema class and sent by an account's own class.
    extra: dict[str, str] = field(default_factory=dict)
    #: Parts of the payload that cannot be interpreted. They stop the order at any destination.
    unreadable_parts: list[Problem] = field(default_factory=list)
    #: What was not fetched and how to have it fetched, by a name of `Destination.required_details`.
    missing_details: dict[str, Problem] = field(default_factory=dict)

    @property
    def country(self) -> str | None:
        """The country of the shipping address, else of the billing address."""
        for address in (self.ship_to, self.bill_to):
            if address and address.country:
                return address.country
        return None

    @property
    def customer_name(self) -> str | None:
        """The name of who receives the order, else of who ordered or pays."""
        customer = self.customer
        names = [
            self.ship_to and self.ship_to.full_name,
            customer and (customer.name or " ".join(filter(None, (customer.first_name, customer.last_name)))),
            self.bill_to and (self.bill_to.full_name or self.bill_to.company),
        ]
        return next((name for name in names if name), None)

    @property
    def lines_to_ship(self) -> list[Line]:
        """The lines with units that are still to be sent."""
        return [line for line in self.lines if line.quantity_to_ship]

    @property
    def is_all_virtual(self) -> bool:
        """Whether the order has products, and none of them is shipped."""
        return bool(self.lines) and not any(line.is_shippable for line in self.lines)

    def without_fulfillment(self) -> "Order":
        """Return the order as if nothing of it had been sent."""
        return replace(self, lines=[replace(line, quantity_fulfilled=0) for line in self.lines], sent_reason=None)

    @property
    def shipping_names(self) -> list[str]:
        """The names of the shipping methods: as the customer saw each, then the code, also without its number."""
        codes = [(method.name, method.code or "") for method in self.shipping]
        names = [name for method_name, code in codes for name in (method_name, code, code.partition(":")[0])]
        return list(dict.fromkeys(name for name in names if name))

    @property
    def phone_to_call(self) -> str | None:
        """The first phone number among shipping address, order, customer and billing address."""
        holders = (self.ship_to, self, self.customer, self.bill_to)
        phones = [holder.phone for holder in holders if holder]
        return next((phone for phone in phones if has_digits(phone)), None)

    @property
    def blocking_problems(self) -> list[Problem]:
        """What stops this order at any destination."""
        states = {
            "test_order": self.is_test,
            "draft_order": self.is_draft,
            "cancelled_order": self.is_cancelled,
            "refunded_order": self.is_refunded,
        }
        unknown_payment = [self.unknown_payment] if self.unknown_payment else []
        return [
            *(Problem(code=code) for code, holds in states.items() if holds),
            *unknown_payment,
            *self.unreadable_parts,
        ]

    def overridden(self) -> "Order":
        """Return the order as it is mapped after a person decided to send it, whatever the store says."""
        return replace(self, is_cancelled=False, is_refunded=False, unknown_payment=None)

    @property
    def parts(self) -> "list[Line | Shipping | Charge]":
        """Everything that was charged: products, shipping and charges."""
        return [*self.lines, *self.shipping, *self.charges]

    @property
    def parts_total(self) -> Decimal:
        """The sum of the parts. It differs from `total` if the storefront's figures do not add up."""
        return sum((part.total for part in self.parts), Decimal(0))
