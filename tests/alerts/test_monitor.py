"""Alerts: sent once, grouped, with what to do and a link, and never with customer data."""

import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_string
from email.policy import default
from hashlib import sha256
from socket import gethostname
from time import monotonic, sleep
from typing import Any

import pytest
from sqlalchemy import update

from connector.alerts import start_monitor
from connector.alerts.monitor import AlertMonitor, ChannelState
from connector.core.http_result import HttpResult
from connector.database.alerts import causes_of
from connector.database.circuits import CircuitReport, record_outcome, store_circuit
from connector.database.coordination import acquire_lock, release_lock
from connector.database.models import Delivery
from connector.database.orders import CANCELLED_AFTER_SENDING, add_alert
from connector.database.store_webhooks import record_webhook_check
from connector.operations.retention import apply_retention
from connector.sandbox.server import SandboxServer
from connector.settings.alerts import SlackChannel
from mappings import DESTINATIONS
from mappings.destination import Outcome
from mappings.problems import MappingError, Problem, dump_problems, render_cause
from tests.support.listing import catch_up, changed_order, open_shop
from tests.support.mapping_cases import SAMPLES, build_body, parse_order, storefront_name
from tests.support.notices import EMAIL, NOTICE_CONFIGURATION, post_notice
from tests.support.orders import shopify_order, woo_order
from tests.support.privacy import PERSONAL_DATA, SECRETS, produce_every_outcome
from tests.support.receivers import Mailbox, Receiver, run_mailbox, run_receiver
from tests.support.scenarios import resolve, without_colonia
from tests.support.service import CONFIGURATION, Service

OpenService = Callable[..., Service]

COLONIA_MISSING = "Shipping address > neighbourhood is missing."
FIX_COLONIA = (
    "Correct the order in the store: the connector retries as soon as the store reports the change. If a connector"
    " setting is missing, fix it, then press Retrigger on the page."
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with run_mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def alerting_service(open_service: OpenService, receiver: Receiver) -> Service:
    """A service that sends alerts to a webhook."""
    return open_service(
        text=alert_configuration(f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}/alerts"')
    )


def alert_configuration(alerts: str) -> str:
    return f'public_url = "https://connector.example"\n{CONFIGURATION}\n{alerts}\n'


def run_monitor_once(service: Service) -> None:
    """Run the monitor once, as a process that starts and stops does."""
    watcher = AlertMonitor(service.runtime)
    watcher.check()
    release_lock(service.database, "alerts", watcher.holder)


def wait_for(has_come: Callable[[], bool]) -> None:
    until = monotonic() + 10
    while not has_come() and monotonic() < until:
        sleep(0.01)


def alerts_at(receiver: Receiver) -> list[dict[str, Any]]:
    """The alerts that the webhook received, without times."""
    times = {"since", "at"}
    alerts = [alert for received in receiver.received for alert in received.json["alerts"]]
    return [{name: value for name, value in alert.items() if name not in times} for alert in alerts]


def titles_at(receiver: Receiver) -> list[str]:
    return [alert["title"] for alert in alerts_at(receiver)]


# Messages


def test_alert_for_missing_colonia_explains_what_to_do(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(without_colonia(1001))
    alerting_service.drain()
    run_monitor_once(alerting_service)
    [delivery] = alerting_service.deliveries()
    assert alerts_at(receiver) == [
        {
            "kind": "unmappable",
            "account": "bodega",
            "store": None,
            "cause": COLONIA_MISSING,
            "is_over": False,
            "new_orders": 1,
            "orders_in_all": 1,
            "orders": [{"delivery": delivery["id"], "store": "tienda-mx", "order": "#1001"}],
            "title": "An order was not sent to bodega: something in it is missing or wrong",
            "to_do": FIX_COLONIA,
            "see": f"https://connector.example/deliveries/{delivery['id']}",
        }
    ]


@pytest.mark.sqlite
def test_slack_message_uses_slack_markup(open_service: OpenService, receiver: Receiver, engine: str) -> None:
    to = f'[alerts.to.canal]\nchannel = "slack"\nurl = "{receiver.url}/services/T0/B0/x"'
    service = open_service(text=alert_configuration(to))
    service.post_shopify(without_colonia(1001))
    service.drain()
    run_monitor_once(service)
    [received] = receiver.received
    assert received.path == "/services/T0/B0/x"
    assert received.json == {
        "text": "*An order was not sent to bodega: something in it is missing or wrong*\n"
        "• Shipping address &gt; neighbourhood is missing.\n"
        "• Order #1001 of tienda-mx\n"
        f"{FIX_COLONIA}\n"
        "<https://connector.example/deliveries/1|Open the page>"
    }


@pytest.mark.sqlite
def test_email_has_the_same_content(open_service: OpenService, mailbox: Mailbox, engine: str) -> None:
    to = f'[alerts.to.correo]\nchannel = "email"\nsmtp = "{mailbox.url}"\nfrom = "connector@tienda.example"\n'
    service = open_service(text=alert_configuration(to + 'to = ["ana@tienda.example", "luz@tienda.example"]'))
    service.post_shopify(without_colonia(1001))
    service.drain()
    run_monitor_once(service)
    [raw] = mailbox.mails
    mail = message_from_string(raw, policy=default)
    assert (mail["From"], mail["To"]) == ("connector@tienda.example", "ana@tienda.example, luz@tienda.example")
    assert mail["Subject"] == "An order was not sent to bodega: something in it is missing or wrong"
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == (
        "An order was not sent to bodega: something in it is missing or wrong.\n"
        "  Shipping address > neighbourhood is missing.\n"
        "  Order #1001 of tienda-mx\n"
        f"{FIX_COLONIA}\n"
        "See: https://connector.example/deliveries/1"
    )


@pytest.mark.sqlite
def test_alert_without_a_public_url_names_the_command(
    open_service: OpenService, receiver: Receiver, engine: str
) -> None:
    service = open_service(more=f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}"')
    service.post_shopify(without_colonia())
    service.drain()
    run_monitor_once(service)
    assert alerts_at(receiver)[0]["see"] == "connector show 1"


@pytest.mark.sqlite
def test_alert_webhook_follows_standard_webhooks(open_service: OpenService, receiver: Receiver, engine: str) -> None:
    key = b"el secreto de las alertas"
    secret = f"whsec_{b64encode(key).decode()}"
    to = f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}/?key=1"\nsecret = "{secret}"'
    service = open_service(text=alert_configuration(to))
    service.post_shopify(without_colonia())
    service.drain()
    run_monitor_once(service)
    [received] = receiver.received
    signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    signature = b64encode(hmac.digest(key, signed, sha256)).decode()
    assert (received.path, received.headers["webhook-signature"]) == ("/?key=1", f"v1,{signature}")


def test_alerts_contain_no_personal_data(alerting_service: Service, receiver: Receiver) -> None:
    produce_every_outcome(alerting_service)
    alerting_service.sandbox.inject_fault("rayo", "status", status=422)
    alerting_service.sandbox.inject_fault("rayo", "process_then_drop")
    alerting_service.drain()
    run_monitor_once(alerting_service)
    assert {alert["kind"] for alert in alerts_at(receiver)} >= {"unmappable", "refused", "uncertain"}
    sent_text = b"\n".join(received.body for received in receiver.received).decode()
    assert [word for word in PERSONAL_DATA + SECRETS if word in sent_text] == []


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (
            Problem(code="wrong_digit_count", path=("ship_to", "phone"), params={"digits": 3, "needed": 10}),
            "Shipping address > phone has … digits; 10 are needed.",
        ),
        (
            Problem(
                code="not_a_postcode", path=("ship_to", "postal_code"), params={"value": "Ximena", "country": "MX"}
            ),
            "Shipping address > postcode “…” is not a postcode of MX.",
        ),
        (
            Problem(code="ambiguous_address", path=("line1",), params={"line": "Luna 3"}),
            "Address “…” must be checked.",
        ),
        (
            Problem(
                code="lapyme_no_customer",
                path=("document",),
                params={"value": "30", "account": "erp", "placeholder": "ID"},
                table="customer_id_by_document",
                keys=("30",),
            ),
            "Tax document “…” has no customer at LaPyme: a row is missing in a table.",
        ),
    ],
)
def test_alert_omits_the_values_of_a_problem(problem: Problem, expected: str) -> None:
    assert render_cause(problem) == expected


@pytest.mark.parametrize("sample", {storefront_name(name): name for name in SAMPLES}.values())
@pytest.mark.parametrize("destination", DESTINATIONS)
def test_no_alert_quotes_values_of_the_order(sample: str, destination: str) -> None:
    causes = []
    for broken in with_marked_values(SAMPLES[sample]):
        try:
            build_body(parse_order(storefront_name(sample), broken), destination)
        except MappingError as error:
            causes.append(json.dumps(dump_problems(causes_of(error.problems)), ensure_ascii=False))
    assert [cause for cause in causes if MARK in cause] == []


# Grouping and intervals


def test_orders_with_the_same_problem_share_an_alert(alerting_service: Service, receiver: Receiver) -> None:
    for number in range(1, 8):
        alerting_service.post_shopify(without_colonia(number))
    alerting_service.drain()
    run_monitor_once(alerting_service)
    [alert] = alerts_at(receiver)
    assert alert["title"] == "7 orders were not sent to bodega: something in them is missing or wrong"
    assert [order["order"] for order in alert["orders"]] == ["#7", "#6", "#5", "#4", "#3"]
    assert alert["see"] == "https://connector.example/deliveries?state=parked&reason=unmappable&account=bodega"


def test_repeated_problem_is_alerted_again_after_the_interval(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(without_colonia(1))
    alerting_service.drain()
    run_monitor_once(alerting_service)
    for number in (2, 3):
        alerting_service.post_shopify(without_colonia(number))
        alerting_service.drain()
        run_monitor_once(alerting_service)
    assert len(receiver.received) == 1
    alerting_service.clock.forward(901)
    run_monitor_once(alerting_service)
    assert [(alert["new_orders"], alert["orders_in_all"]) for alert in alerts_at(receiver)] == [(1, 1), (2, 3)]


def test_new_cause_is_alerted_immediately(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(without_colonia(1))
    alerting_service.drain()
    run_monitor_once(alerting_service)
    alerting_service.sandbox.inject_fault("rayo", "status", status=422)
    alerting_service.post_shopify(shopify_order(2))
    alerting_service.drain()
    run_monitor_once(alerting_service)
    assert [(alert["kind"], alert["cause"]) for alert in alerts_at(receiver)] == [
        ("unmappable", COLONIA_MISSING),
        ("refused", "status 422"),
    ]


def test_restart_neither_repeats_nor_loses_alerts(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(without_colonia(1))
    alerting_service.drain()
    run_monitor_once(alerting_service)
    alerting_service.post_woo(woo_order(4, billing={}, shipping={}, payment_method="", line_items=[]))
    alerting_service.drain()
    run_monitor_once(alerting_service)  # a monitor that knows only what is in the database
    run_monitor_once(alerting_service)
    assert [alert["account"] for alert in alerts_at(receiver)] == ["bodega", "erp"]


def test_newer_version_that_is_still_unmappable_is_alerted_again(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(without_colonia(1, updated_at="2026-11-20T10:01:00-06:00"))
    alerting_service.drain()
    run_monitor_once(alerting_service)
    alerting_service.post_shopify(without_colonia(1, updated_at="2026-11-20T10:02:00-06:00"), "orders/updated")
    alerting_service.drain()
    alerting_service.clock.forward(901)
    run_monitor_once(alerting_service)
    assert [alert["orders_in_all"] for alert in alerts_at(receiver)] == [1, 2]


def test_only_one_process_runs_the_monitor(alerting_service: Service) -> None:
    assert acquire_lock(alerting_service.database, "alerts", "one", lease_s=60)
    assert not acquire_lock(alerting_service.database, "alerts", "other", lease_s=60)
    alerting_service.clock.forward(61)
    assert acquire_lock(alerting_service.database, "alerts", "other", lease_s=60)
    assert not acquire_lock(alerting_service.database, "alerts", "one", lease_s=60)
    release_lock(alerting_service.database, "alerts", "other")
    assert acquire_lock(alerting_service.database, "alerts", "one", lease_s=60)


def test_web_process_runs_the_monitor_when_no_worker_does(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(without_colonia(1))
    alerting_service.drain()
    with start_monitor(alerting_service.runtime):  # it checks once when it starts
        wait_for(lambda: bool(receiver.received))
    alerting_service.post_woo(woo_order(4, line_items=[]))
    alerting_service.drain()
    stand_in = AlertMonitor(alerting_service.runtime, is_standby=True)
    assert not stand_in.acquire_leadership()
    alerting_service.clock.forward(31)
    assert stand_in.acquire_leadership()
    stand_in.check()
    assert [alert["account"] for alert in alerts_at(receiver)] == ["bodega", "erp"]


def test_missing_worker_is_alerted_until_one_stays(
    alerting_service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert acquire_lock(alerting_service.database, "alerts", f"{gethostname()}:1:0:x", lease_s=600)  # it was killed
    stand_in = AlertMonitor(alerting_service.runtime, is_standby=True)
    assert stand_in.acquire_leadership()
    stand_in.check()
    assert alerts_at(receiver) == []  # a restart takes seconds
    alerting_service.clock.forward(31)
    stand_in.check()
    assert [(alert["kind"], alert["is_over"]) for alert in alerts_at(receiver)] == [("worker", False)]
    release_lock(alerting_service.database, "alerts", stand_in.holder)
    worker = AlertMonitor(alerting_service.runtime)
    assert worker.acquire_leadership()
    worker.check()  # it may die at once, as those before it
    assert len(alerts_at(receiver)) == 1
    monkeypatch.setattr("connector.alerts.monitor.WORKER_STAYS_AFTER_S", 0)
    worker.check()
    assert [(alert["kind"], alert["is_over"]) for alert in alerts_at(receiver)][1:] == [("worker", True)]


def test_channel_that_raises_does_not_stop_another(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(without_colonia(1))
    alerting_service.drain()
    monitor = AlertMonitor(alerting_service.runtime)

    def fail(_: object) -> str:
        raise ValueError("a secret")

    broken = SlackChannel(name="roto", channel="slack", url="https://hooks.example/x")
    monitor.channel_states.insert(0, ChannelState(channel=broken, send=fail))
    assert monitor.acquire_leadership()
    monitor.check()
    assert [alert["kind"] for alert in alerts_at(receiver)] == ["unmappable"]
    assert monitor.channel_states[0].failures == 1


def test_web_process_gives_a_worker_time_to_start(alerting_service: Service) -> None:
    assert not AlertMonitor(alerting_service.runtime, is_standby=True).acquire_leadership()
    assert AlertMonitor(alerting_service.runtime).acquire_leadership()
    assert not AlertMonitor(alerting_service.runtime, is_standby=True).acquire_leadership()


# Alerts that are not about orders


def test_circuit_breaker_opening_and_closing_are_alerted(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.sandbox.inject_fault("rayo", "status", status=403)
    alerting_service.post_shopify(shopify_order(1))
    alerting_service.deliver_due()
    run_monitor_once(alerting_service)
    alerting_service.clock.forward(31)
    alerting_service.drain()
    run_monitor_once(alerting_service)
    assert [(alert["title"], alert["cause"], alert["to_do"]) for alert in alerts_at(receiver)] == [
        (
            "bodega is not accepting orders",
            "credentials rejected",
            "It rejects the credentials: replace the key on the page Accounts, or in the configuration.",
        ),
        ("Resolved: bodega is not accepting orders", "credentials rejected", "No action needed."),
    ]


def test_rejected_app_of_a_store_is_alerted(alerting_service: Service, receiver: Receiver) -> None:
    report = CircuitReport(
        circuit=store_circuit("tienda-mx"), outcome=Outcome.UNAUTHORIZED, failure_threshold=5, probe_after_s=30
    )
    record_outcome(alerting_service.database, report)
    run_monitor_once(alerting_service)
    [alert] = alerts_at(receiver)
    assert "tienda-mx" in alert["title"]
    assert alert["cause"] == "credentials rejected"
    assert alert["to_do"] == "It rejects the credentials, or its app has no token: `connector doctor` says what to do."


def test_flapping_circuit_breaker_is_not_alerted_each_time(alerting_service: Service, receiver: Receiver) -> None:
    for number in range(3):
        alerting_service.sandbox.inject_fault("rayo", "status", status=403)
        alerting_service.post_shopify(shopify_order(number + 1))
        alerting_service.deliver_due()
        run_monitor_once(alerting_service)
        alerting_service.clock.forward(31)
        alerting_service.drain()
        run_monitor_once(alerting_service)
    assert len(receiver.received) == 2


def test_stalled_orders_are_alerted(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.worker()
    alerting_service.post_shopify(shopify_order())
    run_monitor_once(alerting_service)
    alerting_service.clock.forward(601)
    run_monitor_once(alerting_service)
    alerting_service.drain()
    run_monitor_once(alerting_service)
    assert titles_at(receiver) == [
        "Orders for bodega are overdue and no worker sends them",
        "Resolved: Orders for bodega are overdue and no worker sends them",
    ]


def test_silent_store_is_alerted(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(shopify_order())
    alerting_service.drain()
    alerting_service.clock.forward(600)
    run_monitor_once(alerting_service)
    alerting_service.clock.forward(48 * 3600)
    run_monitor_once(alerting_service)
    assert [(alert["store"], alert["title"]) for alert in alerts_at(receiver)] == [
        ("tienda-mx", "Store tienda-mx has not sent a webhook for more than 48 hours")
    ]


def post_unsigned(service: Service, times: int) -> None:
    for _ in range(times):
        service.client.post("/webhooks/tienda-mx", data=b"{}", headers={"X-Shopify-Hmac-Sha256": "other"})
    service.client.application.extensions["rejected"].flush()


def test_wrong_signatures_that_go_on_are_alerted(alerting_service: Service, receiver: Receiver) -> None:
    post_unsigned(alerting_service, 2)
    run_monitor_once(alerting_service)
    assert alerts_at(receiver) == []
    post_unsigned(alerting_service, 1)
    run_monitor_once(alerting_service)
    [alert] = alerts_at(receiver)
    assert (alert["kind"], alert["store"], alert["title"], alert["cause"], alert["see"]) == (
        *("signature", "tienda-mx", "Webhooks for store tienda-mx have a wrong signature"),
        *("none of the store's secrets made the signature", "https://connector.example/accounts"),
    )


def test_wrong_signatures_are_resolved_when_the_store_signs_again(
    alerting_service: Service, receiver: Receiver
) -> None:
    post_unsigned(alerting_service, 3)
    run_monitor_once(alerting_service)
    alerting_service.clock.forward(600)
    alerting_service.post_shopify(shopify_order())
    alerting_service.drain()
    alerting_service.clock.forward(600)
    run_monitor_once(alerting_service)
    assert [alert["is_over"] for alert in alerts_at(receiver)] == [False]
    alerting_service.clock.forward(3_000)
    run_monitor_once(alerting_service)
    assert [alert["is_over"] for alert in alerts_at(receiver)] == [False, True]


def test_wrong_signatures_are_forgotten_after_a_quiet_day(alerting_service: Service, receiver: Receiver) -> None:
    post_unsigned(alerting_service, 2)
    alerting_service.clock.forward(25 * 3_600)
    post_unsigned(alerting_service, 2)
    run_monitor_once(alerting_service)
    assert [alert for alert in alerts_at(receiver) if alert["kind"] == "signature"] == []


def test_lost_webhooks_that_go_on_are_alerted(
    alerting_service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = alerting_service
    shop = open_shop(service, monkeypatch)
    service.clock.forward(3_600)
    shop.orders = [changed_order(service, 1), changed_order(service, 2)]
    catch_up(service, shop)
    run_monitor_once(service)
    assert [alert for alert in alerts_at(receiver) if alert["kind"] == "lost_webhooks"] == []
    service.clock.forward(600)
    shop.orders.append(changed_order(service, 3))
    catch_up(service, shop)
    run_monitor_once(service)
    service.clock.forward(7_100)
    run_monitor_once(service)
    service.clock.forward(200)
    run_monitor_once(service)
    alerts = [alert for alert in alerts_at(receiver) if alert["kind"] == "lost_webhooks"]
    assert [(alert["store"], alert["is_over"], alert["see"]) for alert in alerts] == [
        ("tienda-ar", is_over, "https://connector.example/stores") for is_over in (False, True)
    ]
    assert alerts[0]["cause"] == "in the last 24 hours, catch-up found 3 orders without a webhook"
    assert "connector webhooks sync" in alerts[0]["to_do"]


def test_parked_orders_that_expire_soon_are_alerted_once_a_day(alerting_service: Service, receiver: Receiver) -> None:
    service = alerting_service
    for number in (1, 2):
        service.post_shopify(without_colonia(number))
    service.drain()
    service.clock.forward(352 * 86_400)
    apply_retention(service.runtime, batch_size=10, pause=lambda: None)
    for _ in range(3):
        run_monitor_once(service)
        service.clock.forward(12.1 * 3_600)
    resolve(service, "1", **{"as": "discarded"})
    resolve(service, "2", **{"as": "discarded"})
    run_monitor_once(service)
    alerts = [alert for alert in alerts_at(receiver) if alert["kind"] == "expiring"]
    assert [(alert["account"], alert["is_over"]) for alert in alerts] == [
        ("bodega", is_over) for is_over in (False, False, True)
    ]
    assert alerts[0]["cause"] == "orders that nobody acts on: 2; days until the first is discarded: 13"
    assert alerts[0]["see"] == "https://connector.example/deliveries?state=parked&account=bodega"


def test_orders_that_cannot_be_read_for_a_while_are_alerted(
    alerting_service: Service, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = alerting_service
    shop = open_shop(service, monkeypatch)
    for _ in range(3):
        shop.responses = [HttpResult(status=401)]
        catch_up(service, shop)
        run_monitor_once(service)
    assert alerts_at(receiver) == []
    service.clock.forward(901)
    run_monitor_once(service)
    catch_up(service, shop)
    run_monitor_once(service)
    alerts = [alert for alert in alerts_at(receiver) if alert["kind"] == "catch_up"]
    assert [(alert["store"], alert["is_over"], alert["cause"]) for alert in alerts] == [
        ("tienda-ar", False, "credentials rejected"),
        ("tienda-ar", True, "credentials rejected"),
    ]


CANNOT_VIEW = {"code": "woocommerce_rest_cannot_view", "message": "Sorry", "data": {"status": 401}}


def test_errors_in_place_of_orders_are_alerted_until_an_order_comes(
    alerting_service: Service, receiver: Receiver
) -> None:
    for _ in range(3):  # the same bytes
        alerting_service.post_woo(CANNOT_VIEW, "order.created")
    run_monitor_once(alerting_service)
    [alert] = alerts_at(receiver)
    assert (alert["kind"], alert["store"], alert["title"], alert["see"]) == (
        *("store_errors", "tienda-ar", "Store tienda-ar sends errors in place of orders"),
        "https://connector.example/events?store=tienda-ar",
    )
    assert "the webhook's user was deleted, or may not see orders any more" in alert["cause"]
    alerting_service.clock.forward(600)
    alerting_service.post_woo({"id": 5}, "order.deleted")  # which WooCommerce sends without asking for the order
    alerting_service.clock.forward(3_100)
    run_monitor_once(alerting_service)
    alerting_service.post_woo(woo_order())
    run_monitor_once(alerting_service)
    assert [alert["is_over"] for alert in alerts_at(receiver) if alert["kind"] == "store_errors"] == [False, True]


def test_error_right_after_an_order_goes_on_being_alerted(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_woo(CANNOT_VIEW, "order.created")
    run_monitor_once(alerting_service)
    alerting_service.clock.forward(60)
    alerting_service.post_woo(woo_order())
    run_monitor_once(alerting_service)
    alerting_service.clock.forward(60)
    alerting_service.post_woo(CANNOT_VIEW, "order.created")
    run_monitor_once(alerting_service)
    assert [alert["is_over"] for alert in alerts_at(receiver) if alert["kind"] == "store_errors"] == [False]


def test_change_after_delivery_is_alerted(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(shopify_order(1, updated_at="2026-11-20T10:01:00-06:00"))
    alerting_service.drain()
    cancelled = shopify_order(1, updated_at="2026-11-20T10:02:00-06:00", cancelled_at="2026-11-20T10:02:00-06:00")
    alerting_service.post_shopify(cancelled, "orders/cancelled")
    run_monitor_once(alerting_service)
    assert [(alert["kind"], alert["cause"], alert["see"]) for alert in alerts_at(receiver)] == [
        (
            "attention",
            "The order was cancelled at the store after it had been sent: act at the destination.",
            "https://connector.example/deliveries/1",
        )
    ]


def test_each_note_is_alerted_once(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(shopify_order(1))
    alerting_service.drain()
    for _ in range(3):
        alerting_service.database.transact(lambda transaction: add_alert(transaction, 1, CANCELLED_AFTER_SENDING))
        run_monitor_once(alerting_service)
        alerting_service.clock.forward(901)
    run_monitor_once(alerting_service)
    assert [alert["new_orders"] for alert in alerts_at(receiver)] == [1, 1, 1]


def test_unaccounted_order_is_alerted(alerting_service: Service, receiver: Receiver) -> None:
    alerting_service.post_shopify(shopify_order(1))
    alerting_service.drain()
    lose = update(Delivery).values(remote_id=None)
    alerting_service.database.transact(lambda transaction: transaction.execute(lose))
    run_monitor_once(alerting_service)
    [alert] = alerts_at(receiver)
    assert (alert["kind"], alert["see"]) == ("differences", "connector reconcile")
    assert [(order["order"], order["store"]) for order in alert["orders"]] == [("#1", "tienda-mx")]


# Channels


def test_failing_channel_is_retried_without_delaying_others(open_service: OpenService, receiver: Receiver) -> None:
    with run_receiver() as other:
        to = [
            f'[alerts.to.{name}]\nchannel = "webhook"\nurl = "{url}"'
            for name, url in (("a", receiver.url), ("b", other.url))
        ]
        service = open_service(text=alert_configuration("\n".join(to)))
        receiver.status = 500
        watcher = AlertMonitor(service.runtime)
        service.post_shopify(without_colonia(1))
        service.drain()
        watcher.check()
        watcher.check()  # it rests
        assert (len(receiver.received), titles_at(other)) == (1, titles_at(receiver))
        receiver.status = 200
        watcher.channel_states[0].backoff_until = monotonic()
        watcher.check()
        watcher.check()
        assert (len(receiver.received), len(other.received)) == (2, 1)
        assert receiver.received[0].headers["webhook-id"] == receiver.received[1].headers["webhook-id"]


def test_channel_receives_only_its_configured_kinds(open_service: OpenService, receiver: Receiver) -> None:
    to = f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}"\nkinds = ["refused"]'
    service = open_service(text=alert_configuration(to))
    service.post_shopify(without_colonia(1))
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(2))
    service.drain()
    run_monitor_once(service)
    assert [alert["kind"] for alert in alerts_at(receiver)] == ["refused"]


@pytest.mark.sqlite
def test_hanging_channel_does_not_delay_deliveries(open_service: OpenService, receiver: Receiver, engine: str) -> None:
    service = open_service(text=alert_configuration(f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}"'))
    receiver.gate.clear()
    service.post_shopify(without_colonia(1))
    service.drain()
    with start_monitor(service.runtime):
        wait_for(lambda: bool(receiver.received))
        service.post_shopify(shopify_order(2))
        service.drain()
        assert [delivery["state"] for delivery in service.deliveries()] == ["parked", "delivered"]
        assert len(receiver.received) == 1  # it still hangs
        receiver.gate.set()


@pytest.mark.sqlite
def test_rejected_email_is_sent_again_later(open_service: OpenService, mailbox: Mailbox, engine: str) -> None:
    mailbox.refusal = "550 no such user ana@tienda.example"
    to = f'[alerts.to.correo]\nchannel = "email"\nsmtp = "{mailbox.url}"\nfrom = "c@tienda.example"\n'
    service = open_service(text=alert_configuration(to + 'to = ["ana@tienda.example"]'))
    watcher = AlertMonitor(service.runtime)
    service.post_shopify(without_colonia(1))
    service.drain()
    watcher.check()
    assert (mailbox.mails, watcher.channel_states[0].failures) == ([], 1)


MARK = "Quirquincho"


def with_marked_values(payload: Any) -> Iterator[Any]:
    """Return the payload with every text replaced by a marked value."""
    for path in leaf_paths(payload):
        yield with_value_at(payload, path)


def leaf_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaf_paths(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaf_paths(inner, (*path, index))
    elif isinstance(value, str):
        yield path


def with_value_at(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return f"{MARK} 12 “{MARK}” {MARK}"
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = with_value_at(value[path[0]], path[1:])
    return copy


def test_webhooks_that_stay_broken_are_alerted(alerting_service: Service, receiver: Receiver) -> None:
    problem = Problem(code="webhook_missing", params={"topic": "orders/paid"})
    record_webhook_check(alerting_service.database, "tienda-mx", problems=[problem])
    run_monitor_once(alerting_service)
    alerting_service.clock.forward(500)
    run_monitor_once(alerting_service)
    assert alerts_at(receiver) == []
    record_webhook_check(alerting_service.database, "tienda-mx", problems=[problem])
    alerting_service.clock.forward(101)
    run_monitor_once(alerting_service)
    [alert] = alerts_at(receiver)
    assert (alert["kind"], alert["store"], alert["title"], alert["cause"], alert["see"]) == (
        *("webhooks", "tienda-mx", "Webhooks of store tienda-mx are missing or do not arrive"),
        *("There is no webhook for orders/paid.", "https://connector.example/stores"),
    )
    record_webhook_check(alerting_service.database, "tienda-mx")
    run_monitor_once(alerting_service)
    assert [alert["is_over"] for alert in alerts_at(receiver)] == [False, True]


# Requests about personal data, and stores whose app is gone


@pytest.fixture
def shops(open_service: OpenService, receiver: Receiver, sandbox: SandboxServer) -> Service:
    text = NOTICE_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube"))
    alerts = f'[alerts]\nremind_every_h = 1000\n[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}/a"\n'
    return open_service(text=f'public_url = "https://connector.example"\n{text}\n{alerts}')


def test_request_about_personal_data_is_alerted_and_reminded_of(shops: Service, receiver: Receiver) -> None:
    id_ = post_notice(shops, "nube", "customers-redact").json["request"]
    due_at = shops.api(f"/privacy-requests/{id_}").json["due_at"]
    for days in (0, 1, 22, 24, 29, 31, 32):
        shops.clock.ahead = timedelta(days=days)
        run_monitor_once(shops)
    alerts = [alert for alert in alerts_at(receiver) if alert["kind"] == "privacy"]
    assert [alert["cause"] for alert in alerts] == ["", "It is due within a week.", "It is overdue.", "It is overdue."]
    assert alerts[0]["title"] == "A request about personal data waits for a person"
    assert alerts[0]["see"] == f"https://connector.example/privacy/{id_}"
    [example] = alerts[0]["orders"]
    assert {**example, "due_at": example["due_at"][:19]} == {
        "request": id_,
        "store": "nube",
        "kind": "customers-redact",
        "due_at": due_at[:19],
    }
    assert EMAIL not in receiver.received[0].body.decode()


def test_closed_request_is_not_reminded_of(shops: Service, receiver: Receiver) -> None:
    id_ = post_notice(shops, "nube", "customers-redact").json["request"]
    shops.api(f"/privacy-requests/{id_}/dismiss", json={"note": "a test"})
    shops.clock.forward(timedelta(days=31).total_seconds())
    run_monitor_once(shops)
    assert [alert for alert in alerts_at(receiver) if alert["kind"] == "privacy"] == []


def test_stopped_store_is_alerted_until_it_is_resumed(shops: Service, receiver: Receiver) -> None:
    post_notice(shops, "nube", "app-suspended")
    run_monitor_once(shops)
    post_notice(shops, "nube", "app-resumed")
    run_monitor_once(shops)
    alerts = [alert for alert in alerts_at(receiver) if alert["kind"] == "stopped"]
    assert [(alert["store"], alert["is_over"]) for alert in alerts] == [("nube", False), ("nube", True)]
    assert alerts[0]["cause"] == render_cause(Problem(code="app_suspended"))
    assert alerts[0]["see"] == "https://connector.example/stores/nube"
