"""Deliveries that lacked a lookup table row are requeued when the row is added, and no others."""

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
EXTRA_SETTINGS = 'product_id_by_sku = "productos.csv"\nrequired_tables = ["product_id_by_sku"]'
OpenService = Callable[..., Service]


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[..., None]:
    """Write the lookup table with these SKUs."""

    def write(*skus: str, content: str | None = None) -> None:
        rows = "".join(f"{sku},{ID}\n" for sku in skus)
        (tmp_path / "productos.csv").write_text(content or f"key,value\n{rows}", "utf-8")

    write()
    return write


@pytest.fixture
def parked_service(write_table: Callable[..., None], open_service: OpenService) -> Service:
    """A service with an order that lacks a row for YERBA-1."""
    service = open_service(more=EXTRA_SETTINGS)
    service.post_woo(woo_order())
    service.drain()
    return service


def state_and_reason(service: Service) -> list[tuple[str, str | None]]:
    return [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()]


UNMAPPABLE, DELIVERED, WAITING = ("parked", "unmappable"), ("delivered", None), ("waiting", None)


def notice_files(worker: Worker) -> None:
    """Run the duties as though their interval had passed since the files were last read."""
    worker.reload_settings()
    worker.run_duties()


def recheck_tables(service: Service) -> None:
    """Have a running worker check the tables and deliver what becomes due."""
    worker = service.worker()
    notice_files(worker)
    for claimed in worker.claim_due():
        worker.process(claimed)


def test_missing_row_parks_the_order_and_shows_the_row_to_add(parked_service: Service) -> None:
    delivery = parked_service.only_delivery()
    assert (delivery["state"], delivery["reason"]) == UNMAPPABLE
    assert delivery["problems"] == [
        'Products > SKU “YERBA-1” has no product at LaPyme: add a row "YERBA-1" = "PRODUCT_ID" to `product_id_by_sku`, '
        "or run `connector table set --account erp product_id_by_sku YERBA-1 PRODUCT_ID`."
    ]


def test_order_is_sent_automatically_once_its_row_is_added(
    parked_service: Service, write_table: Callable[..., None]
) -> None:
    write_table("YERBA-1")
    recheck_tables(parked_service)
    [order] = parked_service.sandbox.orders("lapyme")
    assert order.body["lines"][0]["product_id"] == ID
    delivery = parked_service.only_delivery()
    assert ((delivery["state"], delivery["reason"]), delivery["problems"]) == (DELIVERED, [])


def test_running_worker_notices_a_changed_file(parked_service: Service, write_table: Callable[..., None]) -> None:
    worker = parked_service.worker()
    notice_files(worker)
    assert state_and_reason(parked_service) == [UNMAPPABLE]
    write_table("YERBA-1")
    notice_files(worker)
    assert state_and_reason(parked_service) == [WAITING]


def test_order_is_sent_after_a_restart_with_the_row(
    parked_service: Service, write_table: Callable[..., None], open_service: OpenService
) -> None:
    write_table("YERBA-1")
    restarted = open_service(more=EXTRA_SETTINGS)
    restarted.drain()
    assert state_and_reason(restarted) == [DELIVERED]


def test_order_is_sent_after_a_restart_with_the_row_in_toml(parked_service: Service, open_service: OpenService) -> None:
    inline = f'required_tables = ["product_id_by_sku"]\nproduct_id_by_sku = {{ "YERBA-1" = "{ID}" }}'
    restarted = open_service(more=inline)
    restarted.drain()
    assert state_and_reason(restarted) == [DELIVERED]


def test_order_waits_for_every_missing_row(open_service: OpenService, write_table: Callable[..., None]) -> None:
    service = open_service(more=EXTRA_SETTINGS)
    order = woo_order()
    [first] = order["line_items"]
    lines = [
        {**first, "quantity": 1, "subtotal": "100.00", "subtotal_tax": "21.00", "total": "100.00", "total_tax": "21.00"}
    ] * 3
    order["line_items"] = [{**line, "sku": sku} for line, sku in zip(lines, ["A", "B", "B"], strict=True)]
    service.post_woo(order)
    service.drain()
    assert len(service.only_delivery()["problems"]) == 2
    write_table("A")
    recheck_tables(service)
    assert state_and_reason(service) == [UNMAPPABLE]
    write_table("A", "B")
    recheck_tables(service)
    assert state_and_reason(service) == [DELIVERED]


def test_row_seen_first_by_another_process_requeues_the_order(
    parked_service: Service, write_table: Callable[..., None]
) -> None:
    write_table("YERBA-1")
    other = parked_service.worker()
    notice_files(other)  # the row is already known when the next order is parked
    stale = parked_service.worker()
    parked_service.post_woo(woo_order(728))
    for claimed in stale.claim_due():
        stale.process(claimed)
    assert state_and_reason(parked_service) == [UNMAPPABLE, UNMAPPABLE]
    assert requeue_mappable(other.runtime) == 2
    assert state_and_reason(parked_service) == [WAITING, WAITING]


def test_preview_reads_the_current_file(parked_service: Service, write_table: Callable[..., None]) -> None:
    [delivery] = parked_service.deliveries()
    path = f"/deliveries/{delivery['id']}/preview"
    assert len(parked_service.api(path, json={}).json["problems"]) == 1
    write_table("YERBA-1")
    assert parked_service.api(path, json={}).json["problems"] == []


def test_unrelated_row_requeues_nothing(parked_service: Service, write_table: Callable[..., None]) -> None:
    write_table("CAFE")
    recheck_tables(parked_service)
    assert state_and_reason(parked_service) == [UNMAPPABLE]
    assert parked_service.sandbox.orders("lapyme") == []


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
def test_only_unmappable_deliveries_are_requeued(
    parked_service: Service, write_table: Callable[..., None], values: dict[str, Any]
) -> None:
    with parked_service.database.write() as transaction:
        transaction.execute(update(Delivery).values(values))
    write_table("YERBA-1")
    recheck_tables(parked_service)
    assert state_and_reason(parked_service) == [(values["state"], values["reason"])]
    assert parked_service.sandbox.orders("lapyme") == []


def test_requeued_delivery_has_no_missing_rows(parked_service: Service, write_table: Callable[..., None]) -> None:
    write_table("YERBA-1")
    recheck_tables(parked_service)
    with parked_service.database.read() as connection:
        assert connection.execute(select(col(Delivery.missing_rows))).scalars().all() == [None]


def test_invalid_file_is_ignored_until_it_is_corrected(
    parked_service: Service, write_table: Callable[..., None]
) -> None:
    worker = parked_service.worker()
    write_table(content="key,value\nYERBA-1,x\n")
    notice_files(worker)
    assert state_and_reason(parked_service) == [UNMAPPABLE]
    write_table("YERBA-1")
    notice_files(worker)
    assert state_and_reason(parked_service) == [WAITING]


def test_gateway_matches_by_code_or_by_name(open_service: OpenService) -> None:
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
    assert state_and_reason(service) == [UNMAPPABLE]
    with service.database.read() as connection:
        missing_rows = connection.execute(select(col(Delivery.missing_rows))).scalar_one()
    assert json.loads(missing_rows or "") == [["payment_types", ["bacs", "Transferencia"]]]
    types = 'payment_types = {{ "transferencia" = "promissory" }}'
    restarted = open_service(text=text.replace("{centelar}", address).replace("{types}", types))
    restarted.deliver_due()
    assert state_and_reason(restarted) != [UNMAPPABLE]
