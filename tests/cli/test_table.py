"""`connector table … --file`: listing, and edits of CSV files that preserve their format and other rows."""

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from connector.cli import main
from connector.settings.table_editor import find_table_location, list_table_locations, set_row

ID, OTHER_ID = "0b9f4f0e-6a3c-4f65-8f0e-2f7d1c9a5b11", "1c8e3d1f-5b2d-4e54-9e1f-3a6e2b8b4c22"
#: Without stores, routes and secrets: the command needs none.
CONFIGURATION = """
[accounts.erp]
destination = "lapyme"
api_key = "${NOT_SET}"
product_id_by_sku = "${FOLDER}/productos.csv"
tax_rate_id_by_sku = { "LIBRO-1" = 3 }
customer_id_by_document = "nuevo.csv"

[accounts.hub]
destination = "centelar"
pickups = "sucursales.csv"
"""
PRODUCTS = f'\ufeffkey;value\r\nLIBRO-1;{ID}\r\n"A; ""B""";{ID}\r\n'


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    status: int
    out: str
    err: str


Run = Callable[..., CommandResult]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tablas").mkdir()
    (tmp_path / "connector.toml").write_text(CONFIGURATION, "utf-8")
    (tmp_path / "tablas/productos.csv").write_bytes(PRODUCTS.encode())
    (tmp_path / "sucursales.csv").write_text("key,id,name\nCentro,12,\n", "utf-8")
    monkeypatch.setenv("CONNECTOR_CONFIG", str(tmp_path / "connector.toml"))
    monkeypatch.setenv("FOLDER", "tablas")
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_command(*arguments: str) -> CommandResult:
        subcommand, *others = arguments
        monkeypatch.setattr(sys, "argv", ["connector", "table", subcommand, "--file", *others])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        status = end.value.code or 0
        assert isinstance(status, int)
        return CommandResult(status=status, out=printed.out, err=printed.err)

    return run_command


def test_list_shows_source_and_row_count_of_each_table(run: Run) -> None:
    listed = [json.loads(line) for line in run("list", "--json").out.splitlines()]
    sources = {(row["account"], row["table"]): (row["kept in"], row["rows"]) for row in listed if row["kept in"]}
    assert sources == {
        ("erp", "product_id_by_sku"): ("tablas/productos.csv", 2),
        ("erp", "tax_rate_id_by_sku"): ("connector.toml", 1),
        ("erp", "customer_id_by_document"): ("nuevo.csv", None),
        ("hub", "pickups"): ("sucursales.csv", 1),
    }
    [fault] = [row["fault"] for row in listed if row["fault"]]
    assert fault.endswith("nuevo.csv: there is no such file; `connector table set --file` creates it.")


def test_show_prints_rows_from_toml_and_csv(run: Run) -> None:
    assert run("show", "--account", "erp", "tax_rate_id_by_sku").out == "key      value\nLIBRO-1  3\n"
    assert run("show", "--account", "hub", "--csv", "pickups").out == "key,id,name\nCentro,12,\n"
    printed = run("show", "--account", "hub", "--json", "pickups").out
    assert json.loads(printed) == {"key": "Centro", "id": "12", "name": ""}


def test_set_adds_a_row_and_preserves_the_file(run: Run, folder: Path) -> None:
    result = run("set", "--account", "erp", "product_id_by_sku", "CAFÉ", OTHER_ID)
    assert (result.status, result.out) == (0, "Row “CAFÉ” is set in tablas/productos.csv.\n")
    assert (folder / "tablas/productos.csv").read_bytes() == f"{PRODUCTS}CAFÉ;{OTHER_ID}\r\n".encode()
    assert sorted(path.name for path in (folder / "tablas").iterdir()) == ["productos.csv"]


def test_set_replaces_an_existing_row_in_place(run: Run, folder: Path) -> None:
    run("set", "--account", "erp", "product_id_by_sku", "LIBRO-1", OTHER_ID)
    changed = PRODUCTS.replace(f"LIBRO-1;{ID}", f"LIBRO-1;{OTHER_ID}")
    assert (folder / "tablas/productos.csv").read_bytes() == changed.encode()


def test_set_accepts_named_columns_and_matches_equivalent_keys(run: Run, folder: Path) -> None:
    run("set", "--account", "hub", "pickups", "Sucursal Norte", "name=El Norte")
    run("set", "--account", "hub", "pickups", "CENTRO", "id=13")
    assert (folder / "sucursales.csv").read_text("utf-8") == "key,id,name\nCENTRO,13,\nSucursal Norte,,El Norte\n"


def test_set_creates_a_missing_file(run: Run, folder: Path) -> None:
    assert run("set", "--account", "erp", "customer_id_by_document", "30-71234567-1", ID).status == 0
    assert (folder / "nuevo.csv").read_text("utf-8") == f"key,value\n30-71234567-1,{ID}\n"


def test_set_writes_through_a_symlink(run: Run, folder: Path) -> None:
    (folder / "sucursales.csv").rename(folder / "tablas/sucursales.csv")
    (folder / "sucursales.csv").symlink_to("tablas/sucursales.csv")
    assert run("set", "--account", "hub", "pickups", "Centro", "id=13").status == 0
    assert (folder / "sucursales.csv").is_symlink()
    assert (folder / "tablas/sucursales.csv").read_text("utf-8") == "key,id,name\nCentro,13,\n"


def test_remove_deletes_one_row(run: Run, folder: Path) -> None:
    result = run("remove", "--account", "erp", "product_id_by_sku", "LIBRO-1")
    assert (result.status, result.out) == (0, "Row “LIBRO-1” is removed from tablas/productos.csv.\n")
    assert (folder / "tablas/productos.csv").read_bytes() == PRODUCTS.replace(f"LIBRO-1;{ID}\r\n", "").encode()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("set", "--account", "erp", "product_id_by_sku", "A", "x"), 1, "must be a UUID as LaPyme shows it.\n"),
        (("set", "--account", "erp", "product_id_by_sku", "", ID), 1, "must not be empty.\n"),
        (("set", "--account", "hub", "pickups", "A", "id=x"), 1, "id must be a whole number.\n"),
        (("remove", "--account", "erp", "product_id_by_sku", "A"), 1, "product_id_by_sku has no row “A”\n"),
        (
            ("set", "--account", "erp", "tax_rate_id_by_sku", "A", "3"),
            1,
            "tax_rate_id_by_sku of erp is in connector.toml, which this command does not edit, to preserve its "
            "comments. Leave out --file to enter the row in the database. Or write the row there and restart the "
            "service. Or move the table to a file: "
            "`connector table show --file --csv --account erp tax_rate_id_by_sku > tax_rate_id_by_sku.csv`, "
            'then write tax_rate_id_by_sku = "tax_rate_id_by_sku.csv" instead of it.\n',
        ),
        (
            ("set", "--account", "erp", "warehouses", "A", ID),
            1,
            "erp has no warehouses in a file. Leave out --file to enter the row in the database. Or write "
            'warehouses = "warehouses.csv" under [accounts.erp] in connector.toml, run this command again, and then '
            "restart the service.\n",
        ),
        (("show", "--account", "erp", "pickups"), 1, "erp has no table “pickups”; choose from charges, currencies, "),
        (("show", "--account", "otro", "pickups"), 1, "there is no account “otro” with tables; choose from erp, hub\n"),
        (("set", "--account", "hub", "pickups", "A", "12"), 2, "this table takes id=… or name=…, not “12”.\n"),
        (("set", "--account", "erp", "product_id_by_sku", "A", "b", "c"), 2, "quote a value that contains spaces.\n"),
    ],
)
def test_invalid_change_is_reported_and_changes_nothing(
    run: Run, folder: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    result = run(*arguments)
    assert (result.status, result.out) == (status, "")
    assert message in result.err
    assert (folder / "tablas/productos.csv").read_bytes() == PRODUCTS.encode()
    assert (folder / "connector.toml").read_text("utf-8") == CONFIGURATION


def test_file_with_an_error_is_not_overwritten(run: Run, folder: Path) -> None:
    (folder / "sucursales.csv").write_text("Centro,12\n", "utf-8")
    result = run("set", "--account", "hub", "pickups", "Norte", "id=1")
    assert result.status == 2
    assert result.err.endswith("sucursales.csv, line 1: must be the header key,id,name.\n")
    assert (folder / "sucursales.csv").read_text("utf-8") == "Centro,12\n"


def test_concurrent_sets_keep_every_row(folder: Path) -> None:
    placed = find_table_location(
        list_table_locations(folder / "connector.toml", {"FOLDER": "tablas"}), "erp", "product_id_by_sku"
    )
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: set_row(placed, f"SKU-{number}", [ID]), range(40)))
    keys = [cells[0] for _, cells in placed.read().lines]
    assert sorted(keys) == sorted(["LIBRO-1", 'A; "B"', *(f"SKU-{number}" for number in range(40))])


def test_command_suggested_by_a_problem_sets_the_row(run: Run, folder: Path) -> None:
    from shlex import split

    from mappings.problems import Problem, render_problem

    params = {"account": "hub", "placeholder": "id=ID"}
    problem = Problem(code="centelar_no_branch", params=params, table="pickups", keys=("-l'Été «A B»",))
    command = render_problem(problem).partition("run `connector table ")[2].removesuffix("`.")
    assert run(*split(command.replace("=ID", "=7"))).status == 0
    assert (folder / "sucursales.csv").read_text("utf-8") == "key,id,name\nCentro,12,\n-l'Été «A B»,7,\n"
