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
from tests.support.mapping_cases import SAMPLES, build_account, build_body, build_store, parse_order
from tests.support.orders import woo_order
from tests.support.service import UUID, Service

pytestmark = pytest.mark.sqlite

DNI, CUIT = "30123456", "30712345671"
ROW_ID, EXISTING_ID = "1c8e3d1f-5b2d-4e54-9e1f-3a6e2b8b4c22", "2d9f4e20-6c3e-4f65-8f2a-4b7f3c9c5d33"
OpenService = Callable[..., Service]


@pytest.fixture
def find_service(open_service: OpenService) -> Service:
    return open_service(more='customers = "find"')


@pytest.fixture
def create_service(open_service: OpenService) -> Service:
    return open_service(more='customers = "find_or_create"')


def order_with(
    document: str | None = DNI, number: int = 727, email: str | None = "tobias@example.com.ar"
) -> dict[str, Any]:
    order = woo_order(number)
    order["billing"] = {**order["billing"], "email": email or ""}
    if document:
        order["meta_data"] = [{"key": "_billing_dni", "value": document}]
    return order


def deliver_order(service: Service, order: dict[str, Any]) -> dict[str, Any]:
    """Post an order, deliver it, and return its delivery."""
    service.post_woo(order)
    service.deliver_due()
    newest = service.deliveries()[-1]
    whole: dict[str, Any] = service.api(f"/deliveries/{newest['id']}").json
    return whole


def customer_id_of(service: Service) -> list[str]:
    return [order.body["customer_id"] for order in service.sandbox.orders("lapyme")]


def customer_requests(service: Service) -> list[tuple[str, str]]:
    """The requests about customers that LaPyme received: method and search term."""
    return [(request.method, request.query.get("query", "")) for request in service.sandbox.requests(SERVICE_NAME)]


ORDER_WITHOUT_CUSTOMER = "Customer: LaPyme has none with this document or e-mail; the account's customer is used."


# Found


@pytest.mark.parametrize("tax_id", [CUIT, "30-71234567-1"])
def test_customer_is_found_by_document_in_any_format(find_service: Service, tax_id: str) -> None:
    customer = find_service.sandbox.add_customer(name="Mates S.R.L.", tax_id=tax_id, email=None)
    delivery = deliver_order(find_service, order_with("CUIT 30-71234567-1"))
    assert customer_id_of(find_service) == [customer["id"]]
    assert [warning for warning in delivery["warnings"] if "ustomer:" in warning or "document" in warning] == []


def test_customer_is_found_by_email_when_the_document_finds_none(find_service: Service) -> None:
    customer = find_service.sandbox.add_customer(name="Tobías", tax_id=None, email="Tobias@Example.com.ar")
    deliver_order(find_service, order_with())
    assert customer_id_of(find_service) == [customer["id"]]
    assert customer_requests(find_service) == [("GET", DNI), ("GET", "tobias@example.com.ar")]


@pytest.mark.parametrize(
    "existing",
    [
        {"name": DNI, "tax_id": "20301234561", "email": "otro@example.com.ar"},
        {"name": "Otra", "tax_id": "27999999", "email": "tobias@example.com.ar"},
        {"name": "Otra", "tax_id": None, "email": "el.tobias@example.com.ar"},
    ],
    ids=["part of another's number", "same e-mail, another document", "part of another's e-mail"],
)
def test_search_result_for_another_person_is_not_used(find_service: Service, existing: dict[str, Any]) -> None:
    find_service.sandbox.add_customer(**existing)
    delivery = deliver_order(find_service, order_with())
    assert customer_id_of(find_service) == [UUID]
    assert ORDER_WITHOUT_CUSTOMER in delivery["warnings"]


def test_default_customer_is_used_when_several_share_the_email(create_service: Service) -> None:
    for name in ("Uno", "Dos"):
        create_service.sandbox.add_customer(name=name, tax_id=None, email="tobias@example.com.ar")
    delivery = deliver_order(create_service, order_with(None))
    assert customer_id_of(create_service) == [UUID]
    assert "Customer: several have this e-mail; the account's customer is used." in delivery["warnings"]
    assert len(create_service.sandbox.customers()) == 2


def test_customer_on_a_later_page_is_found(find_service: Service) -> None:
    for number in range(150):
        find_service.sandbox.add_customer(name=f"Cliente {number} de {DNI}", tax_id=str(number), email=None)
    customer = find_service.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    deliver_order(find_service, order_with())
    assert customer_id_of(find_service) == [customer["id"]]
    assert customer_requests(find_service) == [("GET", DNI)] * 2


def test_customer_lookup_is_cached_for_an_hour(find_service: Service) -> None:
    customer = find_service.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    for number in range(1, 4):
        deliver_order(find_service, order_with(number=number))
    assert customer_requests(find_service) == [("GET", DNI)]
    find_service.clock.forward(3_700)
    deliver_order(find_service, order_with(number=4))
    assert customer_requests(find_service) == [("GET", DNI)] * 2
    assert customer_id_of(find_service) == [customer["id"]] * 4


def test_customer_cached_by_email_is_not_used_for_another_document(create_service: Service) -> None:
    existing = create_service.sandbox.add_customer(name="Tobías", tax_id=DNI, email="tobias@example.com.ar")
    deliver_order(create_service, order_with(None, number=1))
    deliver_order(create_service, order_with("27999999", number=2))
    _, created = create_service.sandbox.customers()
    assert created["tax_id"] == "27999999"
    assert customer_id_of(create_service) == [existing["id"], created["id"]]


def test_lookup_table_row_takes_precedence_over_the_search(open_service: OpenService) -> None:
    rows = f'customer_id_by_document = {{ "30-123-456" = "{ROW_ID}" }}'
    service = open_service(more=f'customers = "find_or_create"\n{rows}')
    service.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    deliver_order(service, order_with())
    assert (customer_id_of(service), customer_requests(service)) == ([ROW_ID], [])


def test_customers_are_searched_only_when_configured(service: Service) -> None:
    delivery = deliver_order(service, order_with())
    assert (customer_id_of(service), customer_requests(service)) == ([UUID], [])
    assert "Tax document is not sent: LaPyme books the order on the account's customer." in delivery["warnings"]


def test_order_without_customer_data_uses_the_default_customer(create_service: Service) -> None:
    deliver_order(create_service, order_with(None, email=None))
    assert (customer_id_of(create_service), customer_requests(create_service)) == ([UUID], [])


# Created


def test_customer_is_created_from_the_order(create_service: Service) -> None:
    deliver_order(create_service, order_with())
    [customer] = create_service.sandbox.customers()
    assert customer == {
        "object": "customer",
        "id": customer["id"],
        "name": "Tobías Ensayo 727",
        "email": "tobias@example.com.ar",
        "phone": "011 4321-5678",
        "tax_id": DNI,
        "tax_id_type": "DNI",
    }
    assert customer_id_of(create_service) == [customer["id"]]


def test_company_is_created_with_its_company_name() -> None:
    order = parse_order("shopify", SAMPLES["shopify_ar"])
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


def test_customer_is_not_created_in_find_mode(find_service: Service) -> None:
    delivery = deliver_order(find_service, order_with())
    assert find_service.sandbox.customers() == []
    assert (delivery["state"], customer_id_of(find_service)) == ("delivered", [UUID])


def test_customer_is_not_created_for_an_unmappable_order(create_service: Service) -> None:
    order = order_with()
    delivery = deliver_order(create_service, {**order, "total": "1.00"})
    assert (delivery["reason"], customer_requests(create_service)) == ("unmappable", [])


@pytest.mark.parametrize(
    ("fault", "options"),
    [("process_then_drop", {}), ("process_then_status", {"status": 500}), ("cut_body", {}), ("garbage_json", {})],
)
def test_lost_response_creates_no_duplicate_customer(
    create_service: Service, fault: str, options: dict[str, Any]
) -> None:
    create_service.sandbox.inject_fault(SERVICE_NAME, fault, match="POST", **options)
    delivery = deliver_order(create_service, order_with(None))
    assert (delivery["state"], delivery["attempt_log"][0]["outcome"]) == ("waiting", "not_processed")
    assert create_service.sandbox.orders("lapyme") == []
    create_service.clock.forward(60)
    create_service.drain()
    [customer] = create_service.sandbox.customers()
    assert customer_id_of(create_service) == [customer["id"]]


def test_idempotency_key_identifies_the_customer_without_personal_data(create_service: Service) -> None:
    create_service.sandbox.inject_fault(SERVICE_NAME, "drop_after_reading", match="POST", times=2)
    deliver_order(create_service, order_with(number=1))
    deliver_order(create_service, order_with(number=2))
    keys = {request.key for request in create_service.sandbox.requests(SERVICE_NAME) if request.method == "POST"}
    [key] = keys
    assert key
    assert key.isascii()
    assert len(key) <= 255
    assert DNI not in key
    assert "tobias" not in key


def test_concurrent_orders_create_a_new_customer_once(create_service: Service) -> None:
    for number in range(1, 9):
        create_service.post_woo(order_with(number=number))  # each under another name: the bytes differ
    worker = create_service.worker()
    with ThreadPoolExecutor(8) as pool:
        while claimed := worker.claim_due():
            list(pool.map(worker.process, claimed))
    create_service.clock.forward(60)
    create_service.drain()
    [customer] = create_service.sandbox.customers()
    assert customer_id_of(create_service) == [customer["id"]] * 8


def test_existing_document_not_found_by_search_is_a_warning(create_service: Service) -> None:
    create_service.sandbox.add_customer(name="Mates", tax_id="30-712345671", email=None)  # neither spelling finds it
    delivery = deliver_order(create_service, order_with(CUIT))
    assert customer_id_of(create_service) == [UUID]
    assert "Customer: creating one failed (status 409); the account's customer is used." in delivery["warnings"]


def test_idempotency_key_in_use_is_retried(create_service: Service) -> None:
    create_service.sandbox.inject_fault(SERVICE_NAME, "status", match="POST", status=409, code="IDEMPOTENCY_CONFLICT")
    delivery = deliver_order(create_service, order_with())
    assert (delivery["state"], delivery["attempt_log"][0]["outcome"]) == ("waiting", "not_processed")
    create_service.clock.forward(60)
    create_service.drain()
    [customer] = create_service.sandbox.customers()
    assert customer_id_of(create_service) == [customer["id"]]


def test_refused_customer_is_a_warning_and_the_default_is_used(create_service: Service) -> None:
    create_service.sandbox.inject_fault(SERVICE_NAME, "status", match="POST", status=422)
    delivery = deliver_order(create_service, order_with())
    assert customer_id_of(create_service) == [UUID]
    assert "Customer: creating one failed (status 422); the account's customer is used." in delivery["warnings"]


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
def test_order_waits_while_the_customer_search_fails(
    find_service: Service, fault: str, options: dict[str, Any], outcome: str
) -> None:
    customer = find_service.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    find_service.sandbox.inject_fault(SERVICE_NAME, fault, **options)
    delivery = deliver_order(find_service, order_with())
    assert (delivery["state"], delivery["attempt_log"][0]["outcome"]) == ("waiting", outcome)
    assert delivery["attempt_log"][0]["error"].startswith("no customer: ")
    assert find_service.sandbox.orders("lapyme") == []
    find_service.clock.forward(60)
    find_service.drain()
    assert customer_id_of(find_service) == [customer["id"]]


def test_repeat_of_an_ambiguous_attempt_skips_the_customer_search(find_service: Service) -> None:
    find_service.sandbox.inject_fault("lapyme", "process_then_drop")
    deliver_order(find_service, order_with())
    find_service.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    find_service.clock.forward(60)
    find_service.drain()
    first, second = find_service.sandbox.requests("lapyme")
    assert (first.body, first.key) == (second.body, second.key)
    assert customer_id_of(find_service) == [UUID]


def test_required_row_is_missing_only_when_no_customer_is_found(open_service: OpenService) -> None:
    service = open_service(more='customers = "find"\nrequired_tables = ["customer_id_by_document"]')
    delivery = deliver_order(service, order_with(number=1))
    assert (delivery["reason"], len(delivery["problems"])) == ("unmappable", 1)
    service.sandbox.add_customer(name="Tobías", tax_id=DNI, email=None)
    assert deliver_order(service, order_with(number=2))["state"] == "delivered"


# Without a network


def test_dry_run_uses_the_default_customer_with_a_warning() -> None:
    order = replace(parse_order("shopify", SAMPLES["shopify_ar"]), document=DNI)
    request = build_body(order, "lapyme", customers="find")
    assert request.body["customer_id"] == build_account("lapyme").customer_id  # type: ignore[attr-defined]
    assert "Customer: this is the account's; a delivery searches LaPyme for the order's customer." in render_problems(
        request.warnings
    )


def test_body_contains_the_matched_customer() -> None:
    from mappings import DESTINATIONS

    order = replace(parse_order("shopify", SAMPLES["shopify_ar"]), document=DNI)
    account, store = build_account("lapyme", customers="find"), build_store("shopify")
    request = DESTINATIONS["lapyme"].build_request(
        order, account, store, customer_match=CustomerMatch(customer_id=EXISTING_ID)
    )
    assert request.body["customer_id"] == EXISTING_ID


@pytest.mark.parametrize("response", [None, [], {}, {"data": {}}, {"data": [1]}, "x"])
def test_malformed_search_response_matches_no_customer(response: Any) -> None:
    sought = CustomerQuery(label="e-mail", value="a@b.example", search_terms=("a@b.example",))
    assert LapymeCustomerApi().parse_page(response, sought, parse_order("shopify", SAMPLES["shopify_ar"])) is None


def test_customer_without_a_valid_id_is_not_matched() -> None:
    sought = CustomerQuery(label="e-mail", value="a@b.example", search_terms=("a@b.example",))
    response = {"data": [{"id": "7", "email": "a@b.example"}, {"email": "a@b.example"}]}
    assert LapymeCustomerApi().parse_page(
        response, sought, parse_order("shopify", SAMPLES["shopify_ar"])
    ) == CustomerPage(ids=[])
