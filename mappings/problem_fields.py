"""Which fields a person can enter to solve a problem, by the problem's path."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mappings.correctable_fields import ADDRESS_PARTS, ITEM_ATTRIBUTES, SINGLE_FIELDS
from mappings.corrections import line_field
from mappings.order import Address, Order
from mappings.problems import FieldValues, Problem

#: Problems that are not about the field that their path names: another place, another currency.
UNSOLVABLE_CODES = {"not_served", "not_sent"}
#: Path of a problem -> field.
FIELDS_BY_PATH: Mapping[tuple[str | int, ...], str] = {
    **{(address, part): f"{address}.{part}" for address in ("ship_to", "bill_to") for part in ADDRESS_PARTS},
    **{path: field for field, path in SINGLE_FIELDS.items() if field != "payments.gateway"},
    ("ship_to", "full_name"): "ship_to.name",
    ("ship_to", "unit_and_reference"): "ship_to.unit",
    ("phone",): "phone",
    ("customer", "phone"): "phone",
    ("customer", "email"): "email",
    ("customer", "document.number"): "document",
    ("customer", "document.kind"): "document",
    ("ship_to", "branch"): "pickup_name",
    ("ship_to", "pickup_id"): "pickup_name",
}
#: What a whole address is entered as.
ADDRESS_FIELDS = ("street", "number", "unit", "district", "postal_code", "city", "state", "country")
#: Beginnings of a product's path.
PRODUCT_STEPS = {"lines", "products"}
#: What stands for the number of a house that has none.
NO_NUMBER = "S/N"


def with_fields(problem: Problem, order: Order) -> Problem:
    """Return the problem with the fields of `order` that solve it, and the readings of an ambiguous line."""
    if problem.fields or problem.code in UNSOLVABLE_CODES:
        return problem
    if problem.code == "ambiguous_address" and order.ship_to:
        readings = tuple(dict.fromkeys(iter_readings(problem, order.ship_to)))
        return replace(problem, fields=("ship_to.street", "ship_to.number"), readings=readings)
    return replace(problem, fields=tuple(find_fields(problem, order)))


def find_fields(problem: Problem, order: Order) -> Sequence[str]:
    path = problem.path
    if problem.code == "unclear_pickup" or (path == ("ship_to",) and order.ship_to is None):
        return [f"ship_to.{part}" for part in ADDRESS_FIELDS]
    if path == ("bill_to",) and order.is_pickup:  # else the shipping address stands for it
        return [f"bill_to.{part}" for part in ADDRESS_FIELDS]
    if path and path[0] in PRODUCT_STEPS and path[-1] in ITEM_ATTRIBUTES["lines"]:
        return list(iter_line_fields(problem, order))
    field = FIELDS_BY_PATH.get(path)
    return [field] if field else []


def iter_line_fields(problem: Problem, order: Order) -> Iterator[str]:
    """Yield the field of the product's line. A product without a row in a table has no line: the row is entered."""
    for number, line in enumerate(order.lines, start=1):
        if number in problem.path and (field := line_field(line, str(problem.path[-1]))):
            yield field


def iter_readings(problem: Problem, address: Address) -> Iterator[FieldValues]:
    """Yield the fields of each way to read an address line. Nothing of the line is lost."""
    readings = problem.params["readings"]
    for reading in readings if isinstance(readings, Sequence) else ():
        street, number, rest = (*reading, *(None,) * 3)[:3]
        values = {"ship_to.street": street or address.line1, "ship_to.number": number or NO_NUMBER}
        if rest:
            values["ship_to.unit"] = f"{rest}, {address.unit}" if address.unit else rest
        yield tuple((field, value) for field, value in values.items() if value)
