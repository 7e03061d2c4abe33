"""Webhooks by API against the sandbox's storefronts: made, repaired, removed, and no stranger's touched."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.database.queries.audit import list_trail
from connector.database.store_status import load_webhook_checks
from connector.operations.webhooks import (
    WebhooksReport,
    list_webhooks,
    remove_webhooks,
    repair_webhooks,
    sync_webhooks,
)
from connector.sandbox.registered_webhooks import StoreWebhook
from connector.sandbox.server import SandboxServer
from mappings.settings import Store
from mappings.webhook_api import WebhookState
from tests.support.orders import SHOPIFY_SECRET, shopify_order, woo_order
from tests.support.service import Service
from tests.support.thin_webhooks import tiendanube_order
from tests.support.webhook_shops import answer_everything, configuration, free_url, redirect_to, serve

WOO_TOPICS = ["order.created", "order.deleted", "order.restored", "order.updated"]
pytestmark = pytest.mark.sqlite
HOOKS_OF_A_STRANGER = "https://hooks.example/services/ficha-secreta"


@pytest.fixture
def service(open_service: Callable[..., Service], sandbox: SandboxServer) -> Iterator[Service]:
    """A service that listens at its `public_url`."""
    service = open_service(text=configuration(sandbox.url(), free_url()))
    with serve(service.runtime):
        yield service


@pytest.fixture
def silent_service(open_service: Callable[..., Service], sandbox: SandboxServer) -> Service:
    """A service whose `public_url` does not answer."""
    return open_service(text=configuration(sandbox.url(), free_url()))


def woo(service: Service) -> Store:
    return service.runtime.settings.stores["tienda-ar"]


def address(service: Service, store: str = "tienda-ar") -> str:
    return f"{service.runtime.settings.public_url}/webhooks/{store}"


def states(report: WebhooksReport) -> dict[str, WebhookState]:
    return {status.topic: status.state for status in report.statuses}


def codes(report: WebhooksReport | None) -> list[str]:
    assert report is not None
    return [problem.code for problem in [*([report.error] if report.error else []), *report.problems]]


def registered(service: Service, storefront: str = "woocommerce") -> list[StoreWebhook]:
    store_id = "4410733" if storefront == "tiendanube" else ""
    return service.sandbox.webhooks.find_all(storefront, store_id)


def add_woo(service: Service, topic: str = "order.updated", url: str | None = None, **values: object) -> StoreWebhook:
    return service.sandbox.webhooks.add("woocommerce", "", topic=topic, url=url or address(service), **values)


def test_sync_makes_each_webhook_once_and_orders_arrive(service: Service) -> None:
    first = sync_webhooks(service.runtime, woo(service))
    second = sync_webhooks(service.runtime, woo(service))
    assert first.is_complete
    assert (len(first.changes), second.changes) == (4, [])
    assert sorted(webhook.topic for webhook in registered(service)) == WOO_TOPICS
    assert {webhook.url for webhook in registered(service)} == {address(service)}

    service.sandbox.put_order("woocommerce", "", woo_order())
    assert service.sandbox.webhooks.wait_until_idle()
    service.drain()
    assert len(service.sandbox.orders("lapyme")) == 1


def test_dry_run_changes_nothing(service: Service) -> None:
    report = sync_webhooks(service.runtime, woo(service), is_dry_run=True)
    assert [change.topic for change in report.changes] == [
        "order.created",
        "order.updated",
        "order.restored",
        "order.deleted",
    ]
    assert registered(service) == []
    assert not report.is_complete
    assert load_webhook_checks(service.database) == {}


def test_list_changes_nothing(service: Service) -> None:
    add_woo(service, "order.created")
    report = list_webhooks(service.runtime, woo(service))
    assert states(report) == {
        "order.created": WebhookState.OK,
        "order.updated": WebhookState.MISSING,
        "order.restored": WebhookState.MISSING,
        "order.deleted": WebhookState.MISSING,
    }
    assert len(registered(service)) == 1


def test_webhooks_of_all_pages_count(service: Service) -> None:
    for _ in range(120):
        add_woo(service, "product.updated", HOOKS_OF_A_STRANGER)
    sync_webhooks(service.runtime, woo(service))
    assert sync_webhooks(service.runtime, woo(service)).changes == []
    assert len(registered(service)) == 124


def test_strangers_are_named_and_never_touched(service: Service) -> None:
    strangers = [
        add_woo(service, "order.updated", HOOKS_OF_A_STRANGER),
        add_woo(service, "order.created", HOOKS_OF_A_STRANGER, status="disabled"),
        add_woo(service, "order.updated", address(service, "tienda-ar-2")),
    ]
    report = sync_webhooks(service.runtime, woo(service))
    foreign = [status.webhook for status in report.statuses if status.state is WebhookState.FOREIGN]
    assert sorted(webhook.id for webhook in foreign if webhook) == sorted(str(webhook.id) for webhook in strangers)
    removed = remove_webhooks(service.runtime, woo(service), actor="ana")
    assert len(removed.changes) == 4
    assert registered(service) == strangers
    assert [webhook.status for webhook in strangers] == ["active", "disabled", "active"]


def test_disabled_webhook_is_made_anew_before_the_old_one_is_deleted(service: Service) -> None:
    sync_webhooks(service.runtime, woo(service))
    [old] = [webhook for webhook in registered(service) if webhook.topic == "order.updated"]
    old.status, old.failures = "disabled", 6
    report = repair_webhooks(service.runtime, woo(service))
    assert report is not None
    assert report.is_complete
    [new] = [webhook for webhook in registered(service) if webhook.topic == "order.updated"]
    assert new.id > old.id
    assert (new.status, new.failures) == ("active", 0)
    changes = [request.method for request in service.sandbox.requests("woocommerce") if request.method != "GET"]
    assert changes[-2:] == ["POST", "DELETE"]


def test_old_webhook_stays_if_the_new_one_cannot_be_made(service: Service) -> None:
    old = add_woo(service, status="disabled", failures=6)
    service.sandbox.key_permissions["ck_clave:cs_secreto"] = "read"
    report = repair_webhooks(service.runtime, woo(service))
    assert codes(report) == ["webhook_not_changed"]
    assert old in registered(service)


def test_worker_changes_nothing_while_the_address_does_not_answer(silent_service: Service) -> None:
    old = add_woo(silent_service, status="disabled", failures=6)
    assert codes(repair_webhooks(silent_service.runtime, woo(silent_service))) == ["public_url_unreachable"]
    assert registered(silent_service) == [old]
    row = load_webhook_checks(silent_service.database)["tienda-ar"]
    assert row.error is not None
    assert row.error["code"] == "public_url_unreachable"
    assert row.managed_since is None


def test_person_may_make_webhooks_for_an_address_that_this_machine_does_not_reach(silent_service: Service) -> None:
    report = sync_webhooks(silent_service.runtime, woo(silent_service))
    assert report.is_complete
    assert [warning.code for warning in report.warnings] == ["public_url_not_reached"]
    assert len(registered(silent_service)) == 4


def test_key_that_may_only_read_is_told_from_a_wrong_one(service: Service) -> None:
    service.sandbox.key_permissions["ck_clave:cs_secreto"] = "read"
    report = sync_webhooks(service.runtime, woo(service))
    nested = [problem.params["error"] for problem in report.problems]
    assert {getattr(problem, "code", None) for problem in nested} == {"webhook_key_read_only"}
    service.sandbox.key_permissions["ck_clave:cs_secreto"] = "write"
    assert codes(sync_webhooks(service.runtime, woo(service))) == ["webhooks_credentials_rejected"]
    service.sandbox.key_permissions["ck_clave:cs_secreto"] = "no_manager"
    assert codes(list_webhooks(service.runtime, woo(service))) == ["webhooks_credentials_rejected"]


def test_webhook_of_an_old_host_is_moved_if_no_connector_answers_there(service: Service) -> None:
    sync_webhooks(service.runtime, woo(service))
    [webhook] = [webhook for webhook in registered(service) if webhook.topic == "order.updated"]
    webhook.url = f"{free_url()}/webhooks/tienda-ar"
    report = repair_webhooks(service.runtime, woo(service))
    assert report is not None
    assert report.is_complete
    assert webhook.url == address(service)


def test_webhook_of_another_living_connector_is_left_to_it(
    service: Service, open_service: Callable[..., Service]
) -> None:
    sync_webhooks(service.runtime, woo(service))
    other_url = free_url()
    [webhook] = [webhook for webhook in registered(service) if webhook.topic == "order.updated"]
    webhook.url = f"{other_url}/webhooks/tienda-ar"
    other = open_service(text=configuration(service.sandbox.url(), other_url))
    with serve(other.runtime):
        report = repair_webhooks(service.runtime, woo(service))
        assert report is not None
        assert states(report)["order.updated"] is WebhookState.ELSEWHERE
        assert webhook.url != address(service)
        assert sync_webhooks(service.runtime, woo(service)).is_complete  # a person asks for it
        assert webhook.url == address(service)


def test_repair_makes_missing_webhooks_only_after_a_sync(service: Service) -> None:
    repair_webhooks(service.runtime, woo(service))
    assert registered(service) == []
    sync_webhooks(service.runtime, woo(service))
    service.sandbox.webhooks.clear()
    report = repair_webhooks(service.runtime, woo(service))
    assert report is not None
    assert report.is_complete
    remove_webhooks(service.runtime, woo(service), actor="ana")
    repair_webhooks(service.runtime, woo(service))
    assert registered(service) == []


def test_repair_leaves_a_paused_webhook_to_its_merchant(service: Service) -> None:
    sync_webhooks(service.runtime, woo(service))
    [webhook] = [webhook for webhook in registered(service) if webhook.topic == "order.updated"]
    webhook.status = "paused"
    report = repair_webhooks(service.runtime, woo(service))
    assert report is not None
    assert states(report)["order.updated"] is WebhookState.PAUSED
    assert sync_webhooks(service.runtime, woo(service)).is_complete


def test_surplus_webhooks_are_deleted_by_sync(service: Service) -> None:
    sync_webhooks(service.runtime, woo(service))
    add_woo(service, url=address(service) + "/")
    assert [status.state for status in list_webhooks(service.runtime, woo(service)).statuses].count(
        WebhookState.DUPLICATE
    ) == 1
    report = sync_webhooks(service.runtime, woo(service))
    assert len(report.changes) == 1
    assert sorted(webhook.topic for webhook in registered(service)) == WOO_TOPICS


def test_problems_are_recorded_until_they_are_over(service: Service) -> None:
    add_woo(service, status="paused")
    repair_webhooks(service.runtime, woo(service))
    row = load_webhook_checks(service.database)["tienda-ar"]
    assert sorted(problem["code"] for problem in row.problems) == ["webhook_missing"] * 3 + ["webhook_paused"]
    service.clock.forward(60)
    repair_webhooks(service.runtime, woo(service))
    again = load_webhook_checks(service.database)["tienda-ar"]
    assert again.failed_since == row.failed_since
    assert again.checked_at is not None
    assert row.checked_at is not None
    assert again.checked_at > row.checked_at
    sync_webhooks(service.runtime, woo(service))
    row = load_webhook_checks(service.database)["tienda-ar"]
    assert (row.problems, row.error, row.failed_since) == ([], None, None)
    assert row.managed_since is not None


def test_address_where_something_else_answers_is_refused(
    service: Service, open_service: Callable[..., Service]
) -> None:
    """WooCommerce counts a redirect as delivered, and so does any page that answers with 200."""
    url = service.runtime.settings.public_url or ""
    other_url = free_url()
    redirected = open_service(text=configuration(service.sandbox.url(), other_url))
    with redirect_to(url, other_url):
        report = sync_webhooks(redirected.runtime, woo(redirected))
    assert report.error is not None
    assert getattr(report.error.params["error"], "code", None) == "http_status"
    with answer_everything(other_url):
        other = open_service(text=configuration(service.sandbox.url(), other_url))
        report = sync_webhooks(other.runtime, woo(other))
    assert report.error is not None
    assert getattr(report.error.params["error"], "code", None) == "not_the_connector"
    assert registered(service) == []


@pytest.mark.parametrize("name", ["tienda-mx", "nube", "tienda-ar"])
def test_life_of_webhooks_on_each_platform(service: Service, name: str) -> None:
    store = service.runtime.settings.stores[name]
    made = sync_webhooks(service.runtime, store)
    assert made.is_complete
    assert len(made.changes) == 4
    assert sync_webhooks(service.runtime, store).changes == []
    webhook = registered(service, store.storefront)[0]
    webhook.url = f"{free_url()}/webhooks/{name}"
    moved = repair_webhooks(service.runtime, store)
    assert moved is not None
    assert [change.kind for change in moved.changes] == ["update"]
    assert webhook.url == address(service, name)
    service.sandbox.webhooks.remove(webhook)
    again = repair_webhooks(service.runtime, store)
    assert again is not None
    assert [(change.kind, change.topic) for change in again.changes] == [("create", webhook.topic)]
    removed = remove_webhooks(service.runtime, store, actor="ana")
    assert len(removed.changes) == 4
    assert registered(service, store.storefront) == []


@pytest.mark.parametrize(
    ("name", "order", "destination"),
    [
        ("tienda-mx", shopify_order(), "rayo"),
        ("tienda-ar", woo_order(), "lapyme"),
        ("nube", tiendanube_order(), "rayo"),
    ],
)
def test_orders_of_each_platform_arrive_once(
    service: Service, name: str, order: dict[str, Any], destination: str
) -> None:
    store = service.runtime.settings.stores[name]
    service.sandbox.webhooks.app_secrets |= {"shopify": SHOPIFY_SECRET, "tiendanube": "nube-secreto"}
    sync_webhooks(service.runtime, store)
    service.sandbox.put_order(store.storefront, getattr(store, "store_id", ""), order)
    assert service.sandbox.webhooks.wait_until_idle()
    deliveries = service.sandbox.webhooks.deliveries()
    assert {delivery.status for delivery in deliveries} == {200}
    assert len(deliveries) > 0
    service.drain()
    assert len(service.sandbox.orders(destination)) == 1


def test_route_of_created_orders_needs_one_more_topic(
    open_service: Callable[..., Service], sandbox: SandboxServer
) -> None:
    text = configuration(sandbox.url(), free_url()).replace(
        'from = "tienda-mx"', 'from = "tienda-mx"\ntopics = ["created", "paid", "orders/fulfilled"]'
    )
    service = open_service(text=text)
    report = list_webhooks(service.runtime, service.runtime.settings.stores["tienda-mx"])
    assert [status.topic for status in report.statuses] == [
        *("orders/create", "orders/paid", "orders/updated", "orders/cancelled", "orders/delete", "orders/fulfilled")
    ]


def test_throttled_response_with_status_200_is_a_failure(service: Service) -> None:
    store = service.runtime.settings.stores["tienda-mx"]
    service.sandbox.inject_fault("shopify", "status", status=429, code="THROTTLED", times=1)
    report = list_webhooks(service.runtime, store)
    assert report.error is not None
    assert (report.error.code, report.error.params["error"]) == ("webhook_refused", "THROTTLED")


def test_shopify_says_what_its_api_does_not_show(service: Service) -> None:
    store = service.runtime.settings.stores["tienda-mx"]
    report = list_webhooks(service.runtime, store)
    assert report.blind_spot is not None
    assert report.problems_to_report(is_managed=False) == []
    assert len(report.problems_to_report(is_managed=True)) == 4


def test_sync_and_removal_are_in_the_audit_trail(service: Service) -> None:
    sync_webhooks(service.runtime, woo(service), actor="ana")
    sync_webhooks(service.runtime, woo(service), actor="ana", is_dry_run=True)
    remove_webhooks(service.runtime, woo(service), actor="luis")
    entries = list_trail(service.database, limit=10).entries
    assert [(entry.action, entry.actor, entry.store) for entry in entries] == [
        ("remove-webhooks", "luis", "tienda-ar"),
        ("sync-webhooks", "ana", "tienda-ar"),
    ]


SHOPIFY_APP = 'client_id = "cliente"\nclient_secret = "secreto-de-la-app"\nshop_domain = "sandbox.myshopify.com"'


@pytest.mark.parametrize("is_in_secrets", [True, False])
def test_webhooks_of_an_app_need_its_secret(
    open_service: Callable[..., Service], sandbox: SandboxServer, is_in_secrets: bool
) -> None:
    """Shopify signs with the secret of the app that made the webhook; the admin page shows another one."""
    text = configuration(sandbox.url(), free_url()).replace('api_token = "ficha-mx"', SHOPIFY_APP)
    text = text.replace('secrets = ["{shopify}"]', "" if is_in_secrets else 'secrets = ["de-la-pagina"]')
    service = open_service(text=text)
    store = service.runtime.settings.stores["tienda-mx"]
    with serve(service.runtime):
        report = sync_webhooks(service.runtime, store)
        assert codes(report) == ([] if is_in_secrets else ["webhook_secret_missing"])
        sandbox.put_order("shopify", "", shopify_order())
        assert sandbox.webhooks.wait_until_idle()
    assert {item.status for item in sandbox.webhooks.deliveries()} == ({200} if is_in_secrets else set())


def test_key_that_may_not_read_webhooks_is_a_failure_only_where_the_connector_makes_them(service: Service) -> None:
    def is_failing() -> bool:
        report = repair_webhooks(service.runtime, woo(service))
        assert codes(report) == ["webhooks_credentials_rejected"]
        row = load_webhook_checks(service.database)["tienda-ar"]
        assert row.error is not None
        return row.failed_since is not None

    service.sandbox.key_permissions["ck_clave:cs_secreto"] = "no_manager"
    assert not is_failing()
    service.sandbox.key_permissions.clear()
    sync_webhooks(service.runtime, woo(service))
    service.sandbox.key_permissions["ck_clave:cs_secreto"] = "no_manager"
    assert is_failing()
