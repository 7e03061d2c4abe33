"""The steps of the demo: each a webhook, and its expected result. The orders are in `demo_data`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.sandbox.demo_data import (
    AGAVE,
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
    """A webhook, and its expected result."""

    order: DemoOrder
    webhook: str  # a description
    lesson: str  # what the result shows
    topic: str | None = None  # None: the storefront's topic for a paid order
    changes: Mapping[str, Any] = field(default_factory=dict)  # to the order's payload, by path
    headers: Mapping[str, str] = field(default_factory=dict)
    is_forged: bool = False
    is_lost: bool = False  # nothing is posted: only the shop's API has the order
    response: str = "accepted"  # or "duplicate", "ignored", "caught up", or a status other than 200
    state: str | None = "delivered"  # None: no delivery is expected
    reason: str | None = None
    attempts: int = 1

    @property
    def payload(self) -> dict[str, Any]:
        return with_changes(self.order.payload, self.changes)

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a step, according to the service."""

    response: str
    ignore_reason: str | None = None  # why the event was ignored
    delivery: Mapping[str, Any] | None = None  # of the order, as in `/api/deliveries`

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
        """Return the differences from what the step expects."""
        expected_attempts = step.attempts if step.state else 0
        failures = []
        if self.response != step.response:
            failures.append(f"the response was “{self.response}”, not “{step.response}”")
        if (self.state, self.reason) != (step.state, step.reason):
            expected, actual = describe_state(step.state, step.reason), describe_state(self.state, self.reason)
            failures.append(f"it should be {expected}, but is {actual}")
        if self.attempts != expected_attempts:
            failures.append(f"it has {self.attempts} attempts, not {expected_attempts}")
        return failures


def describe_state(state: str | None, reason: str | None) -> str:
    """Describe a delivery's state: "parked: uncertain"."""
    return ": ".join(filter(None, [state, reason])) or "not forwarded"


STEPS = (
    Step(
        order=COFFEE,
        webhook="a paid order from Mexico",
        lesson="Rayo wants street, number, flat and colonia separately; Shopify has two lines for them.",
    ),
    Step(
        order=YERBA,
        webhook="a paid order from Argentina",
        lesson="WooCommerce's prices exclude tax, LaPyme's include it: the totals agree to the centavo.",
    ),
    Step(
        order=MATES,
        webhook="3 mates with a discount",
        lesson="The price paid is not divisible by 3: two lines, a centavo apart, give the exact sum.",
    ),
    Step(
        order=MOLE,
        webhook="a paid order, status “processing”",
        lesson="WooCommerce has no topic for “paid”: the order's status shows it.",
    ),
    Step(
        order=COFFEE,
        webhook="the first webhook again",
        response="duplicate",
        lesson="Platforms repeat webhooks. Answered with 200 and counted; nothing was sent again.",
    ),
    Step(
        order=FORGED,
        webhook="signed with another secret",
        is_forged=True,
        response="401",
        state=None,
        lesson="It was not the store that sent it: rejected, and nothing was recorded.",
    ),
    Step(
        order=SHAWL,
        webhook="paid, but without the colonia",
        changes={"shipping_address.address2": "Depto 4"},
        state="parked",
        reason="unmappable",
        attempts=0,
        lesson="Nothing is made up and nothing was sent: the order waits, and shows what is missing.",
    ),
    Step(
        order=SHAWL,
        webhook="the shop added the colonia",
        topic="orders/updated",
        changes={"updated_at": "2026-11-20T10:40:00-06:00"},
        lesson="The newer version of the order was sent automatically.",
    ),
    Step(
        order=HAMMOCK,
        webhook="paid; Rayo's response gets lost",
        state="parked",
        reason="uncertain",
        lesson="Rayo may have it, and supports no idempotency key: only a person may send it again.",
    ),
    Step(
        order=SWEETS,
        webhook="paid; LaPyme's response gets lost",
        attempts=2,
        lesson="LaPyme supports idempotency keys, so it was sent again: two attempts, one order.",
    ),
    Step(
        order=AGAVE,
        webhook="paid; its webhook gets lost",
        is_lost=True,
        response="caught up",
        lesson="WooCommerce never repeats a webhook: the order was read from the shop's own list.",
    ),
    Step(
        order=CANCELLED,
        webhook="cancelled before it was paid",
        topic="orders/cancelled",
        changes={"cancelled_at": "2026-11-20T10:20:00-06:00", "updated_at": "2026-11-20T10:20:00-06:00"},
        response="ignored",
        state=None,
        lesson="There was nothing to cancel yet, but it was recorded.",
    ),
    Step(
        order=CANCELLED,
        webhook="its “paid”, arriving late",
        response="ignored",
        state=None,
        lesson="Webhooks arrive in any order. A cancelled order is never sent automatically.",
    ),
    Step(
        order=TEST_NOTIFICATION,
        webhook="Shopify's test notification",
        headers={"X-Shopify-Test": "true"},
        response="ignored",
        state=None,
        lesson="It looks like an order but is not: recorded, never forwarded.",
    ),
    Step(
        order=PONCHO,
        webhook="a paid order from Argentina",
        lesson="Centelar requires who paid and how: the DNI is in a note, and “Mercado Pago” is known.",
    ),
    Step(
        order=OLIVES,
        webhook="paid by Mercado Pago",
        lesson="Items, shipping and payment must add up to the price, or the order is not sent.",
    ),
    Step(
        order=WINE,
        webhook="paid by bank transfer",
        changes={"payment_method": "bacs", "payment_method_title": "Transferencia bancaria"},
        state="parked",
        reason="unmappable",
        attempts=0,
        lesson="Only the merchant knows which of three types a transfer is: add a row, then retrigger.",
    ),
    Step(
        order=LOOM,
        webhook="paid, without the order's data",
        lesson="Tiendanube's webhooks only have an order's id: the order was fetched from the shop.",
    ),
    Step(
        order=GOURD,
        webhook="paid, with an overall discount",
        lesson="LaPyme wants a price per product: the discount was allocated to them, to the centavo.",
    ),
    Step(
        order=ALFAJOR,
        webhook="paid by Mercado Pago",
        changes={"gateway": "mercadopago", "gateway_name": "Mercado Pago"},
        lesson="Tiendanube has one field for the name, Centelar two: it was split at the first space.",
    ),
    Step(
        order=VANILLA,
        webhook="paid, with half an address",
        changes={"shipping_address.locality": "", "shipping_address.number": ""},
        state="parked",
        reason="unmappable",
        attempts=0,
        lesson="Everything that is missing is reported at once, so that the shop can add it.",
    ),
    Step(
        order=VANILLA,
        webhook="the shop added the street number",
        topic="order/updated",
        changes={"shipping_address.locality": "", "updated_at": "2026-11-20T17:20:00+0000"},
        state="parked",
        reason="unmappable",
        attempts=0,
        lesson="It was fetched again, and is still incomplete.",
    ),
    Step(
        order=VANILLA,
        webhook="and the colonia: the same bytes",
        topic="order/updated",
        changes={"updated_at": "2026-11-20T17:30:00+0000"},
        response="duplicate",
        lesson="It may be a repeat or an update, so it was fetched again, and is complete now.",
    ),
)
