"""Kits that have a line beside the lines of their parts: either the kit or its parts are sent, never both."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from mappings.money.allocation import ZERO, allocate_signed
from mappings.order import Line, Order
from mappings.problems import Problem


def resolve_bundles(order: Order, choice: Literal["parts", "kit"]) -> Order:
    """Return the order with either the parts of each kit, or the kits.

    What was paid stays the same: a kit is sold for its own price and that of its parts, and parts are sold for their
    own price and a share of the kit's (see docs/money.md).
    """
    kit_ids = kit_ids_of(order)
    if not kit_ids:
        return order
    if choice == "kit":
        return merge_into_kits(order)
    for kit_id in [line.line_id for line in order.lines if line.line_id in kit_ids]:
        order = replace(order, lines=split_kit(order.lines, kit_id))
    return order


def kit_ids_of(order: Order) -> set[str | None]:
    """Return the ids of the lines that are kits with parts."""
    return {line.kit_line_id for line in order.lines} & {line.line_id for line in order.lines} - {None}


def find_divided_kits(order: Order, choice: Literal["parts", "kit"]) -> list[Problem]:
    """Return a warning for each kit whose own price is booked on its parts."""
    kit_ids = kit_ids_of(order) if choice == "parts" else set()
    return [
        Problem(
            code="kit_divided", path=("lines",), params={"product": line.name or line.sku, "amount": str(line.total)}
        )
        for line in order.lines
        if line.line_id in kit_ids and line.total
    ]


def split_kit(lines: list[Line], kit_id: str | None) -> list[Line]:
    """Return the lines without a kit, whose price goes to its parts: by theirs, or by units if they have none.

    A part that is a kit itself is split later.
    """
    kit = next((line for line in lines if line.line_id == kit_id), None)
    parts = [line for line in lines if line.kit_line_id == kit_id and line is not kit]
    if kit is None or not parts:
        return lines
    bases = [max(part.total, ZERO) for part in parts]
    bases = bases if any(bases) else [Decimal(part.quantity) for part in parts]
    totals = allocate_signed(kit.total, bases)
    taxes = allocate_signed(kit.tax or ZERO, bases)
    shares = {id(part): share for part, *share in zip(parts, totals, taxes, strict=True)}
    result = []
    for line in lines:
        if id(line) in shares:
            total, tax = shares[id(line)]
            has_tax = line.tax is not None or kit.tax is not None
            line = replace(line, total=line.total + total, tax=(line.tax or ZERO) + tax if has_tax else None)
        if line is not kit:
            result.append(line)
    return result


def merge_into_kits(order: Order) -> Order:
    """Return the order with each kit's parts, and theirs, merged into it."""
    by_id = {line.line_id: line for line in order.lines if line.line_id is not None}

    def root_of(line: Line) -> Line:
        seen = set()
        while line.kit_line_id in by_id and line.kit_line_id not in seen:
            seen.add(line.kit_line_id)
            line = by_id[line.kit_line_id]
        return line

    members: dict[int, list[Line]] = {}
    for line in order.lines:
        members.setdefault(id(root_of(line)), []).append(line)
    unknown = list(order.unknown_to_ship)
    lines = []
    for line in order.lines:
        if id(line) not in members:
            continue
        kit = merge_lines(line, members[id(line)])
        if kit is None:
            kit = line
            unknown.append(Problem(code="partly_sent"))
        lines.append(kit)
    return replace(order, lines=lines, unknown_to_ship=list(dict.fromkeys(unknown)))


def merge_lines(kit: Line, members: Sequence[Line]) -> Line | None:
    """Return a kit with what its members cost; None if only a part of them is left to ship."""
    taxes = [member.tax for member in members if member.tax is not None]
    shippable = [member for member in members if member.is_shippable]
    is_left = {bool(member.quantity_to_ship) for member in shippable}
    if len(is_left) > 1 or any(0 < member.quantity_fulfilled < member.quantity for member in shippable):
        return None
    return replace(
        kit,
        total=sum((member.total for member in members), ZERO),
        tax=sum(taxes, ZERO) if taxes else None,
        is_shippable=bool(shippable),
        quantity_fulfilled=kit.quantity if is_left == {False} else 0,
    )
