"""What the demo plays, step by step, and what each webhook must lead to. It runs nothing.

The orders are those of `shops`: a new one joins by a step or two in `STEPS`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.sandbox.demo_data import (
    ALFAJOR,
    CANCELLED,
    COFFEE,
    FORGED,
    GOURD,
    HAMMOCK,
    LOOM,
    MATES,
    MOLE,
    OLIVES,
    PONCHO,
    SHAWL,
    SWEETS,
    TEST_NOTIFICATION,
    VANILLA,
    WINE,
    YERBA,
    DemoOrder,
    with_changes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One webhook, and what must come of it."""

    order: DemoOrder
    webhook: str  # in plain words
    lesson: str
    topic: str | None = None  # None: the storefront's topic of a paid order
    changes: Mapping[str, Any] = field(default_factory=dict)  # of the order's payload, by path
    headers: Mapping[str, str] = field(default_factory=dict)
    is_forged: bool = False
    response: str = "accepted"  # or "duplicate", "ignored", or a status other than 200
    state: str | None = "delivered"  # None: there must be no delivery
    reason: str | None = None
    attempts: int = 1

    @property
    def body(self) -> bytes:
        return json.dumps(with_changes(self.order.payload, self.changes)).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a step, as the service itself tells it."""

    response: str
    ignore_reason: str | None = None  # why the event is ignored
    delivery: Mapping[str, Any] | None = None  # the order's, as `/api/deliveries` shows it

    @property
    def state(self) -> str | None:
        return self.delivery["state"] if self.delivery else None

    @property
    def reason(self) -> str | None:
        return self.delivery["reason"] if self.delivery else None

    @property
    def attempts(self) -> int:
        return self.delivery["attempts"] if self.delivery else 0

    def failures(self, step: Step) -> list[str]:
        """Return where this is not what `step` must lead to."""
        expected_attempts = step.attempts if step.state else 0
        failures = []
        if self.response != step.response:
            failures.append(f"the answer was “{self.response}”, not “{step.response}”")
        if (self.state, self.reason) != (step.state, step.reason):
            expected, actual = describe_state(step.state, step.reason), describe_state(self.state, self.reason)
            failures.append(f"it should be {expected}, and is {actual}")
        if self.attempts != expected_attempts:
            failures.append(f"its attempts are {self.attempts}, not {expected_attempts}")
        return failures


def describe_state(state: str | None, reason: str | None) -> str:
    """Return a delivery's state in words: "parked: uncertain"."""
    return ": ".join(filter(None, [state, reason])) or "not forwarded"


STEPS = (
    Step(
        order=COFFEE,
        webhook="a paid order from Mexico",
        lesson="Rayo wants street, number, flat and colonia each by itself; Shopify has two lines for all.",
    ),
    Step(
        order=YERBA,
        webhook="a paid order from Argentina",
        lesson="WooCommerce's prices lack the tax, LaPyme's hold it: the total agrees to the centavo.",
    ),
    Step(
        order=MATES,
        webhook="3 mates with a discount",
        lesson="The price paid does not divide by 3: two lines, a centavo apart, make the exact sum.",
    ),
    Step(
        order=MOLE,
        webhook="a paid order, status “processing”",
        lesson="WooCommerce has no topic for “paid”: the order's status tells.",
    ),
    Step(
        order=COFFEE,
        webhook="the first webhook once more",
        response="duplicate",
        lesson="Platforms repeat themselves. It was answered 200 and counted; nothing went out again.",
    ),
    Step(
        order=FORGED,
        webhook="signed with another secret",
        is_forged=True,
        response="401",
        state=None,
        lesson="Somebody else made it up: turned away, and nothing of it was recorded.",
    ),
    Step(
        order=SHAWL,
        webhook="paid, but without the colonia",
        changes={"shipping_address.address2": "Depto 4"},
        state="parked",
        reason="unmappable",
        attempts=0,
        lesson="Nothing is invented. Nothing was sent; the order waits, and says what it lacks.",
    ),
    Step(
        order=SHAWL,
        webhook="the shop added the colonia",
        topic="orders/updated",
        changes={"updated_at": "2026-11-20T10:40:00-06:00"},
        lesson="The newer version of the order healed it by itself.",
    ),
    Step(
        order=HAMMOCK,
        webhook="paid; Rayo's reply gets lost",
        state="parked",
        reason="uncertain",
        lesson="Rayo may have it and knows no idempotency key: only a person may have it sent again.",
    ),
    Step(
        order=SWEETS,
        webhook="paid; LaPyme's reply gets lost",
        attempts=2,
        lesson="LaPyme knows an order by its key, so the same was sent again: two attempts, one order.",
    ),
    Step(
        order=CANCELLED,
        webhook="cancelled before it was paid",
        topic="orders/cancelled",
        changes={"cancelled_at": "2026-11-20T10:20:00-06:00", "updated_at": "2026-11-20T10:20:00-06:00"},
        response="ignored",
        state=None,
        lesson="There was nothing to stop yet, but it is remembered.",
    ),
    Step(
        order=CANCELLED,
        webhook="its “paid”, arriving late",
        response="ignored",
        state=None,
        lesson="Webhooks come in any order. What was cancelled never goes out by itself.",
    ),
    Step(
        order=TEST_NOTIFICATION,
        webhook="Shopify's test notification",
        headers={"X-Shopify-Test": "true"},
        response="ignored",
        state=None,
        lesson="It looks like an order and is none: recorded, never forwarded.",
    ),
    Step(
        order=PONCHO,
        webhook="a paid order from Argentina",
        lesson="Centelar asks who paid and how: a note says the DNI, and “Mercado Pago” is known.",
    ),
    Step(
        order=OLIVES,
        webhook="paid by Mercado Pago",
        lesson="Items, shipping and payment add up to the price, or the order does not leave.",
    ),
    Step(
        order=WINE,
        webhook="paid by bank transfer",
        changes={"payment_method": "bacs", "payment_method_title": "Transferencia bancaria"},
        state="parked",
        reason="unmappable",
        attempts=0,
        lesson="Which of three types a transfer is, only the merchant knows: add a row, re-trigger.",
    ),
    Step(
        order=LOOM,
        webhook="paid, said without the order",
        lesson="Tiendanube's webhooks tell only an order's id: the order was fetched from the shop.",
    ),
    Step(
        order=GOURD,
        webhook="paid, less a discount on it all",
        lesson="LaPyme wants a price per product: the discount was spread over them, to the centavo.",
    ),
    Step(
        order=ALFAJOR,
        webhook="paid by Mercado Pago",
        changes={"gateway": "mercadopago", "gateway_name": "Mercado Pago"},
        lesson="Tiendanube has one field for the whole name, Centelar two: cut at the first blank.",
    ),
    Step(
        order=VANILLA,
        webhook="paid, with half an address",
        changes={"shipping_address.locality": "", "shipping_address.number": ""},
        state="parked",
        reason="unmappable",
        attempts=0,
        lesson="All that is missing is named at once, for the shop to add.",
    ),
    Step(
        order=VANILLA,
        webhook="the shop added the street number",
        topic="order/updated",
        changes={"shipping_address.locality": "", "updated_at": "2026-11-20T17:20:00+0000"},
        state="parked",
        reason="unmappable",
        attempts=0,
        lesson="Fetched anew, and still not whole.",
    ),
    Step(
        order=VANILLA,
        webhook="and the colonia: the same bytes",
        topic="order/updated",
        changes={"updated_at": "2026-11-20T17:30:00+0000"},
        response="duplicate",
        lesson="A repeat or news, nothing tells which: it was fetched again, and was whole.",
    ),
)
