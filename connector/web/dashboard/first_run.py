"""What the overview shows until the first webhook comes: the addresses to enter in the stores, and what is missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import request, url_for

from connector.database.coordination import is_worker_running
from connector.operations.store_status import StoreStatus
from connector.runtime import Runtime
from connector.web.dashboard.i18n import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreGuide:
    """How one store sends its first order."""

    status: StoreStatus
    webhook_url: str
    steps: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem:
    text: str
    is_done: bool
    is_needed: bool = True  # orders do not arrive without it
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    stores: list[StoreGuide]
    checklist: list[ChecklistItem]


def describe_first_run(runtime: Runtime, stores: Sequence[StoreStatus]) -> FirstRun:
    return FirstRun(
        stores=[
            StoreGuide(status=status, webhook_url=find_webhook_url(status), steps=list(list_steps(status)))
            for status in stores
        ],
        checklist=list(build_checklist(runtime, stores)),
    )


def find_webhook_url(status: StoreStatus) -> str:
    """Return where the store's webhooks go: at `public_url`, else at the address under which the page was opened."""
    return status.webhook_url or f"{request.url_root}webhooks/{status.name}"


def list_steps(status: StoreStatus) -> Iterator[str]:
    """Yield how to make the webhook, and how to send a test order."""
    match status.store.storefront:
        case "shopify":
            yield _(
                "Shopify: Settings > Notifications > Webhooks > Create webhook, event “Order payment”, format JSON."
            )
            yield _(
                "The signing secret below Shopify's list of webhooks must be in secrets of [stores.%(store)s].",
                store=status.name,
            )
            yield _(
                "“Send test notification” shows whether the signature fits: it appears under Events, as ignored. A "
                "test order with the Bogus gateway goes all the way."
            )
        case "woocommerce":
            yield _("WooCommerce > Settings > Advanced > Webhooks > Add webhook: status Active, topic “Order updated”.")
            yield _("Its secret must be in secrets of [stores.%(store)s].", store=status.name)
            yield _("Place an order and set it to “Processing”: it counts as paid, and is sent.")
        case "tiendanube":
            yield _(
                "Tiendanube creates webhooks only through its API: set api_token, store_id and public_url, and run "
                "connector webhooks sync --store %(store)s.",
                store=status.name,
            )
            yield _("Place an order with a manual payment method and mark it as paid.")
        case storefront:
            yield _("Create a webhook for paid orders in %(storefront)s, with this address.", storefront=storefront)
    if status.has_webhook_api and status.webhook_url:
        yield _("Or open the store's page and click “Repair webhooks”: the connector creates what is missing.")


def build_checklist(runtime: Runtime, stores: Sequence[StoreStatus]) -> Iterator[ChecklistItem]:
    settings = runtime.settings
    yield ChecklistItem(
        text=_("A worker is running and sends what arrives."), is_done=is_worker_running(runtime.database)
    )
    for status in stores:
        text = _("A route sends the orders of %(store)s to an account.", store=status.name)
        yield ChecklistItem(text=text, is_done=bool(settings.routes_of(status.store.id)))
    for account in settings.accounts.values():
        text = _("Test the connection of account %(account)s.", account=account.name)
        yield ChecklistItem(text=text, is_done=False, is_needed=False, url=url_for("accounts.show"))
    text = _("public_url is the address under which stores reach this service, over HTTPS.")
    yield ChecklistItem(text=text, is_done=settings.public_url is not None, is_needed=False)
    for status in stores:
        text = _("Access to the API of %(store)s: orders whose webhook is lost are found.", store=status.name)
        url = url_for("stores.show", store_name=status.name)
        yield ChecklistItem(text=text, is_done=status.store.has_api, is_needed=False, url=url)
