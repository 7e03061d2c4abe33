"""Who ordered and for how much: what lists show of an order."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from mappings.order import Order

#: Characters of a name that lists show, and that is stored of a fetched order.
MAX_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSummary:
    customer: str | None
    total: Decimal
    currency: str

    @classmethod
    def from_order(cls, order: Order) -> Self:
        customer = order.customer_name
        return cls(
            customer=customer[:MAX_NAME_LENGTH] if customer else None, total=order.total, currency=order.currency
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {"customer": self.customer, "total": str(self.total), "currency": self.currency}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return cls(customer=value["customer"], total=Decimal(value["total"]), currency=value["currency"])
