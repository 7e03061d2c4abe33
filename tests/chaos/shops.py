"""The stores of a run and their orders, planned from the seed. Nothing is posted here."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.sandbox.webhook_sender import parse_json_object, read_sample
from mappings import STOREFRONTS
from mappings.storefront import Storefront

SECRET = "chaos-secret"  # of a store: this, and its name
#: Of the webhooks, this share is lost on the way: it is neither sent nor repeated.
LOST_SHARE = 1 / 5
#: Between two changes of an order: platforms write whole seconds, and two versions of one second cannot be told apart.
BETWEEN_CHANGES_S = 1.2
#: Stands in the SKU of an order's first line, and so in every body that is made of the order, whatever the contract.
MARK = re.compile(r"PIEZA-([0-9]+)-V([0-9]+)")

#: What happens to an order, in the order in which the webhooks come: word, version, earliest and latest second after
#: the one before it. The shop made the versions in the order of their numbers. "paid" comes as the platform's own topic
#: where it has one.
Script = Sequence[tuple[str, int, float, float]]
SCRIPTS: Sequence[tuple[int, Script]] = (  # how often, of 100
    (54, [("paid", 1, 0, 0)]),
    (10, [("created", 1, 0, 0), ("paid", 2, 0.0, 4)]),
    (12, [("paid", 1, 0, 0), ("updated", 2, 0.0, 8)]),
    (7, [("paid", 1, 0, 0), ("updated", 3, 0.0, 4), ("updated", 2, 0.0, 4)]),  # an older version comes late
    (5, [("updated", 2, 0, 0), ("paid", 1, 0.0, 3)]),
    (8, [("paid", 1, 0, 0), ("cancelled", 2, 0.0, 6)]),
    (4, [("cancelled", 2, 0, 0), ("paid", 1, 0.0, 3)]),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    store: str
    platform: "Platform"
    sample: str  # of the sandbox's
    first_id: int  # of its orders
    destinations: Mapping[str, str]  # account to destination, as the routes have it
    api_id: int = 1  # its number at the platform's API, if that has more than one shop


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """How a platform reports orders."""

    storefront: Storefront[Any]
    topics: Mapping[str, str]  # of the words of a script
    #: Takes the sample, the word, whether it is paid, and its times, and makes the order as the platform writes it.
    write: Callable[[dict[str, Any], str, bool, "OrderTimes"], None]
    line_key: str
    answers_within_s: float
    repeats: bool  # what was not answered 200, unless the run has platforms that never do
    disables_after: int | None = None  # so many failures in a row, for good
    tells_paid: bool = False  # every event of a paid order says "paid", because the platform has no other topic
    is_thin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEvent:
    word: str
    version: int
    #: When its webhook is sent, after the start. Several: the platform sends it more than once. Empty: it is lost.
    due_s: tuple[float, ...]
    changed_s: float = 0.0  # when the shop makes this version, after the start


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTimes:
    """When the shop created the order and made this version of it, in whole seconds."""

    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    shop: Shop
    number: int  # no other order of the run has it
    events: tuple[PlannedEvent, ...]

    @property
    def order_id(self) -> str:
        return str(self.shop.first_id + self.number)

    def is_wanted(self, event: PlannedEvent) -> bool:
        """Return whether a route matches the event. All routes match paid orders."""
        if event.word == "paid":
            return True
        return self.shop.platform.tells_paid and self.is_paid(event) and event.word != "cancelled"

    def is_paid(self, event: PlannedEvent) -> bool:
        return event.word != "created"

    def write(self, event: PlannedEvent, times: OrderTimes) -> dict[str, Any]:
        """Return the order as it is in the shop after this event."""
        platform = self.shop.platform
        order = deepcopy(dict(parse_json_object(read_sample(self.shop.sample))))
        order |= {"id": int(self.order_id), "number": self.number}
        order[platform.line_key][0]["sku"] = f"PIEZA-{self.number}-V{event.version}"
        platform.write(order, event.word, self.is_paid(event), times)
        return order


def write_shopify(order: dict[str, Any], word: str, is_paid: bool, times: OrderTimes) -> None:
    created_at, changed_at = times.created_at.isoformat(), times.changed_at.isoformat()
    order |= {"name": f"#{order['number']}", "order_number": order["number"]}
    order |= {"created_at": created_at, "processed_at": created_at, "updated_at": changed_at}
    order |= {"financial_status": "paid" if is_paid else "pending"}
    order |= {"cancelled_at": changed_at if word == "cancelled" else None}


def write_woocommerce(order: dict[str, Any], word: str, is_paid: bool, times: OrderTimes) -> None:
    created_at, changed_at = (f"{at:%Y-%m-%dT%H:%M:%S}" for at in (times.created_at, times.changed_at))
    order |= {"number": str(order["number"]), "date_created_gmt": created_at, "date_modified_gmt": changed_at}
    order |= {"date_paid_gmt": created_at if is_paid else None}
    order |= {"status": "cancelled" if word == "cancelled" else "processing" if is_paid else "pending"}


def write_tiendanube(order: dict[str, Any], word: str, is_paid: bool, times: OrderTimes) -> None:
    created_at, changed_at = (f"{at:%Y-%m-%dT%H:%M:%S+0000}" for at in (times.created_at, times.changed_at))
    order |= {"created_at": created_at, "updated_at": changed_at, "paid_at": created_at if is_paid else None}
    order |= {"payment_status": "paid" if is_paid else "pending"}
    if word == "cancelled":
        order |= {"status": "cancelled", "cancelled_at": changed_at}


#: How long each waits for an answer, and whether it sends again: docs/storefronts.md has the vendors' pages.
#: Tiendanube and WooCommerce really wait longer than this, and none sends again as soon as a run of minutes needs.
SHOPIFY = Platform(
    storefront=STOREFRONTS["shopify"],
    topics={
        "created": "orders/create",
        "paid": "orders/paid",
        "updated": "orders/updated",
        "cancelled": "orders/cancelled",
    },
    write=write_shopify,
    line_key="line_items",
    answers_within_s=5,
    repeats=True,
)
WOOCOMMERCE = Platform(
    storefront=STOREFRONTS["woocommerce"],
    topics={
        "created": "order.created",
        "paid": "order.updated",
        "updated": "order.updated",
        "cancelled": "order.updated",
    },
    write=write_woocommerce,
    line_key="line_items",
    answers_within_s=15,
    repeats=False,
    disables_after=7,  # seen on WooCommerce 10.0.2 and 10.5.0, 2026-11-30
    tells_paid=True,
)
TIENDANUBE = Platform(
    storefront=STOREFRONTS["tiendanube"],
    topics={
        "created": "order/created",
        "paid": "order/paid",
        "updated": "order/updated",
        "cancelled": "order/cancelled",
    },
    write=write_tiendanube,
    line_key="products",
    answers_within_s=10,
    repeats=True,
    is_thin=True,
)

CAFE = Shop(
    store="cafe-mx", platform=SHOPIFY, sample="shopify", first_id=5_500_000_000_000, destinations={"bodega": "rayo"}
)
YERBA = Shop(
    store="yerba-ar", platform=WOOCOMMERCE, sample="woocommerce", first_id=700_000, destinations={"erp": "lapyme"}
)
MATE = Shop(
    store="mate-ar",
    platform=TIENDANUBE,
    sample="tiendanube",
    first_id=1_650_000_000,
    destinations={"hub": "centelar"},
    api_id=5120066,
)
DOBLE = Shop(
    store="doble-ar",
    platform=SHOPIFY,
    sample="shopify-ar",
    first_id=5_800_000_000_000,
    destinations={"erp-dos": "lapyme", "hub-dos": "centelar"},
)


def plan_orders(
    seed: int, shops: Sequence[Shop], count: int, seconds: float, *, lost_share: float = 0.0
) -> list[PlannedOrder]:
    """Return `count` orders placed over this many seconds. A third of their webhooks are sent twice.

    Args:
        lost_share: of the webhooks are lost on the way.
    """
    rng = random.Random(f"orders {seed}")  # noqa: S311  # no secret hangs on it
    weights = [weight for weight, _ in SCRIPTS]
    scripts = [script for _, script in SCRIPTS]
    orders = []
    for number in range(1, count + 1):
        shop = rng.choice(shops)
        [script] = rng.choices(scripts, weights)
        at = rng.uniform(0, seconds) + BETWEEN_CHANGES_S * (len(script) - 1)
        posts: dict[int, tuple[float, ...]] = {}
        for _, version, earliest_s, latest_s in script:
            at += rng.uniform(earliest_s, latest_s)
            again = [at + rng.choice([0.0, rng.uniform(0, 10)])] if rng.random() < 1 / 3 else []
            posts[version] = (at, *again)
        changed_s = plan_changes({version: due_s[0] for version, due_s in posts.items()})
        events = [
            PlannedEvent(
                word=word,
                version=version,
                due_s=() if lost_share and rng.random() < lost_share else posts[version],
                changed_s=changed_s[version],
            )
            for word, version, _, _ in script
        ]
        orders.append(PlannedOrder(shop=shop, number=number, events=tuple(events)))
    return orders


def plan_changes(due_s: Mapping[int, float]) -> dict[int, float]:
    """Return when the shop makes each version: in the order of their numbers, and before its webhook is sent."""
    changed_s: dict[int, float] = {}
    latest_s = float("inf")
    for version in sorted(due_s, reverse=True):
        changed_s[version] = min(due_s[version], latest_s)
        latest_s = changed_s[version] - BETWEEN_CHANGES_S
    return changed_s


def plan_deaths(seed: int, shops: Sequence[Shop], seconds: float) -> dict[str, float]:
    """Return the store whose webhooks die for good, and when. None if there is only one store."""
    rng = random.Random(f"deaths {seed}")  # noqa: S311
    candidates = [shop.store for shop in shops if shop.platform.disables_after is None]
    return {rng.choice(candidates): rng.uniform(0.3, 0.7) * seconds} if len(shops) > 1 and candidates else {}
