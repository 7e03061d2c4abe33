"""The shops: each order as it is there, whether its webhooks come or not."""

import json

from connector.sandbox.state import Sandbox
from tests.model.model import Order
from tests.model.webhooks import STORES, Webhook

#: What can happen to an order without a webhook. A deletion moves it to where the shop's API does not list it.
UNHEARD_KINDS = ["paid", "paid", "updated", "unpaid", "unmappable", "cancelled", "cancelled", "created"]
#: Both platforms' APIs are at the shop's own address, and have no number for it.
SHOP_ID = "1"


class Shops:
    """The newest version of each order, which the sandbox's API lists."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.dead: set[str] = set()  # stores that send no webhooks
        self._sandbox = sandbox
        self._versions: dict[tuple[str, int], Webhook] = {}  # what a webhook about it says
        self._deleted: set[tuple[str, int]] = set()  # for good: what is restored is not listed either

    def change(self, webhook: Webhook) -> None:
        """Make this version of an order, unless the shop has one of the same minute or a newer one."""
        storefront, payload = STORES[webhook.store].storefront, json.loads(webhook.body)
        current = self._versions.get(webhook.order)
        if webhook.kind == "deleted":
            self._deleted.add(webhook.order)
            self._sandbox.remove_order(storefront, SHOP_ID, str(payload["id"]))
        elif current is None or webhook.minute > current.minute:
            self._versions[webhook.order] = webhook
            if webhook.order not in self._deleted:
                self._sandbox.put_order(storefront, SHOP_ID, payload)

    def listed(self, store: str) -> dict[tuple[str, int], Webhook]:
        """Return the store's orders that the API lists."""
        return {
            order: version
            for order, version in self._versions.items()
            if version.store == store and order not in self._deleted
        }


def check_accounted_for(version: Webhook, order: Order) -> None:
    """Check that an order that was just read from the shop is on record as it is there."""
    event = version.event()
    newest = order.newest()
    if newest is None and not event.says_paid:
        return  # not paid, and nobody ever heard of it
    assert newest is not None, "a paid order of the shop is not on record"
    is_same_problem = newest.content == event.content == "unmappable"
    assert newest.minute >= event.minute or is_same_problem, "the shop changed the order, and that is not on record"
    is_cancelled = any(other.cancels and other.minute >= event.minute for other in order.events)
    if event.says_paid and not event.cancels and not is_cancelled:
        assert order.delivery is not None, "a paid order of the shop has no delivery"


def is_needed(version: Webhook, order: Order) -> bool:
    """Return whether catch-up has a reason to take the shop's version in."""
    newest = order.newest()
    return newest is None or newest.sku != version.sku
