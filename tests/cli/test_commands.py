"""The commands as a user runs them: output, error output and exit status."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from werkzeug.serving import make_server

from connector.cli import main
from connector.sandbox.server import SandboxServer
from connector.sandbox.webhook_sender import SAMPLES_DIRECTORY, read_fresh_sample
from connector.settings import build_account, build_store, load_settings
from connector.web.app import create_app
from mappings import DESTINATIONS, STOREFRONTS
from tests.support.orders import RAYO_BODY, encode, shopify_order
from tests.support.service import CONFIGURATION, Service

pytestmark = pytest.mark.sqlite


class Input(io.BytesIO):
    name = "<stdin>"


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """Run a command line in this process."""

    def run_command(*arguments: str, stdin: bytes = b"") -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["connector", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Input(stdin)))
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        status = end.value.code or 0
        assert isinstance(status, int)
        return CommandResult(status=status, out=printed.out, err=printed.err)

    return run_command


@pytest.fixture
def configuration_path(
    configure: Callable[..., Path], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Write a configuration that the commands find. Returns the path of the database, which does not exist yet."""
    monkeypatch.setenv("CONNECTOR_CONFIG", str(configure()))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return Path(environ["DATABASE_URL"].removeprefix("sqlite:///"))


@pytest.fixture
def running(configuration_path: Path, service: Service) -> Service:
    """A service whose database and configuration the commands use."""
    return service


@contextmanager
def start_listening(service: Service) -> Iterator[str]:
    """Serve `service` over HTTP. Returns its URL."""
    server = make_server("127.0.0.1", 0, create_app(service.runtime), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def service_url(running: Service) -> Iterator[str]:
    """The URL at which `running` accepts webhooks."""
    with start_listening(running) as url:
        yield url


def write(folder: Path, text: str | bytes) -> str:
    path = folder / "input"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


# check


@pytest.mark.usefixtures("configuration_path")
def test_check_prints_counts_for_a_valid_configuration(run: Callable[..., CommandResult]) -> None:
    summary = (
        "The configuration is valid: stores 2, accounts 2, routes 2.\n"
        "Ended orders are kept for 90 days, parked orders that nobody acts on for 365 days.\n"
    )
    assert run("check") == CommandResult(status=0, out=summary, err="")


def test_check_creates_no_database(run: Callable[..., CommandResult], configuration_path: Path) -> None:
    assert run("check").status == 0
    assert list(configuration_path.parent.glob("connector.db*")) == []


@pytest.mark.parametrize("command", ["check", "serve", "worker"])
def test_account_that_only_the_database_knows_is_refused(
    run: Callable[..., CommandResult], running: Service, configure: Callable[..., Path], command: str
) -> None:
    running.post_shopify(shopify_order())
    configure(text=CONFIGURATION.replace("accounts.bodega]", "accounts.almacen]").replace('["bodega"]', '["almacen"]'))
    result = run(command)
    assert result.status == {"check": 1}.get(command, 2)
    assert "account “bodega” is known to the database and not configured" in result.err


@pytest.mark.parametrize("command", ["check", "serve", "worker", "migrate"])
def test_folder_that_does_not_exist_is_refused(
    run: Callable[..., CommandResult], configuration_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    folder = configuration_path.parent / "missing"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{folder}/connector.db")
    result = run(command)
    assert result.status == {"check": 1}.get(command, 2)
    assert result.err == f"DATABASE_URL: there is no folder {folder}.\n"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{configuration_path.parent}")
    assert run(command).err == f"DATABASE_URL: {configuration_path.parent} is a folder.\n"


@pytest.mark.parametrize(
    ("revision", "auto_migrate", "is_accepted"),
    [("0000", "1", True), ("0000", "0", False), ("9999", "1", False), ("9999", "0", False)],
)
def test_check_accepts_the_versions_of_the_database_that_serve_migrates(
    run: Callable[..., CommandResult],
    running: Service,
    monkeypatch: pytest.MonkeyPatch,
    revision: str,
    auto_migrate: str,
    is_accepted: bool,
) -> None:
    monkeypatch.setenv("AUTO_MIGRATE", auto_migrate)
    with running.database.write() as transaction:
        transaction.connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))
    result = run("check")
    assert (result.status == 0) is is_accepted
    if not is_accepted:
        assert f"the database is at revision {revision}" in result.err
        assert f"the database is at revision {revision}" in run("worker").err


def test_check_says_that_the_database_does_not_respond(
    run: Callable[..., CommandResult], configuration_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:x@127.0.0.1:9/none")
    result = run("check")
    assert result.status == 0
    assert result.err == (
        "The database was not checked: the database “none” at 127.0.0.1, port 9, is unavailable: Connection refused."
        " `connector serve` would wait for it.\n"
    )


def test_check_reports_every_error(
    run: Callable[..., CommandResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = """
        [stores.tienda]
        storefront = "shopify"
        secrets = []
        [accounts.bodega]
        destination = "rayo"
        [[routes]]
        from = "tienda"
        to = ["almacen"]
    """
    monkeypatch.setenv("CONNECTOR_CONFIG", write(tmp_path, faulty))
    monkeypatch.setenv("PORT", "http")

    checked = run("check")

    assert (checked.status, checked.out) == (1, "")
    paths = [line.partition(": ")[0] for line in checked.err.splitlines()]
    assert sorted(paths) == ["PORT", "accounts.bodega.api_key", "routes[0].to[0]", "stores.tienda.secrets"]


def test_check_finds_what_hides_behind_a_misspelt_name(
    run: Callable[..., CommandResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = """
        [stores.tienda]
        storefront = "shopfy"
        secrts = ["secreto-de-tienda"]
        [stores.otra]
        storefront = "zzz"
        secrets = ["secreto-de-otra"]
        colona = "x"
        [accounts.bodega]
        destination = "ryo"
        apikey = "clave"
        [accounts.hub]
        destination = "centelar"
        base_url = "https://hub.example"
        connection_id = 1
        payment_types = "tablas/pagos.csv"
        [[routes]]
        from = "tienda"
        to = ["bodega", "hub"]
        topic = ["paid"]
    """
    monkeypatch.setenv("CONNECTOR_CONFIG", write(tmp_path, faulty))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/datos/connector.db")
    checked = run("check")
    assert (checked.status, checked.out) == (1, "")
    errors = dict(line.split(": ", 1) for line in checked.err.splitlines())
    assert errors.keys() == {
        "stores.tienda.storefront",
        "stores.tienda.secrets",
        "stores.tienda.secrts",
        "stores.otra.storefront",
        "stores.otra.colona",
        "stores.otra",
        "accounts.bodega.destination",
        "accounts.bodega.apikey",
        "accounts.bodega.api_key",
        "accounts.hub.payment_types",
        "routes[0].topic",
        "DATABASE_URL",
    }
    assert errors["stores.tienda.secrts"] == "is not a setting; did you mean “secrets”?"
    assert errors["stores.otra"].startswith("no route leads from it")
    assert errors["accounts.hub.payment_types"] == f"tablas/pagos.csv: there is no folder {tmp_path}/tablas."


def test_check_reports_a_store_without_a_route_with_which_serve_starts(
    run: Callable[..., CommandResult], configure: Callable[..., Path], configuration_path: Path
) -> None:
    configure(more='[stores.otra]\nstorefront = "shopify"\nsecrets = ["secreto-de-otra"]\n')
    checked = run("check")
    assert (checked.status, checked.out) == (1, "")
    assert checked.err.startswith("stores.otra: no route leads from it")
    assert run("migrate").status == 0
    assert configuration_path.exists()


def read_states(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """The mode, size and time of change of everything in a folder."""
    statuses = {path: path.stat() for path in folder.rglob("*")}
    return {path: (status.st_mode, status.st_size, status.st_mtime_ns) for path, status in statuses.items()}


def test_check_changes_no_file(
    run: Callable[..., CommandResult],
    configure: Callable[..., Path],
    configuration_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = configuration_path.parent
    text = CONFIGURATION.replace('api_key = "rayo-key"', 'api_key = "rayo-key"\nschema = "propio:Propio"')
    (folder / "propio.py").write_text(
        "from mappings.destinations.rayo import RayoOrderSchema\n\n\nclass Propio(RayoOrderSchema):\n    pass\n",
        "utf-8",
    )
    configure(text=text)
    assert run("migrate").status == 0
    (folder / "__pycache__").rename(folder / "before")
    before = read_states(folder)
    del sys.modules["propio"]
    assert run("check").status == 0
    assert read_states(folder) == before


def test_other_commands_exit_2_on_an_invalid_configuration(
    run: Callable[..., CommandResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", str(tmp_path / "nowhere.toml"))
    for command in (["list"], ["migrate"], ["serve"], ["worker"], ["trigger", "--store", "tienda-mx"]):
        result = run(*command)
        assert (result.status, result.out) == (2, "")
        assert "nowhere.toml" in result.err


@pytest.mark.parametrize("has_file", [False, True])
def test_variables_that_are_not_loaded_may_be_in_the_environment_file(
    run: Callable[..., CommandResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_file: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connector.toml").write_text(
        '[stores.a]\nstorefront = "shopify"\nsecrets = ["${SIN_CARGAR}"]\n'
        '[accounts.b]\ndestination = "rayo"\napi_key = "llave"\n[[routes]]\nfrom = "a"\nto = ["b"]\n',
        "utf-8",
    )
    if has_file:
        (tmp_path / ".env").write_text("SIN_CARGAR=secreto-de-a\n", "utf-8")
    for command in ("check", "serve", "list"):
        lines = run(command).err.splitlines()
        assert lines[0] == "stores.a.secrets[0]: the environment variable SIN_CARGAR is not set."
        assert lines[1:] == (["If they are in .env, load it first: set -a; . ./.env; set +a"] if has_file else [])


# map


def test_map_prints_only_the_body_and_needs_no_database(
    run: Callable[..., CommandResult], configuration_path: Path, tmp_path: Path
) -> None:
    order = write(tmp_path, encode(shopify_order()))
    mapped = run("map", "--store", "tienda-mx", "--account", "bodega", order)
    assert (mapped.status, json.loads(mapped.out), mapped.err) == (0, RAYO_BODY, "")
    assert not configuration_path.exists()


def test_map_writes_warnings_to_standard_error(run: Callable[..., CommandResult]) -> None:
    order = encode(shopify_order(note="Dejar con el portero"))
    mapped = run("map", "--storefront", "shopify", "--destination", "rayo", "-", stdin=order)
    assert (mapped.status, json.loads(mapped.out)) == (0, RAYO_BODY)
    assert mapped.err == "Customer note is not sent: Rayo has no field for it.\n"


def test_map_says_what_only_a_webhook_or_a_route_decides(
    run: Callable[..., CommandResult], configuration_path: Path, tmp_path: Path
) -> None:
    text = configuration_path.parent.joinpath("connector.toml").read_text("utf-8")
    route = 'to = ["bodega"]'
    configuration_path.parent.joinpath("connector.toml").write_text(
        text.replace(route, f'{route}\nonly = {{ country = ["AR"] }}'), "utf-8"
    )
    order = write(tmp_path, encode(shopify_order(created_at="2020-01-02T10:00:00Z", financial_status="pending")))
    mapped = run("map", "--store", "tienda-mx", "--account", "bodega", order)
    assert (mapped.status, json.loads(mapped.out)) == (0, RAYO_BODY)
    discarded = "Not decided here: a delivery of this order would be discarded: "
    assert mapped.err.splitlines() == [
        f"{discarded}it was placed on 2020-01-02 10:00 UTC, before the store's `since` (2026-01-01 00:00 UTC).",
        f"{discarded}its newest version is not paid.",
        f"{discarded}country MX is not among AR.",
    ]


def test_map_accepts_settings_without_a_configuration(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    payload = shopify_order()
    payload["shipping_address"] = {**payload["shipping_address"], "address2": "Roma Sur"}
    settings = ["district_from=shipping_address.address2", "servicio_rayo=EXPRESS", "states.Ciudad de México=CDMX"]
    set_options = [word for setting in settings for word in ("--set", setting)]

    mapped = run(
        *("map", "--storefront", "shopify", "--destination", "rayo"), *set_options, write(tmp_path, encode(payload))
    )

    consignee = RAYO_BODY["consumidor_destino"] | {"colonia": "Roma Sur", "estado": "CDMX", "no_interior": None}
    assert mapped.status == 0
    assert json.loads(mapped.out) == RAYO_BODY | {"consumidor_destino": consignee, "servicio_rayo": "EXPRESS"}


def test_map_explains_where_each_field_came_from(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    order = write(tmp_path, encode(shopify_order(note="Dejar con el portero")))
    spokes = ("--storefront", "shopify", "--destination", "rayo")

    table = run("map", *spokes, "--explain", order)

    rows = [re.split(" {2,}", line) for line in table.out.splitlines()]
    assert (table.status, table.err) == (0, "Customer note is not sent: Rayo has no field for it.\n")
    assert rows[0] == ["field", "value", "is", "from", "depends on"]
    street = ['"Av. Álvaro Obregón"', "Shipping address > street", "shipping_address.address1"]
    assert rows[1] == ["consumidor_destino.calle", *street]
    explanation = json.loads(run("map", *spokes, "--explain", "--json", order).out)
    assert (explanation["body"], explanation["problems"]) == (RAYO_BODY, [])
    assert [origin["field"] for origin in explanation["origins"]] == [row[0] for row in rows[1:]]


def test_map_explains_the_partial_body_of_an_order_with_problems(run: Callable[..., CommandResult]) -> None:
    payload = shopify_order()
    payload["shipping_address"] = {**payload["shipping_address"], "city": ""}
    order = encode(payload)
    explained = run("map", "--storefront", "shopify", "--destination", "rayo", "--explain", "--json", "-", stdin=order)
    assert (explained.status, explained.err) == (1, "")
    assert (json.loads(explained.out)["body"], json.loads(explained.out)["problems"]) == (
        None,
        ["Shipping address > city is missing."],
    )


def test_map_names_all_problems_and_prints_no_body(run: Callable[..., CommandResult]) -> None:
    payload = shopify_order()
    payload["shipping_address"] = {**payload["shipping_address"], "address2": None, "city": ""}
    mapped = run("map", "--storefront", "shopify", "--destination", "rayo", "-", stdin=encode(payload))
    problems = "Shipping address > city is missing.\nShipping address > neighbourhood is missing.\n"
    assert mapped == CommandResult(status=1, out="", err=problems)


def test_map_refuses_a_cancelled_order_as_a_delivery_would(run: Callable[..., CommandResult]) -> None:
    order = encode(shopify_order(cancelled_at="2026-11-20T11:00:00-06:00"))
    mapped = run("map", "--storefront", "shopify", "--destination", "rayo", "-", stdin=order)
    assert (mapped.status, mapped.out) == (1, "")
    assert "cancelled" in mapped.err


@pytest.mark.usefixtures("configuration_path")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--store", "tienda-mx", "--account", "hangar", "-"], "no account “hangar”; choose from bodega, erp."),
        (["--storefront", "shoplift", "--destination", "rayo", "-"], "there is no storefront “shoplift”"),
        (["--store", "tienda-mx", "--destination", "rayo", "-"], "use --store and --account, or"),
        (["--storefront", "shopify", "--destination", "rayo", "--set", "id", "-"], "--set takes NAME=VALUE"),
        (["--storefront", "shopify", "--destination", "rayo", "-"], "is not JSON."),
        (["--storefront", "shopify", "--destination", "rayo", "--json", "-"], "--json requires --explain"),
        (["--storefront", "shopify", "--destination", "rayo", "/nowhere.json"], "No such file"),
        (["--storefront", "shopify", "--destination", "rayo", "--set", "servico=X", "-"], "servico"),
    ],
)
def test_map_exits_2_on_invalid_usage(run: Callable[..., CommandResult], arguments: list[str], message: str) -> None:
    mapped = run("map", *arguments, stdin=b"no JSON")
    assert (mapped.status, mapped.out) == (2, "")
    assert message in mapped.err


# migrate, show


def test_database_is_migrated_before_there_is_a_configuration(
    run: Callable[..., CommandResult], configuration_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONNECTOR_CONFIG")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert run("migrate").status == 0
    monkeypatch.setenv("CONNECTOR_TOML", "[stores]")
    assert run("migrate").status == 2  # so that a release with a faulty configuration does not replace a good one
    monkeypatch.setenv("CONNECTOR_TOML", configuration_path.with_name("connector.toml").read_text("utf-8"))
    assert run("list").status == 0


def test_commands_require_a_migrated_database(run: Callable[..., CommandResult], configuration_path: Path) -> None:
    listed = run("list")
    assert (listed.status, listed.out) == (1, "")
    assert "connector migrate" in listed.err
    assert run("migrate") == CommandResult(status=0, out="The database is up to date.\n", err="")
    assert run("list").status == 0


def test_show_prints_the_api_response(run: Callable[..., CommandResult], running: Service) -> None:
    running.post_shopify(shopify_order())
    running.drain()
    result = run("show", "1")
    assert (result.status, json.loads(result.out)) == (0, running.api("/deliveries/1").json)
    assert json.loads(result.out)["body"] == RAYO_BODY
    assert json.loads(run("show", "--event", "1").out) == running.api("/events/1").json


@pytest.mark.usefixtures("running")
def test_commands_exit_1_for_an_unknown_delivery(run: Callable[..., CommandResult]) -> None:
    for command in (["show", "7"], ["retrigger", "7"], ["resolve", "7", "--as", "discarded"]):
        result = run(*command)
        assert (result.status, result.out) == (1, "")
        assert "7" in result.err


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("command", ["pause", "resume"])
def test_pause_and_resume_name_the_accounts_that_there_are(run: Callable[..., CommandResult], command: str) -> None:
    result = run(command, "hangar")
    assert (result.status, result.out) == (1, "")
    assert result.err == "There is no account “hangar”: it is one of bodega, erp.\n"


# retrigger, resolve


def test_retrigger_queues_a_parked_delivery(run: Callable[..., CommandResult], running: Service) -> None:
    running.sandbox.inject_fault("rayo", "status", status=422)
    running.post_shopify(shopify_order())
    running.drain()
    assert running.only_delivery()["reason"] == "refused"

    result = run("retrigger", "1", "--note", "Rayo knows the product now")

    assert result == CommandResult(status=0, out="Delivery 1 is queued.\n", err="")
    running.drain()
    delivery = running.only_delivery()
    assert delivery["state"] == "delivered"
    assert "Rayo knows the product now" in [note["text"] for note in delivery["notes"]]


def test_retrigger_of_an_uncertain_delivery_needs_force(run: Callable[..., CommandResult], running: Service) -> None:
    running.sandbox.inject_fault("rayo", "drop_after_reading")
    running.post_shopify(shopify_order())
    running.drain()

    refused = run("retrigger", "1")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("Delivery 1 was not queued: it is uncertain: ")
    assert "--force" in refused.err
    assert running.only_delivery()["reason"] == "uncertain"

    assert run("retrigger", "1", "--force").status == 0
    running.drain()
    assert running.only_delivery()["state"] == "delivered"
    assert len(running.sandbox.orders("rayo")) == 1


def test_retrigger_of_an_event_reports_the_result_of_each_delivery(
    run: Callable[..., CommandResult], running: Service
) -> None:
    running.post_shopify(shopify_order())
    running.drain()
    result = run("retrigger", "--event", "1")
    [answered] = running.api("/events/1/retrigger", json={}).json["deliveries"]
    assert result == CommandResult(status=1, out=f"Delivery 1 to bodega is skipped: {answered['why']}.\n", err="")


def test_retrigger_of_an_event_that_no_route_takes_says_so(run: Callable[..., CommandResult], running: Service) -> None:
    running.post_shopify(shopify_order(financial_status="pending"), "orders/create")
    result = run("retrigger", "--event", "1", "--force")
    assert (result.status, result.out) == (1, "")
    assert result.err == "Nothing was done: event 1 has no order that a route accepts.\n"
    assert running.deliveries() == []
    named = run("retrigger", "--event", "1", "--force", "--account", "bodega")
    assert (named.status, named.out) == (0, "Delivery 1 to bodega is queued: it was created for this account.\n")
    running.drain()
    assert running.only_delivery()["state"] == "delivered"


@pytest.mark.usefixtures("running")
def test_retrigger_of_an_event_rejects_new_key(run: Callable[..., CommandResult]) -> None:
    result = run("retrigger", "--event", "1", "--new-key")
    assert (result.status, result.out) == (2, "")
    assert "--new-key and --looked are for one delivery." in result.err


def test_resolve_closes_a_parked_delivery(run: Callable[..., CommandResult], running: Service) -> None:
    running.sandbox.inject_fault("rayo", "process_then_drop")
    running.post_shopify(shopify_order())
    running.drain()

    result = run("resolve", "1", "--as", "delivered", "--remote-id", "R-17", "--note", "Seen in Rayo's panel")

    assert result == CommandResult(status=0, out="Delivery 1 is delivered.\n", err="")
    delivery = running.only_delivery()
    assert (delivery["state"], delivery["reason"], delivery["remote_id"]) == ("delivered", None, "R-17")


def test_resolve_rejects_a_delivery_that_is_being_sent(run: Callable[..., CommandResult], running: Service) -> None:
    running.post_shopify(shopify_order())
    result = run("resolve", "1", "--as", "delivered")
    assert (result.status, result.out) == (1, "")
    assert running.only_delivery()["state"] == "waiting"


# trigger


@pytest.mark.parametrize("name", STOREFRONTS)
def test_every_storefront_has_a_sample_of_a_paid_order(name: str) -> None:
    storefront, store = STOREFRONTS[name], build_store(name, {})
    body = read_fresh_sample(name)
    payload = webhook = json.loads(body)
    webhook = storefront.sample.build_payload(payload, storefront.sample.topic, store)
    headers = storefront.sample.build_headers(webhook, storefront.sample.topic, store)

    identity = storefront.identify({name.lower(): value for name, value in headers.items()}, webhook, body)
    order = storefront.parse_order(payload, store)

    assert "paid" in identity.topics
    assert identity.ignore_reason is None
    assert (order.is_paid, order.blocking_problems, order.parts_total) == (True, [], order.total)


@pytest.mark.parametrize("sample", sorted(SAMPLES_DIRECTORY.glob("*.json")), ids=lambda path: path.stem)
def test_samples_use_only_example_email_addresses(sample: Path) -> None:
    mentioned = re.findall(r"[\w.]+@([\w.]+)", sample.read_text("utf-8"))
    assert set(mentioned) == {"example.com"}


@pytest.mark.parametrize(("store", "destination"), [("tienda-mx", "rayo"), ("tienda-ar", "lapyme")])
def test_trigger_posts_a_sample_that_reaches_its_destination(
    run: Callable[..., CommandResult], running: Service, service_url: str, store: str, destination: str
) -> None:
    accepted = run("trigger", "--store", store, "--url", service_url, "--sample")
    assert (accepted.status, json.loads(accepted.out)) == (0, {"status": "accepted", "event": "1"})
    running.drain()
    assert len(running.sandbox.orders(destination)) == 1


@pytest.mark.usefixtures("running")
def test_repeated_trigger_posts_the_same_event(run: Callable[..., CommandResult], service_url: str) -> None:
    responses = [json.loads(run("trigger", "--store", "tienda-mx", "--url", f"{service_url}/").out) for _ in range(2)]
    assert responses == [{"status": "accepted", "event": "1"}, {"status": "duplicate", "event": "1"}]


def test_trigger_posts_a_file_with_a_topic(
    run: Callable[..., CommandResult], running: Service, service_url: str, tmp_path: Path
) -> None:
    order = write(tmp_path, encode(shopify_order(1044, financial_status="pending")))
    result = run("trigger", "--store", "tienda-mx", "--url", service_url, "--topic", "orders/create", order)
    assert json.loads(result.out)["status"] == "ignored"  # no route takes it
    event = running.api("/events/1").json
    assert (event["topic"], event["order_number"]) == ("orders/create", "#1044")


@pytest.mark.usefixtures("running")
def test_trigger_exits_1_when_the_webhook_is_rejected(run: Callable[..., CommandResult], service_url: str) -> None:
    result = run("trigger", "--store", "tienda-mx", "--url", service_url, "-", stdin=b"no JSON")
    assert result.status == 1
    assert json.loads(result.out)["detail"] == "the body is not JSON"
    assert result.err == "The service responded with status 400.\n"


@pytest.mark.usefixtures("configuration_path")
def test_trigger_reports_that_the_service_is_unreachable(
    run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("PORT", str(port))
    message = f"No response from http://127.0.0.1:{port} (ConnectError). Is the service running there?\n"
    assert run("trigger", "--store", "tienda-mx") == CommandResult(status=1, out="", err=message)


REAL_ACCOUNT = """
[accounts.real]
destination = "rayo"
api_key = "clave"
[[routes]]
from = "tienda-mx"
to = ["real"]
topics = ["created"]
"""


@pytest.mark.parametrize("options", [[], ["--sample"], ["FILE"]])
def test_trigger_posts_no_invented_order_to_a_real_account(
    run: Callable[..., CommandResult],
    running: Service,
    service_url: str,
    configure: Callable[..., Path],
    tmp_path: Path,
    options: list[str],
) -> None:
    configure(more=REAL_ACCOUNT)
    sample = write(tmp_path, read_fresh_sample("shopify"))
    arguments = [sample if option == "FILE" else option for option in options]
    refused = run("trigger", "--store", "tienda-mx", "--url", service_url, *arguments)
    assert (refused.status, refused.out) == (1, "")
    assert "routes of tienda-mx lead to real, which would ship or invoice it" in refused.err
    assert running.deliveries() == []
    assert run("trigger", "--store", "tienda-mx", "--url", service_url, "--even-if-real", *arguments).status == 0


@pytest.mark.usefixtures("running")
def test_trigger_posts_an_order_of_the_shop_to_a_real_account(
    run: Callable[..., CommandResult], service_url: str, configure: Callable[..., Path], tmp_path: Path
) -> None:
    configure(more=REAL_ACCOUNT)
    order = write(tmp_path, encode(shopify_order()))
    assert run("trigger", "--store", "tienda-mx", "--url", service_url, order).status == 0


@pytest.mark.usefixtures("running")
def test_trigger_posts_no_invented_order_to_a_service_elsewhere(run: Callable[..., CommandResult]) -> None:
    refused = run("trigger", "--store", "tienda-mx", "--url", "https://conector.invalid", "--sample")
    assert (refused.status, refused.out) == (1, "")
    assert "the service at https://conector.invalid may have other accounts" in refused.err


@pytest.mark.usefixtures("configuration_path")
def test_trigger_takes_a_sample_or_a_file(run: Callable[..., CommandResult]) -> None:
    assert run("trigger", "--store", "tienda-mx", "--sample", "-", stdin=b"{}").status == 2


TIENDANUBE_CONFIGURATION = """
[stores.nube]
storefront = "tiendanube"
secrets = ["secreto-de-nube"]
since = "2026-01-01T00:00:00Z"
store_id = 5120066
api_token = "ficha"
api_url = "{}"

[[routes]]
from = "nube"
to = ["erp"]
"""


@pytest.fixture
def open_tiendanube(
    open_service: Callable[..., Service], environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Service]:
    """Open a service with a Tiendanube store whose API is at a URL, for the commands to use."""

    def open_with(api_url: str) -> Service:
        monkeypatch.setenv("CONNECTOR_CONFIG", str(tmp_path / "connector.toml"))
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return open_service(more=TIENDANUBE_CONFIGURATION.format(api_url))

    return open_with


def test_trigger_stores_the_order_in_the_sandbox_for_thin_webhooks(
    run: Callable[..., CommandResult], open_tiendanube: Callable[[str], Service], sandbox: SandboxServer
) -> None:
    service = open_tiendanube(sandbox.url("tiendanube"))
    with start_listening(service) as address:
        accepted = run("trigger", "--store", "nube", "--url", address)
        service.drain()
    assert (accepted.status, json.loads(accepted.out)) == (0, {"status": "accepted", "event": "1"})
    [store_order], sample = sandbox.store_orders(), json.loads(read_fresh_sample("tiendanube"))
    assert (store_order.store_id, store_order.order) == ("5120066", sample)
    assert [order.body["notes"] for order in sandbox.orders("lapyme")] == [f"tiendanube {sample['number']}"]


def test_trigger_stores_nothing_in_a_real_shop(
    run: Callable[..., CommandResult], open_tiendanube: Callable[[str], Service], sandbox: SandboxServer
) -> None:
    with start_listening(open_tiendanube("https://api.tiendanube.com/v1")) as address:
        accepted = run("trigger", "--store", "nube", "--url", address)
    assert json.loads(accepted.out)["status"] == "accepted"
    assert sandbox.store_orders() == []


def test_trigger_posts_a_thin_payload_unchanged(
    run: Callable[..., CommandResult], open_tiendanube: Callable[[str], Service], sandbox: SandboxServer, tmp_path: Path
) -> None:
    service = open_tiendanube(sandbox.url("tiendanube"))
    webhook = write(tmp_path, '{"store_id": 5120066, "event": "order/packed", "id": 77}')
    with start_listening(service) as address:
        run("trigger", "--store", "nube", "--url", address, webhook)
    event = service.api("/events/1").json
    assert (event["topic"], event["order_id"]) == ("order/packed", "77")
    assert sandbox.store_orders() == []


def test_trigger_builds_the_thin_payload_for_the_topic(
    run: Callable[..., CommandResult], open_tiendanube: Callable[[str], Service], sandbox: SandboxServer
) -> None:
    service = open_tiendanube(sandbox.url("tiendanube"))
    with start_listening(service) as address:
        run("trigger", "--store", "nube", "--url", address, "--topic", "order/updated")
    assert service.api("/events/1").json["topic"] == "order/updated"


def test_trigger_reports_that_the_store_sandbox_is_unreachable(
    run: Callable[..., CommandResult], open_tiendanube: Callable[[str], Service]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"http://127.0.0.1:{listener.getsockname()[1]}/tiendanube"
    open_tiendanube(nowhere)
    message = f"No sandbox responds at {nowhere}. Is it running there?\n"
    assert run("trigger", "--store", "nube") == CommandResult(status=1, out="", err=message)


# sandbox


def test_sandbox_prints_its_urls_and_serves_until_stopped() -> None:
    command = [sys.executable, "-m", "connector", "sandbox", "--port", "0"]
    environment = {**os.environ, "CONNECTOR_CONFIG": "/nowhere.toml"}  # it needs none
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            assert lines[0].startswith("# The sandbox is at http://127.0.0.1:")
            while not re.match("base_url = .*/rayo", lines[-1]):
                lines.append(process.stdout.readline())
            [rayo] = re.findall('"(.*)"', lines[-1])
            token = httpx.post(f"{rayo}/api/rest/auth", headers={"x-api-key": "any"}, trust_env=False).json()
            bearer = {"Authorization": f"Bearer {token['AuthWithAPIkey']['accessToken']}"}
            response = httpx.post(f"{rayo}/api/rest/orders", json=RAYO_BODY, headers=bearer, trust_env=False)
        finally:
            process.send_signal(signal.SIGTERM)
        whole = "".join([*lines, process.stdout.read()])
    assert {"shopify", "tiendanube", "woocommerce"} <= set(re.findall("#   (.*): http", whole)) <= STOREFRONTS.keys()
    tables = tomllib.loads(whole)["accounts"]
    assert response.status_code == 200
    assert process.returncode == 0
    assert tables.keys() == DESTINATIONS.keys()
    for name, table in tables.items():
        account = build_account(name, {key: value for key, value in table.items() if key != "destination"})
        assert account.destination == name


def test_sandbox_exits_1_when_the_port_is_in_use(run: Callable[..., CommandResult], sandbox: SandboxServer) -> None:
    port = sandbox.url().rstrip("/").rpartition(":")[2]
    result = run("sandbox", "--port", port)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(f"The sandbox cannot listen on 127.0.0.1, port {port}: ")


@contextmanager
def running_sandbox(config_path: Path) -> Iterator[str]:
    """Run `connector sandbox --write`. Yields what it printed when the files were there."""
    command = [sys.executable, "-m", "connector", "sandbox", "--port", "0", "--write", str(config_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while "--sample" not in "".join(lines):
                lines.append(process.stdout.readline())
            yield "".join(lines)
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(("name", "environment_name"), [("connector.toml", ".env"), ("prueba.toml", "prueba.env")])
def test_sandbox_writes_a_configuration_with_which_the_service_starts(
    run: Callable[..., CommandResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    environment_name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with running_sandbox(tmp_path / name) as printed:
        assert f"set -a; . ./{environment_name}; set +a" in printed
        variables = dict(
            line.split("=", 1) for line in (tmp_path / environment_name).read_text("utf-8").splitlines()[1:]
        )
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        assert (tmp_path / environment_name).stat().st_mode & 0o777 == 0o600
        checked = run("check", "--live")
        settings = load_settings()
    assert (checked.status, checked.err) == (0, "")
    assert settings.stores.keys() == STOREFRONTS.keys()
    assert settings.accounts.keys() == DESTINATIONS.keys()
    for store in settings.stores.values():
        assert {account for route in settings.routes_of(store.id) for account in route.accounts} == DESTINATIONS.keys()


def test_sandbox_replaces_no_file(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n", "utf-8")
    result = run("sandbox", "--port", "0", "--write", str(tmp_path / "connector.toml"))
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith(f"{tmp_path}/.env exists.")
    result = run("sandbox", "--port", "0", "--write", str(tmp_path / "missing" / "connector.toml"))
    assert (result.status, result.err) == (1, f"--write: no file can be written in {tmp_path}/missing.\n")
    assert [path.name for path in tmp_path.iterdir()] == [".env"]
