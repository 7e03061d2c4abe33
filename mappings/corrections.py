"""What a person enters where a field of an order is missing or doubtful. It is stored beside the order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mappings.addresses.postcodes import complete_postal_code
from mappings.addresses.regions import SHOPIFY_STATES, resolve_country_code, resolve_state_name
from mappings.correctable_fields import ADDRESS_PARTS, ITEM_ATTRIBUTES, is_correctable, parse_item
from mappings.order import Address, Customer, Line, Order, Payment
from mappings.person_names import buyer_name

#: Fields of an address that locate it: those of a billing address that equals the shipping address change with it.
PLACE_FIELDS = (
    *("line1", "line2", "street", "number", "unit", "district", "reference"),
    *("city", "state", "postal_code", "country"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One field as a person entered it."""

    field: str
    value: str
    entered_by: str


def apply_corrections(order: Order, corrections: Sequence[Correction]) -> Order:
    """Return the order with what was entered. What the order has no place for any more, such as a line, is left out."""
    if not corrections:
        return order
    values = {correction.field: correction.value for correction in corrections}
    order = correct_addresses(order, address_values(values, "ship_to"), address_values(values, "bill_to"))
    order = correct_buyer(order, values)
    if phone := values.get("phone"):
        order = replace(order, phone=phone, ship_to=order.ship_to and replace(order.ship_to, phone=phone))
    return replace(
        order,
        email=values.get("email", order.email),
        document=values.get("document", order.document),
        pickup_name=values.get("pickup_name", order.pickup_name),
        lines=[correct_line(line, values) for line in order.lines],
        payments=correct_payments(order, values),
    )


def address_values(values: Mapping[str, str], address: str) -> dict[str, str]:
    return {part: values[field] for part in ADDRESS_PARTS if (field := f"{address}.{part}") in values}


def correct_addresses(order: Order, shipping: Mapping[str, str], billing: Mapping[str, str]) -> Order:
    if order.bill_to and order.ship_to and is_same_place(order.ship_to, order.bill_to):
        billing = {**{part: value for part, value in shipping.items() if part != "name"}, **billing}
    if "street" in shipping and order.ship_to is None:
        # Whoever enters where the order goes decides that the customer does not collect it.
        questions = [problem for problem in order.unreadable_parts if problem.code != "unclear_pickup"]
        order = replace(order, unreadable_parts=questions, is_pickup=False, pickup_name=None)
    if shipping:
        order = replace(order, ship_to=correct_address(order.ship_to, shipping))
    if billing:
        order = replace(order, bill_to=correct_address(order.bill_to, billing))
    return order


def is_same_place(left: Address, right: Address) -> bool:
    return all(getattr(left, name) == getattr(right, name) for name in PLACE_FIELDS)


def correct_address(address: Address | None, values: Mapping[str, str]) -> Address:
    """Return the address with the parts that were entered. The street or its number settles an ambiguous line."""
    address = address or Address()
    changes: dict[str, str | None] = dict(values)
    if "name" in values:
        changes |= {"first_name": None, "last_name": None}
    if address.ambiguity and address.line1 and "number" in values and "street" not in values:
        # Imported here because it compiles the patterns of addresses, which takes long.
        from mappings.addresses.context import build_address_context
        from mappings.addresses.resolve import parse_first_line

        line = parse_first_line(address.line1, values["number"], build_address_context(address))
        changes["street"] = line.street
    country = changes["country"] = resolve_country_code(values.get("country")) or address.country
    if "state" in values:
        changes["state"] = resolve_state_name(values["state"], country=country, codes=SHOPIFY_STATES)
    if "postal_code" in values:
        state = changes.get("state") or address.state
        changes["postal_code"] = complete_postal_code(values["postal_code"], country=country, state=state)
    is_settled = "street" in values or "number" in values
    return replace(address, ambiguity=None if is_settled else address.ambiguity, **changes)  # type: ignore[arg-type]


def correct_buyer(order: Order, values: Mapping[str, str]) -> Order:
    first_name, last_name = values.get("customer.first_name"), values.get("customer.last_name")
    if first_name is None and last_name is None:
        return order
    known_first_name, known_last_name = buyer_name(order)
    names = {"first_name": first_name or known_first_name, "last_name": last_name or known_last_name}
    return replace(order, customer=replace(order.customer or Customer(), name=None, **names))


def correct_line(line: Line, values: Mapping[str, str]) -> Line:
    fields = {attribute: f"lines[{line.line_id}].{attribute}" for attribute in ITEM_ATTRIBUTES["lines"]}
    changes = {attribute: values[field] for attribute, field in fields.items() if field in values}
    return replace(line, **changes) if changes and line.line_id is not None else line  # type: ignore[arg-type]


def correct_payments(order: Order, values: Mapping[str, str]) -> list[Payment] | None:
    if order.payments is None:
        gateway = values.get("payments.gateway")
        return None if gateway is None else [Payment(gateway=gateway, amount=order.total)]
    return [replace(payment, gateway=values.get(payment_field(payment), payment.gateway)) for payment in order.payments]


def payment_field(payment: Payment) -> str:
    """Return the field with which a person says how a payment was made."""
    return f"payments[{payment.gateway or payment.name or ''}].gateway"


def line_field(line: Line, attribute: str) -> str | None:
    """Return the field of a line; None if the storefront has no id for it."""
    return None if line.line_id is None else f"lines[{line.line_id}].{attribute}"


def has_field(order: Order, field: str) -> bool:
    """Return whether the order has the product or payment that the field is of. It has a place for other fields."""
    item = parse_item(field)
    if item is None:
        return is_correctable(field) and (field != "payments.gateway" or order.payments is None)
    if item.items == "lines":
        return any(line.line_id == item.key for line in order.lines)
    return any(payment_field(payment) == field for payment in order.payments or ())
