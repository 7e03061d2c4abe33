"""LaPyme's customers: orders get the right customer, and each customer is created once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from connector.sandbox.fake_lapyme_customers import SERVICE_NAME
from mappings.customer_lookup import CustomerMatch, CustomerPage, CustomerQuery
from mappings.destinations.lapyme.customers import LapymeCustomerApi
from mappings.order import Address, Customer
from mappings.problems import render_problems
from tests.support.mapping_cases import SAMPLES, make_account, make_store, read, write
from tests.support.orders import woo_order
from tests.support.service import UUID, Service

pytestmark = pytest.mark.sqlite

DNI, CUIT = "30123456", "30712345671"
ROW_ID, KNOWN_ID = "1c8e3d1f-5b2d-4e54-9e1f-3a6e2b8b4c22", "2d9f4e20-6c3e-4f65-8f2a-4b7f3c9c5d33"
Open = Callable[..., Service]


@pytest.fixture
def finding(open_service: Open) -> Service:
    return open_service(more='customers = "find"')


@pytest.fixture
def making(open_service: Open) -> Service:
    return open_service(more='customers = "find_or_create"')


def order_of(
    document: str | None = DNI, number: int = 727, email: str | None = "tobias@example.com.ar"
) -> dict[str, Any]:
    order = woo_order(number)
    order["billing"] = {**order["billing"], "email": email or ""}
    if document:
        order["meta_data"] = [{"key": "_billing_dni", "value": document}]
    return order


def send(service: Service, order: dict[str, Any]) -> dict[str, Any]:
    """Post an order, deliver it, and return its delivery."""
    service.post_woo(order)
    service.deliver_due()
    newest = service.deliveries()[-1]
    whole: dict[str, Any] = service.api(f"/deliveries/{newest['id']}").json
    return whole


def booked_on(service: Service) -> list[str]:
    return [order.body["customer_id"] for order in service.sandbox.orders("lapyme")]


def asked(service: Service) -> list[tuple[str, str]]:
    """The requests about customers that LaPyme received: method and search term."""
    return [(seen.method, seen.query.get("query", "")) for seen in service.sandbox.requests(SERVICE_NAME)]


NOBODY = "Customer: LaPyme has none of this document or e-mail; the account's is taken."


# Found


@pytest.mark.parametrize("tax_id", [CUIT, "30-71234567-1"])
def test_customer_is_found_by_document_however_lapyme_writes_it(finding: Service, tax_id: str) -> None:
    known = finding.sandbox.add_customer(name="Mates S.R.L.", tax_id=tax_id, email=None)
    delivery = send(finding, order_of("CUIT 30-71234567-1"))
    assert booked_on(finding) == [known["id"]]
    assert [warning for warning in delivery["warnings"] if "ustomer:" in warning or "document" in warning] == []


def test_customer_is_found_by_e_mail_where_the_document_finds_none(finding: Service) -> None:
    known = finding.sandbox.add_customer(name="Tobías", tax_id=None, email="Tobias@Example.com.ar")
    send(finding, order_of())
    assert booked_on(finding) == [known["id"]]
    assert asked(finding) == [("GET", DNI), ("GET", "tobias@example.com.ar")]


@pytest.mark.parametrize(
    "known",
    [
        {"name": DNI, "tax_id": "20301234561", "email": "otro@example.com.ar"},
        {"name": "Otra", "tax_id": "27999999", "email": "tobias@example.com.ar"},
        {"name": "Otra", "tax_id": None, "email": "el.tobias@example.com.ar"},
    ],
    ids=["part of another's number", "same e-mail, another document", "part of another's e-mail"],
)
def test_somebody_else_whom_the_search_finds_is_not_the_customer(finding: Service, known: dict[str, Any]) -> None:
    finding.sandbox.add_customer(**known)
    delivery = send(finding, order_of())
    assert booked_on(finding) == [UUID]
    assert NOBODY in delivery["warnings"]


def test_where_several_have_the_e_mail_the_accounts_customer_is_taken(making: Service) -> None:
    for name in ("Uno", "Dos"):
        making.sandbox.add_customer(name=name, tax_id=None, email="tobias@example.com.ar")
    delivery = send(making, order_of(None))
    assert booked_on(making) == [UUID]
    assert "Customer: several have this e-mail; the account's is taken." in delivery["warnings"]
    assert len(making.sandbox.customers()) == 2


def test_customer_on_a_later_page_is_found(finding: Service) -> None:
    for number in range(150):
        finding.sandbox.add_customer(name=f"Cliente {number} de {DNI}", tax_id=str(number), email=None)
    known = finding.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    send(finding, order_of())
    assert booked_on(finding) == [known["id"]]
    assert asked(finding) == [("GET", DNI)] * 2


def test_customer_is_asked_for_once_an_hour(finding: Service) -> None:
    known = finding.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    for number in range(1, 4):
        send(finding, order_of(number=number))
    assert asked(finding) == [("GET", DNI)]
    finding.clock.forward(3_700)
    send(finding, order_of(number=4))
    assert asked(finding) == [("GET", DNI)] * 2
    assert booked_on(finding) == [known["id"]] * 4


def test_customer_who_is_remembered_by_e_mail_is_not_another_of_the_same_address(making: Service) -> None:
    known = making.sandbox.add_customer(name="Tobías", tax_id=DNI, email="tobias@example.com.ar")
    send(making, order_of(None, number=1))
    send(making, order_of("27999999", number=2))
    _, made = making.sandbox.customers()
    assert made["tax_id"] == "27999999"
    assert booked_on(making) == [known["id"], made["id"]]


def test_row_of_the_table_goes_before_lapymes_word(open_service: Open) -> None:
    rows = f'customer_id_by_document = {{ "30-123-456" = "{ROW_ID}" }}'
    service = open_service(more=f'customers = "find_or_create"\n{rows}')
    service.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    send(service, order_of())
    assert (booked_on(service), asked(service)) == ([ROW_ID], [])


def test_nobody_is_looked_for_unless_the_account_says_so(service: Service) -> None:
    delivery = send(service, order_of())
    assert (booked_on(service), asked(service)) == ([UUID], [])
    assert "Tax document is not sent: LaPyme books the order on the account's customer." in delivery["warnings"]


def test_order_that_nobody_is_named_in_is_booked_on_the_accounts_customer(making: Service) -> None:
    send(making, order_of(None, email=None))
    assert (booked_on(making), asked(making)) == ([UUID], [])


# Created


def test_customer_is_made_of_what_the_order_says(making: Service) -> None:
    send(making, order_of())
    [made] = making.sandbox.customers()
    assert made == {
        "object": "customer",
        "id": made["id"],
        "name": "Tobías Ensayo 727",
        "email": "tobias@example.com.ar",
        "phone": "011 4321-5678",
        "tax_id": DNI,
        "tax_id_type": "DNI",
    }
    assert booked_on(making) == [made["id"]]


def test_company_is_made_under_its_name() -> None:
    order = read("shopify", SAMPLES["shopify_ar"])
    order = replace(
        order, document=CUIT, email=None, phone=None, customer=Customer(first_name="Ana", last_name="Gil"),
        ship_to=None, bill_to=Address(company="Mates S.R.L."),
    )  # fmt: skip
    assert LapymeCustomerApi().build_request(order) == {
        "name": "Mates S.R.L.",
        "company_name": "Mates S.R.L.",
        "tax_id": CUIT,
        "tax_id_type": "CUIL/CUIT",
    }


def test_nobody_is_made_where_only_finding_is_allowed(finding: Service) -> None:
    delivery = send(finding, order_of())
    assert finding.sandbox.customers() == []
    assert (delivery["state"], booked_on(finding)) == ("delivered", [UUID])


def test_nobody_is_made_for_an_order_that_cannot_go(making: Service) -> None:
    order = order_of()
    delivery = send(making, {**order, "total": "1.00"})
    assert (delivery["reason"], asked(making)) == ("unmappable", [])


@pytest.mark.parametrize(
    ("fault", "options"),
    [("process_then_drop", {}), ("process_then_status", {"status": 500}), ("cut_body", {}), ("garbage_json", {})],
)
def test_lost_answer_makes_no_second_customer(making: Service, fault: str, options: dict[str, Any]) -> None:
    making.sandbox.inject_fault(SERVICE_NAME, fault, match="POST", **options)
    delivery = send(making, order_of(None))
    assert (delivery["state"], delivery["attempt_log"][0]["outcome"]) == ("waiting", "not_processed")
    assert making.sandbox.orders("lapyme") == []
    making.clock.forward(60)
    making.drain()
    [made] = making.sandbox.customers()
    assert booked_on(making) == [made["id"]]


def test_key_is_the_customers_and_shows_nobody(making: Service) -> None:
    making.sandbox.inject_fault(SERVICE_NAME, "drop_after_reading", match="POST", times=2)
    send(making, order_of(number=1))
    send(making, order_of(number=2))
    keys = {seen.key for seen in making.sandbox.requests(SERVICE_NAME) if seen.method == "POST"}
    [key] = keys
    assert key
    assert key.isascii()
    assert len(key) <= 255
    assert DNI not in key
    assert "tobias" not in key


def test_orders_of_one_new_customer_at_once_make_one(making: Service) -> None:
    for number in range(1, 9):
        making.post_woo(order_of(number=number))  # each under another name: the bytes differ
    worker = making.worker()
    with ThreadPoolExecutor(8) as pool:
        while claimed := worker.claim_due():
            list(pool.map(worker.process, claimed))
    making.clock.forward(60)
    making.drain()
    [made] = making.sandbox.customers()
    assert booked_on(making) == [made["id"]] * 8


def test_document_that_exists_in_a_form_that_is_not_found_is_said(making: Service) -> None:
    making.sandbox.add_customer(name="Mates", tax_id="30-712345671", email=None)  # neither spelling finds it
    delivery = send(making, order_of(CUIT))
    assert booked_on(making) == [UUID]
    assert "Customer: none could be made (status 409); the account's is taken." in delivery["warnings"]


def test_key_that_is_in_use_is_waited_for(making: Service) -> None:
    making.sandbox.inject_fault(SERVICE_NAME, "status", match="POST", status=409, code="IDEMPOTENCY_CONFLICT")
    delivery = send(making, order_of())
    assert (delivery["state"], delivery["attempt_log"][0]["outcome"]) == ("waiting", "not_processed")
    making.clock.forward(60)
    making.drain()
    [made] = making.sandbox.customers()
    assert booked_on(making) == [made["id"]]


def test_customer_that_lapyme_refuses_is_said_and_the_accounts_taken(making: Service) -> None:
    making.sandbox.inject_fault(SERVICE_NAME, "status", match="POST", status=422)
    delivery = send(making, order_of())
    assert booked_on(making) == [UUID]
    assert "Customer: none could be made (status 422); the account's is taken." in delivery["warnings"]


# Not available


@pytest.mark.parametrize(
    ("fault", "options", "outcome"),
    [
        ("drop_unread", {}, "not_processed"),
        ("status", {"status": 500}, "not_processed"),
        ("status", {"status": 429}, "not_processed"),
        ("status", {"status": 403}, "unauthorized"),
        ("garbage", {}, "not_processed"),
        ("garbage_json", {}, "not_processed"),
    ],
)
def test_order_waits_while_lapyme_does_not_say_who_it_is(
    finding: Service, fault: str, options: dict[str, Any], outcome: str
) -> None:
    known = finding.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    finding.sandbox.inject_fault(SERVICE_NAME, fault, **options)
    delivery = send(finding, order_of())
    assert (delivery["state"], delivery["attempt_log"][0]["outcome"]) == ("waiting", outcome)
    assert delivery["attempt_log"][0]["error"].startswith("no customer: ")
    assert finding.sandbox.orders("lapyme") == []
    finding.clock.forward(60)
    finding.drain()
    assert booked_on(finding) == [known["id"]]


def test_repeat_of_what_may_have_arrived_asks_for_nobody(finding: Service) -> None:
    finding.sandbox.inject_fault("lapyme", "process_then_drop")
    send(finding, order_of())
    finding.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    finding.clock.forward(60)
    finding.drain()
    first, second = finding.sandbox.requests("lapyme")
    assert (first.body, first.key) == (second.body, second.key)
    assert booked_on(finding) == [UUID]


def test_required_row_is_missing_only_where_lapyme_has_nobody(open_service: Open) -> None:
    service = open_service(more='customers = "find"\nrequired_tables = ["customer_id_by_document"]')
    delivery = send(service, order_of(number=1))
    assert (delivery["reason"], len(delivery["problems"])) == ("unmappable", 1)
    service.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    assert send(service, order_of(number=2))["state"] == "delivered"


# Without a network


def test_mapping_alone_shows_the_accounts_customer_and_says_so() -> None:
    order = replace(read("shopify", SAMPLES["shopify_ar"]), document=DNI)
    written = write(order, "lapyme", customers="find")
    assert written.body["customer_id"] == make_account("lapyme").customer_id  # type: ignore[attr-defined]
    assert "Customer: the account's is shown; for a delivery, LaPyme is asked for the order's own." in render_problems(
        written.warnings
    )


def test_body_names_the_customer_that_was_found() -> None:
    from mappings import DESTINATIONS

    order = replace(read("shopify", SAMPLES["shopify_ar"]), document=DNI)
    account, store = make_account("lapyme", customers="find"), make_store("shopify")
    written = DESTINATIONS["lapyme"].build_request(
        order, account, store, customer_match=CustomerMatch(customer_id=KNOWN_ID)
    )
    assert written.body["customer_id"] == KNOWN_ID


@pytest.mark.parametrize("reply", [None, [], {}, {"data": {}}, {"data": [1]}, "x"])
def test_reply_that_is_no_list_of_customers_says_nobody(reply: Any) -> None:
    sought = CustomerQuery(label="e-mail", value="a@b.example", search_terms=("a@b.example",))
    assert LapymeCustomerApi().parse_page(reply, sought, read("shopify", SAMPLES["shopify_ar"])) is None


def test_customer_without_a_good_id_is_nobody() -> None:
    sought = CustomerQuery(label="e-mail", value="a@b.example", search_terms=("a@b.example",))
    reply = {"data": [{"id": "7", "email": "a@b.example"}, {"email": "a@b.example"}]}
    assert LapymeCustomerApi().parse_page(reply, sought, read("shopify", SAMPLES["shopify_ar"])) == CustomerPage(ids=[])
