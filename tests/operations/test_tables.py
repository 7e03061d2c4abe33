"""Rows of lookup tables that people enter: used by every process, over the configuration's, and sent on."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import split
from typing import Any

import pytest

from connector.cli import main
from connector.core.exceptions import SettingsError
from connector.database.queries.audit import TrailFilter, list_trail
from connector.operations.startup import check_startup
from connector.worker.worker import Worker
from mappings.problems import load_problems, render_problem
from tests.support.orders import woo_order
from tests.support.service import Service

ID, OTHER_ID = "0b9f4f0e-6a3c-4f65-8f0e-2f7d1c9a5b11", "1c8e3d1f-5b2d-4e54-9e1f-3a6e2b8b4c22"
REQUIRED = 'required_tables = ["product_id_by_sku"]\n'
PRODUCTS = "/tables/erp/product_id_by_sku"
OpenService = Callable[..., Service]


def park_order(open_service: OpenService, *, more: str = REQUIRED, number: int = 727) -> Service:
    """Return a service with an order that lacks a row for YERBA-1."""
    service = open_service(more=more)
    service.post_woo(woo_order(number))
    service.drain()
    assert service.only_delivery()["reason"] == "unmappable"
    return service


def set_row(service: Service, key: str = "YERBA-1", value: Any = ID, **more: Any) -> Any:
    return service.api(f"{PRODUCTS}/set-row", json={"key": key, "value": value, **more})


def remove_row(service: Service, key: str = "YERBA-1", **more: Any) -> Any:
    return service.api(f"{PRODUCTS}/remove-row", json={"key": key, **more})


def run_worker(worker: Worker) -> None:
    """Run the duties as though their interval had passed, and deliver what is due."""
    worker.reload_settings()
    worker.run_duties()
    for claimed in worker.claim_due():
        worker.process(claimed)


def sent_products(service: Service) -> list[str]:
    return [order.body["lines"][0]["product_id"] for order in service.sandbox.orders("lapyme")]


def test_entered_row_sends_the_waiting_orders_in_a_process_that_runs_already(open_service: OpenService) -> None:
    service = park_order(open_service)
    worker = open_service(more=REQUIRED).worker()
    run_worker(worker)
    assert sent_products(service) == []
    response = set_row(service, note="new product")
    assert (response.status_code, response.json) == (
        200,
        {
            "account": "erp",
            "table": "product_id_by_sku",
            "key": "YERBA-1",
            "value": ID,
            "entered_by": "token:admin",
            "entered_at": response.json["entered_at"],
            "note": "new product",
        },
    )
    run_worker(worker)
    assert sent_products(service) == [ID]
    assert service.only_delivery()["state"] == "delivered"


def test_entered_row_survives_a_restart(open_service: OpenService) -> None:
    set_row(park_order(open_service))
    restarted = open_service(more=REQUIRED)
    restarted.drain()
    assert sent_products(restarted) == [ID]


def test_entered_row_wins_over_the_file_until_it_is_removed(open_service: OpenService, tmp_path: Path) -> None:
    (tmp_path / "productos.csv").write_text(f"key,value\nYERBA-1,{OTHER_ID}\nCAFE,{ID}\n", "utf-8")
    service = open_service(more='product_id_by_sku = "productos.csv"')
    worker = service.worker()

    def send(number: int) -> str:
        service.post_woo(woo_order(number))
        run_worker(worker)
        return sent_products(service)[-1]

    assert send(1) == OTHER_ID
    set_row(service)
    assert send(2) == ID
    [cafe, yerba] = service.api(PRODUCTS).json["items"]
    assert (cafe["value"], cafe["configured_value"], cafe["entered_by"]) == (ID, ID, None)
    assert (yerba["value"], yerba["configured_value"], yerba["entered_by"]) == (ID, OTHER_ID, "token:admin")
    (tmp_path / "productos.csv").write_text(f"key,value\nYERBA-1,{OTHER_ID}\nTE,{OTHER_ID}\n", "utf-8")
    assert send(3) == ID  # also after the file was read again
    assert remove_row(service).json["value"] == ID
    assert send(4) == OTHER_ID
    assert remove_row(service).status_code == 404
    assert (tmp_path / "productos.csv").read_text("utf-8") == f"key,value\nYERBA-1,{OTHER_ID}\nTE,{OTHER_ID}\n"


def test_keys_that_the_table_takes_for_the_same_share_a_row(open_service: OpenService) -> None:
    service = open_service(more=f'warehouses = {{ "Depósito Norte" = "{ID}", "DEPOSITO NORTE" = "{ID}" }}')
    path = "/tables/erp/warehouses"
    for key, value in (("deposito norte", OTHER_ID), ("Depósito norte", ID), ("depósito-NORTE", OTHER_ID)):
        assert service.api(f"{path}/set-row", json={"key": key, "value": value}).status_code == 200
    worker = service.worker()
    run_worker(worker)
    assert worker.runtime.settings.accounts["erp"].warehouses.find("Depósito Norte") == OTHER_ID  # type: ignore[attr-defined]
    assert [row["key"] for row in service.api(path).json["items"]] == ["depósito-NORTE"]
    assert service.api(f"{path}/remove-row", json={"key": "DEPÓSITO NORTE"}).status_code == 200


def test_default_rows_stay_beside_an_entered_one(open_service: OpenService) -> None:
    service = open_service()
    service.api("/tables/erp/currencies/set-row", json={"key": "USD", "value": "USD"})
    worker = service.worker()
    run_worker(worker)
    assert worker.runtime.settings.accounts["erp"].currencies == {"ARS": "PES", "USD": "USD"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        (PRODUCTS, {"key": "A", "value": "x"}, "must be a UUID as LaPyme shows it."),
        (PRODUCTS, {"key": " ", "value": ID}, "must not be empty."),
        (PRODUCTS, {"key": "A"}, "`value` is missing"),
        ("/tables/erp/tax_rate_id_by_sku", {"key": "A", "value": "x"}, "must be a whole number."),
        (
            "/tables/erp/tax_rate_id_by_sku",
            {"key": "A", "value": "77"},
            "accounts.erp.tax_rate_id_by_sku: gives “A” a rate without a percentage in `tax_rates`.",
        ),
        (
            "/tables/erp/charges",
            {"key": "gift", "value": "SKU"},
            "must be one of: tip, fee, rounding, duties.",
        ),
    ],
)
def test_invalid_row_is_refused_as_the_configuration_refuses_it(
    service: Service, path: str, body: dict[str, Any], detail: str
) -> None:
    response = service.api(f"{path}/set-row", json=body)
    assert (response.status_code, response.json["detail"]) == (400, detail)
    assert service.api(path).json["items"] == []


def test_unknown_account_and_table_are_not_found(service: Service) -> None:
    for path in ("/tables/otro/states", "/tables/erp/states"):
        assert service.api(path).status_code == 404
        assert service.api(f"{path}/set-row", json={"key": "A", "value": "B"}).status_code == 404


def test_tables_list_the_rows_that_orders_wait_for(open_service: OpenService) -> None:
    service = park_order(open_service)
    service.post_woo(woo_order(728))
    service.drain()
    listed = service.api("/tables").json
    assert listed["missing"] == [
        {
            "account": "erp",
            "table": "product_id_by_sku",
            "keys": ["YERBA-1"],
            "deliveries": 2,
            "newest_delivery": "2",
        }
    ]
    set_row(service, "CAFE")
    [summary] = [item for item in service.api("/tables").json["items"] if item["table"] == "product_id_by_sku"]
    assert summary == {
        "account": "erp",
        "table": "product_id_by_sku",
        "kept_in": None,
        "configured": 0,
        "entered": 1,
        "waiting": 2,
    }


def test_table_is_listed_in_pages(service: Service) -> None:
    for key in ("A", "B", "C"):
        set_row(service, key)
    first = service.api(PRODUCTS, query_string={"limit": "2"}).json
    second = service.api(PRODUCTS, query_string={"limit": "2", "cursor": first["next"]}).json
    assert ([row["key"] for row in first["items"]], [row["key"] for row in second["items"]]) == (["A", "B"], ["C"])
    assert second["next"] is None


def test_changes_are_in_the_audit_trail(service: Service) -> None:
    set_row(service, note="from the invoice")
    set_row(service, value=OTHER_ID)
    remove_row(service, note="no longer sold")
    entries = list_trail(service.database, limit=10).entries
    row = "Row “YERBA-1” of `product_id_by_sku`"
    assert [
        (entry.action, entry.actor, entry.account, entry.text, render_problem(load_problems([entry.message or {}])[0]))
        for entry in entries[::-1]
    ] == [
        ("set-row", "token:admin", "erp", "from the invoice", f"{row} is {ID}."),
        ("set-row", "token:admin", "erp", "", f"{row} is {OTHER_ID}; it was {ID}."),
        (
            "remove-row",
            "token:admin",
            "erp",
            "no longer sold",
            f"{row} is removed; it was {OTHER_ID}.",
        ),
    ]


def test_repeated_request_changes_nothing_twice(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.runtime.settings.environment.admin_token}", "Idempotency-Key": "k-1"}
    for _ in range(2):
        response = service.client.post(f"/api{PRODUCTS}/set-row", json={"key": "A", "value": ID}, headers=headers)
    assert response.headers["Idempotency-Replayed"] == "true"
    assert len(list_trail(service.database, TrailFilter(action="set-row"), limit=10).entries) == 1


def test_preview_uses_the_row_and_names_who_entered_it(open_service: OpenService) -> None:
    service = park_order(open_service)
    set_row(service)
    preview = service.api("/deliveries/1/preview", json={}).json
    assert preview["problems"] == []
    [origin] = [origin for origin in preview["origins"] if origin["field"] == "lines[0].product_id"]
    [source] = [source for source in origin["from"] if source["part"] == "account"]
    assert source == {"part": "account", "path": "product_id_by_sku.YERBA-1", "entered_by": "token:admin"}


def test_row_that_the_configuration_no_longer_takes_keeps_the_service_from_starting(
    open_service: OpenService,
) -> None:
    rates = "tax_rates = { 5 = 21, 9 = 5 }"
    service = open_service(more=rates)
    service.api("/tables/erp/tax_rate_id_by_sku/set-row", json={"key": "A", "value": 9})
    check_startup(open_service(more=rates).runtime.settings)
    expected = (
        "accounts.erp.tax_rate_id_by_sku: gives “A” a rate without a percentage in `tax_rates`; this is a row in the "
        "database: enter another, or remove it with `connector table remove`."
    )
    with pytest.raises(SettingsError) as caught:
        open_service()
    assert caught.value.errors == [expected]
    assert remove_row_by_command("erp", "tax_rate_id_by_sku", "A") == 0
    open_service()


def remove_row_by_command(account: str, table: str, key: str) -> int:
    sys.argv = ["connector", "table", "remove", "--account", account, table, key]
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture(autouse=True)
def _command_environment(tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setenv("CONNECTOR_CONFIG", str(tmp_path / "connector.toml"))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def test_command_of_a_problem_sends_the_order(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = park_order(open_service)
    command = service.only_delivery()["problems"][0].partition("run `")[2].removesuffix("`.").replace("PRODUCT_ID", ID)
    monkeypatch.setenv("LOGNAME", "marta")

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["connector", "table", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        return capsys.readouterr().out

    assert run(*split(command)[2:], "--note", "it is new") == (
        "Row “YERBA-1” of product_id_by_sku is entered for erp. Deliveries that wait for it, and that the worker sends "
        "now: 1.\n"
    )
    service.drain()
    assert sent_products(service) == [ID]
    [row] = map(json.loads, run("show", "--account", "erp", "product_id_by_sku", "--json").splitlines())
    assert (row["key"], row["value"], row["entered_by"], row["note"]) == ("YERBA-1", ID, "marta", "it is new")
    assert "product_id_by_sku" in run("list")
    assert run("show", "--account", "erp", "product_id_by_sku", "--csv") == f"key,value\nYERBA-1,{ID}\n"
    assert run("remove", "--account", "erp", "product_id_by_sku", "YERBA-1") == (
        "Row “YERBA-1” of product_id_by_sku is removed from erp. The table has no such row now.\n"
    )
