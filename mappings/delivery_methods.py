"""Decides what the customer collects, what is shipped, and where to, from an order's shipping methods."""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from mappings.order import Address, Line, Order, Shipping
from mappings.problems import ParamValue, Problem
from mappings.settings import Store
from mappings.text import casefold_ascii, match_key

#: Words of collection in a method's name or code. They decide nothing: a method with one is a question to the merchant.
COLLECTION_WORDS = re.compile(
    r"pick\W*_?up|recog[eoi]|recoj|recolec|retir[aoe]|sucursal|collect|pas[ao]\w*_?\W*a\W*_?(?:buscar|recoger|retirar)"
    r"|\b(?:en|in)\W+(?:la\W+)?(?:tienda|local|store|showroom)\b"
)
#: Fields of an address that only locate it, as a cart's shipping calculator asks for them.
PLACE_FIELDS = ("country", "state", "postal_code", "city")


def resolve_delivery(order: Order, store: Store, *, pickup_methods: Set[str], falls_back_to_billing: bool) -> Order:
    """Return the order with `is_pickup`, `ship_to` and what is left to ship of each line.

    Args:
        pickup_methods: codes of the storefront's methods for collection; the store's settings may add more.
        falls_back_to_billing: a blank shipping address stands for the billing address.
    """
    collected = [method for method in order.shipping if is_pickup_method(method, store, pickup_methods)]
    shipped = [method for method in order.shipping if method not in collected]
    bill_to = order.bill_to
    ship_to = None if is_blank(order.ship_to, bill_to) else order.ship_to
    if collected and not shipped:
        return replace(order, ship_to=ship_to, is_pickup=True, pickup_name=order.pickup_name or branch_of(collected[0]))
    if collected:
        order = subtract_collected(replace(order, is_pickup=False, pickup_name=None), collected, shipped)
    elif order.is_pickup is None and shipped and falls_back_to_billing:
        order = replace(order, is_pickup=False)
    if ship_to is None and not order.is_pickup:
        question = next((method for method in shipped if speaks_of_collection(method)), None)
        if question:
            return replace(order, unreadable_parts=[*order.unreadable_parts, unclear_pickup(question)], ship_to=None)
        if shipped and (falls_back_to_billing or order.ship_to):
            ship_to = bill_to
        elif not falls_back_to_billing:
            ship_to = order.ship_to
    return replace(order, ship_to=ship_to)


def is_pickup_method(method: Shipping, store: Store, pickup_methods: Set[str]) -> bool:
    """Return whether the method's code is one of collection, or a setting names the code or the name."""
    code = method.code or ""
    if code.partition(":")[0].strip().casefold() in pickup_methods:
        return True
    configured = {match_key(name) for name in store.pickup_methods}
    names = {code, code.partition(":")[0], f"{code}:{method.instance}" if method.instance else "", method.name or ""}
    return not configured.isdisjoint({match_key(name) for name in names} - {""})


def speaks_of_collection(method: Shipping) -> bool:
    return any(COLLECTION_WORDS.search(casefold_ascii(text)) for text in (method.name, method.code) if text)


def unclear_pickup(method: Shipping) -> Problem:
    """Return the question whether a method is one of collection. A number tells it from others with the same code."""
    code = method.code or method.name or ""
    is_numbered = method.instance is not None and ":" not in code and not COLLECTION_WORDS.search(casefold_ascii(code))
    params: dict[str, ParamValue] = {
        "name": method.name or code,
        "method": f"{code}:{method.instance}" if is_numbered and method.code else code,
    }
    return Problem(code="unclear_pickup", path=("shipping",), params=params)


def branch_of(method: Shipping) -> str | None:
    return method.branch or method.name


def is_blank(address: Address | None, billing: Address | None) -> bool:
    """Return whether an address says nothing: it names a place only, and the billing address is complete."""
    if address is None:
        return True
    is_place_only = address == Address(**{name: getattr(address, name) for name in PLACE_FIELDS})
    has_street = billing is not None and bool(billing.line1 or billing.street)
    return is_place_only and has_street and bool(billing and billing.city and billing.postal_code)


def subtract_collected(order: Order, collected: Sequence[Shipping], shipped: Sequence[Shipping]) -> Order:
    """Return the order without what the customer collects, by the products that each method lists."""
    lines = list(split_lines(order.lines, collected, shipped))
    if None not in lines:
        return replace(order, lines=[line for line in lines if line])
    params: dict[str, ParamValue] = {
        "collected": collected[0].name or collected[0].code,
        "shipped": shipped[0].name or shipped[0].code,
    }
    return replace(order, unknown_to_ship=[*order.unknown_to_ship, Problem(code="partly_collected", params=params)])


def split_lines(
    lines: Sequence[Line], collected: Sequence[Shipping], shipped: Sequence[Shipping]
) -> Iterator[Line | None]:
    """Yield each line with its collected units as fulfilled; None for a line whose units are unknown.

    A product that no method carries needs no shipping: https://github.com/woocommerce/woocommerce, class-wc-cart.php,
    get_items_needing_shipping(), read 2026-11-30.
    """
    collected_units, shipped_units = count_units(collected), count_units(shipped)
    names = [line.name or "" for line in lines]
    if collected_units is None or shipped_units is None or (collected_units | shipped_units).keys() - set(names):
        yield None
        return
    for name, line in zip(names, lines, strict=True):
        collected_count, shipped_count = collected_units.get(name, 0), shipped_units.get(name, 0)
        if not collected_count:
            yield line if shipped_count else replace(line, is_shippable=False)
        elif not shipped_count:
            yield replace(line, quantity_fulfilled=line.quantity)
        elif names.count(name) == 1 and line.quantity == collected_count + shipped_count:
            yield replace(line, quantity_fulfilled=collected_count)
        else:
            yield None


def count_units(methods: Sequence[Shipping]) -> dict[str, int] | None:
    """Return how many units of each product the methods carry, by its name; None if one does not say."""
    units: dict[str, int] = {}
    for method in methods:
        if method.package is None:
            return None
        for name, quantity in method.package:
            units[name] = units.get(name, 0) + quantity
    return units
