"""Find given and family name of who bought. Names are cut at a blank where one text holds both; nothing is made up."""

from mappings.order import Address, Customer, Order


def name_buyer(order: Order) -> tuple[str | None, str | None]:
    """Return given and family name: the customer's, else those on the bill; the receiver's where nobody else is named.

    A whole name goes before half of one.
    """
    buyers = [split_name(person) for person in (order.customer, order.bill_to) if person]
    named = [name for name in buyers if any(name)] or ([split_name(order.ship_to)] if order.ship_to else [])
    return next((name for name in named if all(name)), named[0] if named else (None, None))


def split_name(person: Customer | Address) -> tuple[str | None, str | None]:
    """Return given and family name. One text for both is cut at its first blank, and nothing of it is lost."""
    if person.first_name and person.last_name:
        return person.first_name, person.last_name
    whole = person.name or person.first_name or person.last_name or ""
    first_name, _, last_name = whole.partition(" ")
    if not last_name and whole == person.last_name:
        return None, whole
    return first_name or None, last_name or None
