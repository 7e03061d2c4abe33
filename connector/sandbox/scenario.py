"""What the demo plays: its configuration, its orders, and step by step what each webhook must lead to. It runs nothing.

A new storefront or destination joins by a store or an account in `CONFIGURATION`, and an order or two in `STEPS`.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from string import Template
from typing import Any

from connector.sandbox.faults import Kind
from connector.sandbox.storefronts import read_sample

#: Every account is named as its destination, so that the demo reads "from store to destination".
CONFIGURATION = Template("""\
# Written by `connector demo`: shops of invented people. The destinations are played by the sandbox.

[stores.shopify-mx]
storefront = "shopify"
secrets = ["$secret"]

[stores.shopify-ar]
storefront = "shopify"
secrets = ["$secret"]
document_from = "note_attributes:dni"

[stores.woo-mx]
storefront = "woocommerce"
secrets = ["$secret"]

[stores.woo-ar]
storefront = "woocommerce"
secrets = ["$secret"]

[stores.shopify-sur]
storefront = "shopify"
secrets = ["$secret"]
document_from = "note_attributes:dni"

[stores.woo-sur]
storefront = "woocommerce"
secrets = ["$secret"]

[accounts.rayo]
destination = "rayo"
base_url = "$sandbox/rayo"
api_key = "demo"
timeout_s = 5

[accounts.lapyme]
destination = "lapyme"
base_url = "$sandbox/lapyme"
api_key = "demo"
customer_id = "b7d1f0a2-6f0c-4a55-9b1e-2f6a3f1c0d11"
assigned_warehouse_id = "0f4c9a7e-3d52-4f6b-8c21-7a9e5b2d4c33"
timeout_s = 5
retry_first_s = 0.3

[accounts.centelar]
destination = "centelar"
base_url = "$sandbox/centelar"
connection_id = 1
ext_code = "{store}-{order_id}"
timeout_s = 5

[[routes]]
from = "shopify-mx"
to = ["rayo"]

[[routes]]
from = "woo-mx"
to = ["rayo"]

[[routes]]
from = "shopify-ar"
to = ["lapyme"]

[[routes]]
from = "woo-ar"
to = ["lapyme"]

[[routes]]
from = "shopify-sur"
to = ["centelar"]

[[routes]]
from = "woo-sur"
to = ["centelar"]
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOrder:
    """One order of the demo."""

    store: str
    account: str
    order_id: str
    number: str  # as the merchant sees it
    sku: str  # no other order has it: it finds this one in what the destination received
    payload: Mapping[str, Any]
    times_there: int = 1  # how often its destination must have it in the end
    fault: Kind | None = None  # how its destination misbehaves, once


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
    answer: str = "accepted"  # or "duplicate", "ignored", or a status other than 200
    state: str | None = "delivered"  # None: there must be no delivery
    reason: str | None = None
    attempts: int = 1

    @property
    def body(self) -> bytes:
        return json.dumps(with_changes(self.order.payload, self.changes)).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a step, as the service itself tells it."""

    answer: str
    why: str | None = None  # why the event is ignored
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

    def faults(self, step: Step) -> list[str]:
        """Return where this is not what `step` must lead to."""
        wanted_attempts = step.attempts if step.state else 0
        faults = []
        if self.answer != step.answer:
            faults.append(f"the answer was “{self.answer}”, not “{step.answer}”")
        if (self.state, self.reason) != (step.state, step.reason):
            faults.append(f"it should be {tell(step.state, step.reason)}, and is {tell(self.state, self.reason)}")
        if self.attempts != wanted_attempts:
            faults.append(f"its attempts are {self.attempts}, not {wanted_attempts}")
        return faults


def tell(state: str | None, reason: str | None) -> str:
    """Return a delivery's state in words: "parked: uncertain"."""
    return ": ".join(filter(None, [state, reason])) or "not forwarded"


def with_changes(payload: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `payload` with other values at dotted paths: `line_items.0.sku`."""
    changed = deepcopy(dict(payload))
    for path, value in changes.items():
        *steps, last = path.split(".")
        place: Any = changed
        for step in steps:
            place = place[int(step) if isinstance(place, list) else step]
        place[last] = value
    return changed


def shopify_order(sample: str, number: int, name: str, sku: str, product: str, **facts: Any) -> DemoOrder:
    """Return a sample of Shopify's as the order of another person for another product."""
    order_id = 5_812_345_000_000 + number
    first_name, _, last_name = name.partition(" ")
    changes = {
        "id": order_id,
        "name": f"#{number}",
        "order_number": number,
        "line_items.0.sku": sku,
        "line_items.0.name": product,
        "line_items.0.title": product,
    }
    for address in ("shipping_address", "billing_address"):
        changes |= {f"{address}.first_name": first_name, f"{address}.last_name": last_name, f"{address}.name": name}
    payload = with_changes(json.loads(read_sample(sample)), changes)
    return DemoOrder(order_id=str(order_id), number=f"#{number}", sku=sku, payload=payload, **facts)


def woo_order(sample: str, number: int, name: str, sku: str, product: str, **facts: Any) -> DemoOrder:
    """Return a sample of WooCommerce's as the order of another person for another product."""
    first_name, _, last_name = name.partition(" ")
    changes = {"id": number, "number": str(number), "line_items.0.sku": sku, "line_items.0.name": product}
    for address in ("shipping", "billing"):
        changes |= {f"{address}.first_name": first_name, f"{address}.last_name": last_name}
    payload = with_changes(json.loads(read_sample(sample)), changes)
    return DemoOrder(order_id=str(number), number=str(number), sku=sku, payload=payload, **facts)


TO_RAYO: Mapping[str, Any] = {"store": "shopify-mx", "account": "rayo"}
WOO_TO_RAYO: Mapping[str, Any] = {"store": "woo-mx", "account": "rayo"}
TO_LAPYME: Mapping[str, Any] = {"store": "shopify-ar", "account": "lapyme"}
WOO_TO_LAPYME: Mapping[str, Any] = {"store": "woo-ar", "account": "lapyme"}
TO_CENTELAR: Mapping[str, Any] = {"store": "shopify-sur", "account": "centelar"}
WOO_TO_CENTELAR: Mapping[str, Any] = {"store": "woo-sur", "account": "centelar"}
LOST_REPLY: Mapping[str, Any] = {"fault": Kind.PROCESS_THEN_DROP}
NEVER_THERE: Mapping[str, Any] = {"times_there": 0}

COFFEE = shopify_order("shopify", 1001, "Ximena Robles", "CAFE-CHIAPAS", "Café de Chiapas 1 kg", **TO_RAYO)
YERBA = woo_order("woocommerce", 2001, "Tobías Ferreyra", "YERBA-FUERTE", "Yerba mate fuerte 1 kg", **WOO_TO_LAPYME)
MATES = shopify_order("shopify-ar", 3001, "Abril Quiroga", "MATE-ALGARROBO", "Mate de algarrobo", **TO_LAPYME)
MOLE = woo_order("woocommerce-mx", 4001, "Damián Cantú", "MOLE-ROJO", "Mole rojo 1 kg", **WOO_TO_RAYO)
FORGED = shopify_order("shopify", 1002, "Iker Lozano", "TEQUILA", "Tequila reposado", **TO_RAYO, **NEVER_THERE)
SHAWL = shopify_order("shopify", 1003, "Renata Villaseñor", "REBOZO-AZUL", "Rebozo azul", **TO_RAYO)
HAMMOCK = woo_order("woocommerce-mx", 4002, "Emiliano Garza", "HAMACA", "Hamaca doble", **WOO_TO_RAYO, **LOST_REPLY)
SWEETS = woo_order("woocommerce", 2002, "Malena Ibarra", "DULCE", "Dulce de leche", **WOO_TO_LAPYME, **LOST_REPLY)
REGRETTED = shopify_order("shopify", 1004, "Fermín Ochoa", "COMAL", "Comal de barro", **TO_RAYO, **NEVER_THERE)
TRIED = shopify_order("shopify", 9999, "Prueba Shopify", "PRUEBA", "Producto de prueba", **TO_RAYO, **NEVER_THERE)
PONCHO = shopify_order("shopify-ar", 3002, "Nahuel Sosa", "PONCHO", "Poncho salteño", **TO_CENTELAR)
WINE = woo_order("woocommerce", 2003, "Delfina Roca", "VINO", "Vino Malbec", **WOO_TO_CENTELAR, **NEVER_THERE)

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
        answer="duplicate",
        lesson="Platforms repeat themselves. It was answered 200 and counted; nothing went out again.",
    ),
    Step(
        order=FORGED,
        webhook="signed with another secret",
        is_forged=True,
        answer="401",
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
        order=REGRETTED,
        webhook="cancelled before it was paid",
        topic="orders/cancelled",
        changes={"cancelled_at": "2026-11-20T10:20:00-06:00", "updated_at": "2026-11-20T10:20:00-06:00"},
        answer="ignored",
        state=None,
        lesson="There was nothing to stop yet, but it is remembered.",
    ),
    Step(
        order=REGRETTED,
        webhook="its “paid”, arriving late",
        answer="ignored",
        state=None,
        lesson="Webhooks come in any order. What was cancelled never goes out by itself.",
    ),
    Step(
        order=TRIED,
        webhook="Shopify's test notification",
        headers={"X-Shopify-Test": "true"},
        answer="ignored",
        state=None,
        lesson="It looks like an order and is none: recorded, never forwarded.",
    ),
    Step(
        order=PONCHO,
        webhook="a paid order from Argentina",
        lesson="Centelar asks who paid and how: a note says the DNI, and “Mercado Pago” is known.",
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
)
