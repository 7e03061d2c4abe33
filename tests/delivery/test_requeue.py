"""What lacked a row of a table goes on by itself when the row is there, and nothing else does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from connector.database.models import Delivery
from connector.delivery.requeue import requeue_mappable
from connector.worker.worker import Worker
from tests.support.orders import woo_order
from tests.support.service import CONFIGURATION, Service

ID = "0b9f4f0e-6a3c-4f65-8f0e-2f7d1c9a5b11"
MORE = 'product_id_by_sku = "productos.csv"\nrequired_tables = ["product_id_by_sku"]'
OpenService = Callable[..., Service]


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[..., None]:
    """Write the table, with these SKUs in it."""

    def write(*skus: str, content: str | None = None) -> None:
        rows = "".join(f"{sku},{ID}\n" for sku in skus)
        (tmp_path / "productos.csv").write_text(content or f"key,value\n{rows}", "utf-8")

    write()
    return write


@pytest.fixture
def parked(write_table: Callable[..., None], open_service: OpenService) -> Service:
    """A service with an order that lacks the row of YERBA-1."""
    service = open_service(more=MORE)
    service.post_woo(woo_order())
    service.drain()
    return service


def told(service: Service) -> list[tuple[str, str | None]]:
    return [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()]


UNMAPPABLE, DELIVERED, WAITING = ("parked", "unmappable"), ("delivered", None), ("waiting", None)


def notice_files(worker: Worker) -> None:
    """Run the duties as though their interval had passed since the files were last read."""
    worker.reload_lookup_tables()
    worker.run_duties()


def look(service: Service) -> None:
    """Let a forwarder that runs already look at the tables and carry what is due by it."""
    forwarder = service.forwarder()
    notice_files(forwarder)
    for claimed in forwarder.claim_due():
        forwarder.process(claimed)


def test_order_that_misses_a_row_is_parked_with_the_row_to_add(parked: Service) -> None:
    delivery = parked.only_delivery()
    assert (delivery["state"], delivery["reason"]) == UNMAPPABLE
    assert delivery["problems"] == [
        'Products > SKU “YERBA-1” has no product at LaPyme: add a row "YERBA-1" = "PRODUCT_ID" to `product_id_by_sku`, '
        "or run `connector table set --account erp product_id_by_sku YERBA-1 PRODUCT_ID`."
    ]


def test_order_goes_out_when_its_row_is_in_the_file_and_nobody_asks(
    parked: Service, write_table: Callable[..., None]
) -> None:
    write_table("YERBA-1")
    look(parked)
    [order] = parked.sandbox.orders("lapyme")
    assert order.body["lines"][0]["product_id"] == ID
    delivery = parked.only_delivery()
    assert ((delivery["state"], delivery["reason"]), delivery["problems"]) == (DELIVERED, [])


def test_forwarder_that_runs_already_notices_the_file(parked: Service, write_table: Callable[..., None]) -> None:
    forwarder = parked.forwarder()
    notice_files(forwarder)
    assert told(parked) == [UNMAPPABLE]
    write_table("YERBA-1")
    notice_files(forwarder)
    assert told(parked) == [WAITING]


def test_order_goes_out_after_a_restart_with_the_row(
    parked: Service, write_table: Callable[..., None], open_service: OpenService
) -> None:
    write_table("YERBA-1")
    restarted = open_service(more=MORE)
    restarted.drain()
    assert told(restarted) == [DELIVERED]


def test_order_goes_out_after_a_restart_with_the_row_in_the_configuration(
    parked: Service, open_service: OpenService
) -> None:
    inline = f'required_tables = ["product_id_by_sku"]\nproduct_id_by_sku = {{ "YERBA-1" = "{ID}" }}'
    restarted = open_service(more=inline)
    restarted.drain()
    assert told(restarted) == [DELIVERED]


def test_order_waits_until_every_row_is_there(open_service: OpenService, write_table: Callable[..., None]) -> None:
    service = open_service(more=MORE)
    order = woo_order()
    [first] = order["line_items"]
    lines = [
        {**first, "quantity": 1, "subtotal": "100.00", "subtotal_tax": "21.00", "total": "100.00", "total_tax": "21.00"}
    ] * 3
    order["line_items"] = [{**one, "sku": sku} for one, sku in zip(lines, ["A", "B", "B"], strict=True)]
    service.post_woo(order)
    service.drain()
    assert len(service.only_delivery()["problems"]) == 2
    write_table("A")
    look(service)
    assert told(service) == [UNMAPPABLE]
    write_table("A", "B")
    look(service)
    assert told(service) == [DELIVERED]


def test_row_that_was_there_in_another_process_first_wakes_what_this_one_parked(
    parked: Service, write_table: Callable[..., None]
) -> None:
    write_table("YERBA-1")
    other = parked.forwarder()
    notice_files(other)  # the row is known, and nothing is changed when the next one is parked
    stale = parked.forwarder()
    parked.post_woo(woo_order(728))
    for claimed in stale.claim_due():
        stale.process(claimed)
    assert told(parked) == [UNMAPPABLE, UNMAPPABLE]
    assert requeue_mappable(other.runtime) == 2
    assert told(parked) == [WAITING, WAITING]


def test_preview_heeds_the_file_as_it_is_now(parked: Service, write_table: Callable[..., None]) -> None:
    [delivery] = parked.deliveries()
    path = f"/deliveries/{delivery['id']}/preview"
    assert len(parked.api(path, json={}).json["problems"]) == 1
    write_table("YERBA-1")
    assert parked.api(path, json={}).json["problems"] == []


def test_nothing_is_woken_by_another_row(parked: Service, write_table: Callable[..., None]) -> None:
    write_table("CAFE")
    look(parked)
    assert told(parked) == [UNMAPPABLE]
    assert parked.sandbox.orders("lapyme") == []


@pytest.mark.parametrize(
    "values",
    [
        {"state": "delivered", "reason": None},
        {"state": "parked", "reason": "uncertain"},
        {"state": "parked", "reason": "refused"},
        {"state": "parked", "reason": "exhausted"},
        {"state": "discarded", "reason": "cancelled"},
        {"state": "discarded", "reason": "by hand"},
    ],
)
def test_only_what_is_unmappable_is_woken(
    parked: Service, write_table: Callable[..., None], values: dict[str, Any]
) -> None:
    with parked.database.write() as transaction:
        transaction.execute(update(Delivery).values(values))
    write_table("YERBA-1")
    look(parked)
    assert told(parked) == [(values["state"], values["reason"])]
    assert parked.sandbox.orders("lapyme") == []


def test_order_that_a_person_let_go_lacks_no_row_any_more(parked: Service, write_table: Callable[..., None]) -> None:
    write_table("YERBA-1")
    look(parked)
    with parked.database.read() as connection:
        assert connection.execute(select(col(Delivery.missing_rows))).scalars().all() == [None]


def test_file_with_a_fault_changes_nothing_and_its_correction_does(
    parked: Service, write_table: Callable[..., None]
) -> None:
    forwarder = parked.forwarder()
    write_table(content="key,value\nYERBA-1,x\n")
    notice_files(forwarder)
    assert told(parked) == [UNMAPPABLE]
    write_table("YERBA-1")
    notice_files(forwarder)
    assert told(parked) == [WAITING]


def test_gateway_is_found_by_either_of_its_names(open_service: OpenService) -> None:
    hub = """
[accounts.hub]
destination = "centelar"
base_url = "{centelar}"
connection_id = 1
{types}
"""
    text = CONFIGURATION.replace("[[routes]]", hub + "[[routes]]", 1).replace('to = ["erp"]', 'to = ["hub"]')
    address = "http://127.0.0.1:9"
    service = open_service(text=text.replace("{centelar}", address).replace("{types}", ""))
    service.post_woo(woo_order(payment_method="bacs", payment_method_title="Transferencia"))
    service.drain()
    assert told(service) == [UNMAPPABLE]
    with service.database.read() as connection:
        kept = connection.execute(select(col(Delivery.missing_rows))).scalar_one()
    assert json.loads(kept or "") == [["payment_types", ["bacs", "Transferencia"]]]
    types = 'payment_types = {{ "transferencia" = "promissory" }}'
    restarted = open_service(text=text.replace("{centelar}", address).replace("{types}", types))
    restarted.carry_due()
    assert told(restarted) != [UNMAPPABLE]
