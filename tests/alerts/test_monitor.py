"""People are told what they must know: once, together, with what to do and where, and never a customer's data."""

import hmac
from base64 import b64encode
from collections.abc import Callable, Iterator
from email import message_from_string
from email.policy import default
from hashlib import sha256
from time import monotonic, sleep
from typing import Any

import pytest
from sqlalchemy import update

from connector.alerts import start_monitor
from connector.alerts.monitor import AlertMonitor
from connector.database.alerts import describe_cause
from connector.database.coordination import acquire_lock, release_lock
from connector.database.models import Delivery
from connector.database.orders import add_note
from mappings import DESTINATIONS
from mappings.problems import MappingError, Problem, render_cause
from tests.support.mapping_cases import SAMPLES, read, storefront_of, write
from tests.support.orders import shopify_order, woo_order
from tests.support.privacy import PERSONAL, SECRET, live_through_everything
from tests.support.receivers import Mailbox, Receiver, receiving, taking_mail
from tests.support.scenarios import without_colonia
from tests.support.service import CONFIGURATION, Service

Open = Callable[..., Service]

LACKS = "Shipping address > neighbourhood is missing."
TO_DO = (
    "Correct the order in the store: the connector retries as soon as the store reports the change. If a connector"
    " setting is missing, fix it, then press Retrigger on the page."
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with taking_mail() as mailbox:
        yield mailbox


@pytest.fixture
def told(open_service: Open, receiver: Receiver) -> Service:
    """A service that tells alerts at a webhook."""
    return open_service(text=configuration(f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}/alerts"'))


def configuration(alerts: str) -> str:
    return f'public_url = "https://connector.example"\n{CONFIGURATION}\n{alerts}\n'


def look(service: Service) -> None:
    """As a process that has just started and ends again does."""
    watcher = AlertMonitor(service.runtime)
    watcher.check()
    release_lock(service.database, "alerts", watcher.holder)


def wait_for(has_come: Callable[[], bool]) -> None:
    until = monotonic() + 10
    while not has_come() and monotonic() < until:
        sleep(0.01)


def alerts_at(receiver: Receiver) -> list[dict[str, Any]]:
    """What the webhook was told, without times."""
    times = {"since", "at"}
    found = [one for received in receiver.received for one in received.json["alerts"]]
    return [{name: value for name, value in one.items() if name not in times} for one in found]


def titles_at(receiver: Receiver) -> list[str]:
    return [one["title"] for one in alerts_at(receiver)]


# What is said


def test_an_order_without_colonia_is_told_with_all_that_a_person_needs(told: Service, receiver: Receiver) -> None:
    told.post_shopify(without_colonia(1001))
    told.drain()
    look(told)
    [delivery] = told.deliveries()
    assert alerts_at(receiver) == [
        {
            "kind": "unmappable",
            "account": "bodega",
            "store": None,
            "cause": LACKS,
            "is_over": False,
            "new_orders": 1,
            "orders_in_all": 1,
            "orders": [{"delivery": delivery["id"], "store": "tienda-mx", "order": "#1001"}],
            "title": "An order was not sent to bodega: something in it is missing or wrong",
            "to_do": TO_DO,
            "see": f"https://connector.example/deliveries/{delivery['id']}",
        }
    ]


@pytest.mark.sqlite
def test_slack_is_told_in_its_own_markup(open_service: Open, receiver: Receiver, engine: str) -> None:
    to = f'[alerts.to.canal]\nchannel = "slack"\nurl = "{receiver.url}/services/T0/B0/x"'
    service = open_service(text=configuration(to))
    service.post_shopify(without_colonia(1001))
    service.drain()
    look(service)
    [received] = receiver.received
    assert received.path == "/services/T0/B0/x"
    assert received.json == {
        "text": "*An order was not sent to bodega: something in it is missing or wrong*\n"
        "• Shipping address &gt; neighbourhood is missing.\n"
        "• Order #1001 of tienda-mx\n"
        f"{TO_DO}\n"
        "<https://connector.example/deliveries/1|Open the page>"
    }


@pytest.mark.sqlite
def test_mail_says_the_same(open_service: Open, mailbox: Mailbox, engine: str) -> None:
    to = f'[alerts.to.correo]\nchannel = "email"\nsmtp = "{mailbox.url}"\nfrom = "connector@tienda.example"\n'
    service = open_service(text=configuration(to + 'to = ["ana@tienda.example", "luz@tienda.example"]'))
    service.post_shopify(without_colonia(1001))
    service.drain()
    look(service)
    [raw] = mailbox.mails
    mail = message_from_string(raw, policy=default)
    assert (mail["From"], mail["To"]) == ("connector@tienda.example", "ana@tienda.example, luz@tienda.example")
    assert mail["Subject"] == "An order was not sent to bodega: something in it is missing or wrong"
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == (
        "An order was not sent to bodega: something in it is missing or wrong.\n"
        "  Shipping address > neighbourhood is missing.\n"
        "  Order #1001 of tienda-mx\n"
        f"{TO_DO}\n"
        "See: https://connector.example/deliveries/1"
    )


@pytest.mark.sqlite
def test_without_an_address_of_its_own_it_names_the_command(
    open_service: Open, receiver: Receiver, engine: str
) -> None:
    service = open_service(more=f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}"')
    service.post_shopify(without_colonia())
    service.drain()
    look(service)
    assert alerts_at(receiver)[0]["see"] == "connector show 1"


@pytest.mark.sqlite
def test_a_webhook_is_signed_as_standard_webhooks_has_it(open_service: Open, receiver: Receiver, engine: str) -> None:
    to = f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}/?key=1"\nsecret = "whsec_c2VjcmV0bw=="'
    service = open_service(text=configuration(to))
    service.post_shopify(without_colonia())
    service.drain()
    look(service)
    [received] = receiver.received
    signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    signature = b64encode(hmac.digest(b"secreto", signed, sha256)).decode()
    assert (received.path, received.headers["webhook-signature"]) == ("/?key=1", f"v1,{signature}")


def test_nothing_that_an_order_holds_leaves_with_an_alert(told: Service, receiver: Receiver) -> None:
    live_through_everything(told)
    told.sandbox.inject_fault("rayo", "status", status=422)
    told.sandbox.inject_fault("rayo", "process_then_drop")
    told.drain()
    look(told)
    assert {one["kind"] for one in alerts_at(receiver)} >= {"unmappable", "refused", "uncertain"}
    sent = b"\n".join(received.body for received in receiver.received).decode()
    assert [word for word in PERSONAL + SECRET if word in sent] == []


@pytest.mark.parametrize(
    ("problem", "told"),
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
            "Address “…” has to be looked at.",
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
def test_a_problem_is_told_without_what_the_order_says(problem: Problem, told: str) -> None:
    assert render_cause(problem) == told


@pytest.mark.parametrize("sample", {storefront_of(name): name for name in SAMPLES}.values())
@pytest.mark.parametrize("destination", DESTINATIONS)
def test_no_problem_is_told_with_what_stood_in_the_order(sample: str, destination: str) -> None:
    causes = []
    for broken in spoilt(SAMPLES[sample]):
        try:
            write(read(storefront_of(sample), broken), destination)
        except MappingError as error:
            causes.append(describe_cause(error.problems))
    assert [cause for cause in causes if MARK in cause] == []


# Grouped, and not too often


def test_orders_that_lack_the_same_are_told_together(told: Service, receiver: Receiver) -> None:
    for number in range(1, 8):
        told.post_shopify(without_colonia(number))
    told.drain()
    look(told)
    [alert] = alerts_at(receiver)
    assert alert["title"] == "7 orders were not sent to bodega: something in them is missing or wrong"
    assert [one["order"] for one in alert["orders"]] == ["#7", "#6", "#5", "#4", "#3"]
    assert alert["see"] == "https://connector.example/deliveries?state=parked&reason=unmappable&account=bodega"


def test_more_of_the_same_is_told_after_a_while_with_what_is_new(told: Service, receiver: Receiver) -> None:
    told.post_shopify(without_colonia(1))
    told.drain()
    look(told)
    for number in (2, 3):
        told.post_shopify(without_colonia(number))
        told.drain()
        look(told)
    assert len(receiver.received) == 1
    told.clock.forward(901)
    look(told)
    assert [(one["new_orders"], one["orders_in_all"]) for one in alerts_at(receiver)] == [(1, 1), (2, 3)]


def test_another_cause_is_told_at_once(told: Service, receiver: Receiver) -> None:
    told.post_shopify(without_colonia(1))
    told.drain()
    look(told)
    told.sandbox.inject_fault("rayo", "status", status=422)
    told.post_shopify(shopify_order(2))
    told.drain()
    look(told)
    assert [(one["kind"], one["cause"]) for one in alerts_at(receiver)] == [
        ("unmappable", LACKS),
        ("refused", "status 422"),
    ]


def test_a_restart_neither_repeats_nor_forgets(told: Service, receiver: Receiver) -> None:
    told.post_shopify(without_colonia(1))
    told.drain()
    look(told)
    told.post_woo(woo_order(4, billing={}, shipping={}, payment_method="", line_items=[]))
    told.drain()
    look(told)  # by a watcher that knows nothing but what is in the database
    look(told)
    assert [one["account"] for one in alerts_at(receiver)] == ["bodega", "erp"]


def test_a_newer_version_that_lacks_something_still_is_told_again(told: Service, receiver: Receiver) -> None:
    told.post_shopify(without_colonia(1, updated_at="2026-11-20T10:01:00-06:00"))
    told.drain()
    look(told)
    told.post_shopify(without_colonia(1, updated_at="2026-11-20T10:02:00-06:00"), "orders/updated")
    told.drain()
    told.clock.forward(901)
    look(told)
    assert [one["orders_in_all"] for one in alerts_at(receiver)] == [1, 2]


def test_one_process_at_a_time_watches(told: Service) -> None:
    assert acquire_lock(told.database, "alerts", "one", lease_s=60)
    assert not acquire_lock(told.database, "alerts", "other", lease_s=60)
    told.clock.forward(61)
    assert acquire_lock(told.database, "alerts", "other", lease_s=60)
    assert not acquire_lock(told.database, "alerts", "one", lease_s=60)
    release_lock(told.database, "alerts", "other")
    assert acquire_lock(told.database, "alerts", "one", lease_s=60)


def test_a_web_process_watches_while_no_forwarder_does(told: Service, receiver: Receiver) -> None:
    told.post_shopify(without_colonia(1))
    told.drain()
    with start_monitor(told.runtime):  # it looks as it starts, and ends
        wait_for(lambda: bool(receiver.received))
    told.post_woo(woo_order(4, line_items=[]))
    told.drain()
    stand_in = AlertMonitor(told.runtime, is_standby=True)
    assert not stand_in.acquire_leadership()
    told.clock.forward(31)
    assert stand_in.acquire_leadership()
    stand_in.check()
    assert [one["account"] for one in alerts_at(receiver)] == ["bodega", "erp"]


def test_a_web_process_lets_a_forwarder_start_first(told: Service) -> None:
    assert not AlertMonitor(told.runtime, is_standby=True).acquire_leadership()
    assert AlertMonitor(told.runtime).acquire_leadership()
    assert not AlertMonitor(told.runtime, is_standby=True).acquire_leadership()


# What is told besides orders


def test_an_open_circuit_is_told_and_that_it_closed(told: Service, receiver: Receiver) -> None:
    told.sandbox.inject_fault("rayo", "status", status=403)
    told.post_shopify(shopify_order(1))
    told.carry_due()
    look(told)
    told.clock.forward(31)
    told.drain()
    look(told)
    assert [(one["title"], one["to_do"]) for one in alerts_at(receiver)] == [
        (
            "bodega is not accepting orders",
            "It rejects the credentials: correct the key in the configuration and restart the service.",
        ),
        ("Resolved: bodega is not accepting orders", "No action needed."),
    ]


def test_a_circuit_that_opens_again_soon_is_not_told_each_time(told: Service, receiver: Receiver) -> None:
    for number in range(3):
        told.sandbox.inject_fault("rayo", "status", status=403)
        told.post_shopify(shopify_order(number + 1))
        told.carry_due()
        look(told)
        told.clock.forward(31)
        told.drain()
        look(told)
    assert len(receiver.received) == 2


def test_orders_that_nothing_takes_are_told(told: Service, receiver: Receiver) -> None:
    told.forwarder()
    told.post_shopify(shopify_order())
    look(told)
    told.clock.forward(601)
    look(told)
    told.drain()
    look(told)
    assert titles_at(receiver) == [
        "Orders for bodega are overdue and no worker sends them",
        "Resolved: Orders for bodega are overdue and no worker sends them",
    ]


def test_a_store_that_falls_silent_is_told(told: Service, receiver: Receiver) -> None:
    told.post_shopify(shopify_order())
    told.drain()
    told.clock.forward(600)
    look(told)
    told.clock.forward(48 * 3600)
    look(told)
    assert [(one["store"], one["title"]) for one in alerts_at(receiver)] == [
        ("tienda-mx", "Store tienda-mx has not sent a webhook for more than 48 hours")
    ]


def test_what_changed_too_late_is_told(told: Service, receiver: Receiver) -> None:
    told.post_shopify(shopify_order(1, updated_at="2026-11-20T10:01:00-06:00"))
    told.drain()
    cancelled = shopify_order(1, updated_at="2026-11-20T10:02:00-06:00", cancelled_at="2026-11-20T10:02:00-06:00")
    told.post_shopify(cancelled, "orders/cancelled")
    look(told)
    assert [(one["kind"], one["cause"], one["see"]) for one in alerts_at(receiver)] == [
        (
            "attention",
            "The order was cancelled at the store after it had been sent: act at the destination.",
            "https://connector.example/deliveries/1",
        )
    ]


def test_notes_are_each_told_once_however_often_it_looks(told: Service, receiver: Receiver) -> None:
    told.post_shopify(shopify_order(1))
    told.drain()
    for _ in range(3):
        told.database.transact(lambda transaction: add_note(transaction, 1, "alert", "Look at it."))
        look(told)
        told.clock.forward(901)
    look(told)
    assert [one["new_orders"] for one in alerts_at(receiver)] == [1, 1, 1]


def test_an_order_that_is_not_accounted_for_is_told(told: Service, receiver: Receiver) -> None:
    told.post_shopify(shopify_order(1))
    told.drain()
    lose = update(Delivery).values(remote_id=None)
    told.database.transact(lambda transaction: transaction.execute(lose))
    look(told)
    [alert] = alerts_at(receiver)
    assert (alert["kind"], alert["see"]) == ("differences", "connector reconcile")
    assert [(one["order"], one["store"]) for one in alert["orders"]] == [("#1", "tienda-mx")]


# Channels


def test_a_channel_that_fails_is_told_later_and_others_at_once(open_service: Open, receiver: Receiver) -> None:
    with receiving() as other:
        to = [
            f'[alerts.to.{name}]\nchannel = "webhook"\nurl = "{url}"'
            for name, url in (("a", receiver.url), ("b", other.url))
        ]
        service = open_service(text=configuration("\n".join(to)))
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


def test_a_channel_is_told_only_the_kinds_that_it_asks_for(open_service: Open, receiver: Receiver) -> None:
    to = f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}"\nkinds = ["refused"]'
    service = open_service(text=configuration(to))
    service.post_shopify(without_colonia(1))
    service.sandbox.inject_fault("rayo", "status", status=422)
    service.post_shopify(shopify_order(2))
    service.drain()
    look(service)
    assert [one["kind"] for one in alerts_at(receiver)] == ["refused"]


@pytest.mark.sqlite
def test_a_channel_that_hangs_slows_no_delivery(open_service: Open, receiver: Receiver, engine: str) -> None:
    service = open_service(text=configuration(f'[alerts.to.equipo]\nchannel = "webhook"\nurl = "{receiver.url}"'))
    receiver.gate.clear()
    service.post_shopify(without_colonia(1))
    service.drain()
    with start_monitor(service.runtime):
        wait_for(lambda: bool(receiver.received))
        service.post_shopify(shopify_order(2))
        service.drain()
        assert [one["state"] for one in service.deliveries()] == ["parked", "delivered"]
        assert len(receiver.received) == 1  # it hangs still
        receiver.gate.set()


@pytest.mark.sqlite
def test_what_a_mail_server_refuses_is_told_later(open_service: Open, mailbox: Mailbox, engine: str) -> None:
    mailbox.refusal = "550 no such user ana@tienda.example"
    to = f'[alerts.to.correo]\nchannel = "email"\nsmtp = "{mailbox.url}"\nfrom = "c@tienda.example"\n'
    service = open_service(text=configuration(to + 'to = ["ana@tienda.example"]'))
    watcher = AlertMonitor(service.runtime)
    service.post_shopify(without_colonia(1))
    service.drain()
    watcher.check()
    assert (mailbox.mails, watcher.channel_states[0].failures) == ([], 1)


MARK = "Quirquincho"


def spoilt(payload: Any) -> Iterator[Any]:
    """The payload with each of its texts replaced by a word of nobody."""
    for path in paths_of(payload):
        yield replaced(payload, path)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths_of(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from paths_of(inner, (*path, place))
    elif isinstance(value, str):
        yield path


def replaced(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return f"{MARK} 12 “{MARK}” {MARK}"
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = replaced(value[path[0]], path[1:])
    return copy
