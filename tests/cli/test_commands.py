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
from connector.sandbox.webhook_sender import SAMPLES_DIRECTORY, read_sample
from connector.settings import build_account, build_store
from connector.web.app import create_app
from mappings import DESTINATIONS, STOREFRONTS
from tests.support.orders import RAYO_BODY, encode, shopify_order, woo_order
from tests.support.service import Service

pytestmark = pytest.mark.sqlite


class Input(io.BytesIO):
    name = "<stdin>"


@dataclass(frozen=True, kw_only=True)
class Ended:
    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line in this process."""

    def run_command(*arguments: str, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "argv", ["connector", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Input(stdin)))
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        status = end.value.code or 0
        assert isinstance(status, int)
        return Ended(status=status, out=printed.out, err=printed.err)

    return run_command


@pytest.fixture
def configured(configure: Callable[..., Path], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a configuration that the commands find. Returns the path of the database, which does not exist yet."""
    monkeypatch.setenv("CONNECTOR_CONFIG", str(configure()))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return Path(environ["DATABASE_URL"].removeprefix("sqlite:///"))


@pytest.fixture
def running(configured: Path, service: Service) -> Service:
    """A service whose database and configuration the commands use."""
    return service


@contextmanager
def listen(service: Service) -> Iterator[str]:
    """Serve `service` over HTTP. Returns its URL."""
    server = make_server("127.0.0.1", 0, create_app(service.runtime), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def address(running: Service) -> Iterator[str]:
    """The URL at which `running` accepts webhooks."""
    with listen(running) as url:
        yield url


def write(folder: Path, text: str | bytes) -> str:
    path = folder / "input"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


# check


@pytest.mark.usefixtures("configured")
def test_check_counts_what_a_good_configuration_holds(run: Callable[..., Ended]) -> None:
    counted = "The configuration is valid: stores 2, accounts 2, routes 2.\n"
    assert run("check") == Ended(status=0, out=counted, err="")


def test_check_names_all_faults_at_once(
    run: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_other_commands_end_with_status_2_on_a_faulty_configuration(
    run: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", str(tmp_path / "nowhere.toml"))
    for command in (["list"], ["migrate"], ["serve"], ["worker"], ["trigger", "--store", "tienda-mx"]):
        ended = run(*command)
        assert (ended.status, ended.out) == (2, "")
        assert "nowhere.toml" in ended.err


# map


def test_map_prints_the_body_alone_and_needs_no_database(
    run: Callable[..., Ended], configured: Path, tmp_path: Path
) -> None:
    order = write(tmp_path, encode(shopify_order()))
    mapped = run("map", "--store", "tienda-mx", "--account", "bodega", order)
    assert (mapped.status, json.loads(mapped.out), mapped.err) == (0, RAYO_BODY, "")
    assert not configured.exists()


def test_map_writes_warnings_to_standard_error(run: Callable[..., Ended]) -> None:
    order = encode(shopify_order(note="Dejar con el portero"))
    mapped = run("map", "--storefront", "shopify", "--destination", "rayo", "-", stdin=order)
    assert (mapped.status, json.loads(mapped.out)) == (0, RAYO_BODY)
    assert mapped.err == "Customer note is not sent: Rayo has no field for it.\n"


def test_map_takes_settings_of_store_and_account_without_a_configuration(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    payload = shopify_order()
    payload["shipping_address"] = {**payload["shipping_address"], "address2": "Roma Sur"}
    settings = ["district_from=shipping_address.address2", "servicio_rayo=EXPRESS", "states.Ciudad de México=CDMX"]
    chosen = [word for setting in settings for word in ("--set", setting)]

    mapped = run(
        *("map", "--storefront", "shopify", "--destination", "rayo"), *chosen, write(tmp_path, encode(payload))
    )

    consignee = RAYO_BODY["consumidor_destino"] | {"colonia": "Roma Sur", "estado": "CDMX", "no_interior": None}
    assert mapped.status == 0
    assert json.loads(mapped.out) == RAYO_BODY | {"consumidor_destino": consignee, "servicio_rayo": "EXPRESS"}


def test_map_explains_where_each_field_came_from(run: Callable[..., Ended], tmp_path: Path) -> None:
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


def test_map_explains_what_there_is_of_an_order_with_problems(run: Callable[..., Ended]) -> None:
    payload = shopify_order()
    payload["shipping_address"] = {**payload["shipping_address"], "city": ""}
    order = encode(payload)
    explained = run("map", "--storefront", "shopify", "--destination", "rayo", "--explain", "--json", "-", stdin=order)
    assert (explained.status, explained.err) == (1, "")
    assert (json.loads(explained.out)["body"], json.loads(explained.out)["problems"]) == (
        None,
        ["Shipping address > city is missing."],
    )


def test_map_names_all_problems_and_prints_no_body(run: Callable[..., Ended]) -> None:
    payload = shopify_order()
    payload["shipping_address"] = {**payload["shipping_address"], "address2": None, "city": ""}
    mapped = run("map", "--storefront", "shopify", "--destination", "rayo", "-", stdin=encode(payload))
    problems = "Shipping address > city is missing.\nShipping address > neighbourhood is missing.\n"
    assert mapped == Ended(status=1, out="", err=problems)


def test_map_refuses_a_cancelled_order_as_a_delivery_would(run: Callable[..., Ended]) -> None:
    order = encode(shopify_order(cancelled_at="2026-11-20T11:00:00-06:00"))
    mapped = run("map", "--storefront", "shopify", "--destination", "rayo", "-", stdin=order)
    assert (mapped.status, mapped.out) == (1, "")
    assert "cancelled" in mapped.err


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--store", "tienda-mx", "--account", "hangar", "-"], "no account “hangar”; choose from bodega, erp."),
        (["--storefront", "shoplift", "--destination", "rayo", "-"], "there is no storefront “shoplift”"),
        (["--store", "tienda-mx", "--destination", "rayo", "-"], "give --store and --account, or"),
        (["--storefront", "shopify", "--destination", "rayo", "--set", "id", "-"], "--set takes NAME=VALUE"),
        (["--storefront", "shopify", "--destination", "rayo", "-"], "is not JSON."),
        (["--storefront", "shopify", "--destination", "rayo", "--json", "-"], "--json requires --explain"),
        (["--storefront", "shopify", "--destination", "rayo", "/nowhere.json"], "No such file"),
        (["--storefront", "shopify", "--destination", "rayo", "--set", "servico=X", "-"], "servico"),
    ],
)
def test_map_ends_with_status_2_on_wrong_usage(run: Callable[..., Ended], arguments: list[str], why: str) -> None:
    mapped = run("map", *arguments, stdin=b"no JSON")
    assert (mapped.status, mapped.out) == (2, "")
    assert why in mapped.err


# migrate, list, show


def test_commands_ask_for_the_tables_until_migrate_has_made_them(run: Callable[..., Ended], configured: Path) -> None:
    listed = run("list")
    assert (listed.status, listed.out) == (1, "")
    assert "connector migrate" in listed.err
    assert run("migrate") == Ended(status=0, out="The database is up to date.\n", err="")
    header = "id  store  order_number  account  state  reason  attempts  remote_id\n"
    assert run("list") == Ended(status=0, out=header, err="")


def test_list_shows_deliveries_newest_first_with_whole_ids(run: Callable[..., Ended], running: Service) -> None:
    running.post_shopify(shopify_order())
    running.post_woo(woo_order())
    running.drain()
    [at_rayo], [at_lapyme] = running.sandbox.orders("rayo"), running.sandbox.orders("lapyme")

    listed = run("list")

    assert [re.split(" {2,}", line) for line in listed.out.splitlines()] == [
        ["id", "store", "order_number", "account", "state", "reason", "attempts", "remote_id"],
        ["2", "tienda-ar", "727", "erp", "delivered", "1", at_lapyme.remote_id],
        ["1", "tienda-mx", "#1001", "bodega", "delivered", "1", at_rayo.remote_id],
    ]


def test_list_prints_as_json_what_the_api_answers(run: Callable[..., Ended], running: Service) -> None:
    running.post_shopify(shopify_order())
    running.post_woo(woo_order())
    listed = run("list", "--json")
    assert [json.loads(line) for line in listed.out.splitlines()] == running.deliveries()[::-1]


@pytest.mark.parametrize(
    "filters",
    [
        ["--store", "tienda-ar"],
        ["--account", "erp"],
        ["--state", "delivered"],
        ["--order", "727"],
        ["--limit", "1"],
    ],
)
def test_list_shows_only_what_the_filters_let_pass(
    run: Callable[..., Ended], running: Service, filters: list[str]
) -> None:
    running.post_shopify(shopify_order(shipping_address=None))
    running.post_woo(woo_order())
    running.drain()
    listed = run("list", "--json", *filters)
    assert [json.loads(line)["store"] for line in listed.out.splitlines()] == ["tienda-ar"]


def test_list_shows_events_with_why_they_are_ignored(run: Callable[..., Ended], running: Service) -> None:
    running.post_shopify(shopify_order(), **{"X-Shopify-Test": "true"})
    listed = run("list", "--events", "--json")
    [event] = [json.loads(line) for line in listed.out.splitlines()]
    assert event == running.api("/events/1").json
    assert (event["status"], event["reason"]) == ("ignored", "This is a test notification.")


@pytest.mark.usefixtures("running")
def test_list_refuses_to_filter_events_by_what_they_lack(run: Callable[..., Ended]) -> None:
    listed = run("list", "--events", "--state", "delivered")
    assert (listed.status, listed.out) == (2, "")


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("option", ["--state", "--reason"])
def test_list_refuses_a_word_that_no_delivery_can_have(run: Callable[..., Ended], option: str) -> None:
    listed = run("list", option, "lost")
    assert (listed.status, listed.out) == (2, "")


def test_show_prints_what_the_api_answers(run: Callable[..., Ended], running: Service) -> None:
    running.post_shopify(shopify_order())
    running.drain()
    shown = run("show", "1")
    assert (shown.status, json.loads(shown.out)) == (0, running.api("/deliveries/1").json)
    assert json.loads(shown.out)["body"] == RAYO_BODY
    assert json.loads(run("show", "--event", "1").out) == running.api("/events/1").json


@pytest.mark.usefixtures("running")
def test_commands_end_with_status_1_where_there_is_no_such_delivery(run: Callable[..., Ended]) -> None:
    for command in (["show", "7"], ["retrigger", "7"], ["resolve", "7", "--as", "discarded"]):
        ended = run(*command)
        assert (ended.status, ended.out) == (1, "")
        assert "7" in ended.err


# retrigger, resolve


def test_retrigger_queues_a_parked_delivery(run: Callable[..., Ended], running: Service) -> None:
    running.sandbox.inject_fault("rayo", "status", status=422)
    running.post_shopify(shopify_order())
    running.drain()
    assert running.only_delivery()["reason"] == "refused"

    ended = run("retrigger", "1", "--note", "Rayo knows the product now")

    assert ended == Ended(status=0, out="Delivery 1 is queued.\n", err="")
    running.drain()
    delivery = running.only_delivery()
    assert delivery["state"] == "delivered"
    assert "Rayo knows the product now" in [note["text"] for note in delivery["notes"]]


def test_retrigger_of_an_uncertain_delivery_needs_force(run: Callable[..., Ended], running: Service) -> None:
    running.sandbox.inject_fault("rayo", "drop_after_reading")
    running.post_shopify(shopify_order())
    running.drain()

    refused = run("retrigger", "1")
    assert (refused.status, refused.out) == (1, "")
    assert running.only_delivery()["reason"] == "uncertain"

    assert run("retrigger", "1", "--force").status == 0
    running.drain()
    assert running.only_delivery()["state"] == "delivered"
    assert len(running.sandbox.orders("rayo")) == 1


def test_retrigger_of_an_event_says_of_each_delivery_what_became_of_it(
    run: Callable[..., Ended], running: Service
) -> None:
    running.post_shopify(shopify_order())
    running.drain()
    ended = run("retrigger", "--event", "1")
    [answered] = running.api("/events/1/retrigger", json={}).json["deliveries"]
    assert ended == Ended(status=0, out=f"Delivery 1 is skipped: {answered['why']}.\n", err="")


@pytest.mark.usefixtures("running")
def test_retrigger_gives_no_new_key_to_a_whole_event(run: Callable[..., Ended]) -> None:
    ended = run("retrigger", "--event", "1", "--new-key")
    assert (ended.status, ended.out) == (2, "")
    assert "--new-key is for one delivery." in ended.err


def test_resolve_settles_a_parked_delivery(run: Callable[..., Ended], running: Service) -> None:
    running.sandbox.inject_fault("rayo", "process_then_drop")
    running.post_shopify(shopify_order())
    running.drain()

    ended = run("resolve", "1", "--as", "delivered", "--remote-id", "R-17", "--note", "Seen in Rayo's panel")

    assert ended == Ended(status=0, out="Delivery 1 is delivered.\n", err="")
    delivery = running.only_delivery()
    assert (delivery["state"], delivery["reason"], delivery["remote_id"]) == ("delivered", None, "R-17")


def test_resolve_leaves_a_delivery_that_is_on_its_way(run: Callable[..., Ended], running: Service) -> None:
    running.post_shopify(shopify_order())
    ended = run("resolve", "1", "--as", "delivered")
    assert (ended.status, ended.out) == (1, "")
    assert running.only_delivery()["state"] == "waiting"


# trigger


@pytest.mark.parametrize("name", STOREFRONTS)
def test_every_storefront_has_a_sample_of_a_paid_order(name: str) -> None:
    storefront, store = STOREFRONTS[name], build_store(name, {})
    body = read_sample(name)
    payload = webhook = json.loads(body)
    webhook = storefront.sample.build_payload(payload, storefront.sample.topic, store)
    headers = storefront.sample.build_headers(webhook, storefront.sample.topic)

    identity = storefront.identify({name.lower(): value for name, value in headers.items()}, webhook, body)
    order = storefront.parse_order(payload, store)

    assert "paid" in identity.topics
    assert identity.ignore_reason is None
    assert (order.is_paid, order.blocking_problems, order.parts_total) == (True, [], order.total)


@pytest.mark.parametrize("sample", sorted(SAMPLES_DIRECTORY.glob("*.json")), ids=lambda path: path.stem)
def test_samples_write_to_example_addresses_only(sample: Path) -> None:
    mentioned = re.findall(r"[\w.]+@([\w.]+)", sample.read_text("utf-8"))
    assert set(mentioned) == {"example.com"}


@pytest.mark.parametrize(("store", "destination"), [("tienda-mx", "rayo"), ("tienda-ar", "lapyme")])
def test_trigger_posts_a_sample_that_reaches_its_destination(
    run: Callable[..., Ended], running: Service, address: str, store: str, destination: str
) -> None:
    accepted = run("trigger", "--store", store, "--url", address)
    assert (accepted.status, json.loads(accepted.out)) == (0, {"status": "accepted", "event": "1"})
    running.drain()
    assert len(running.sandbox.orders(destination)) == 1


@pytest.mark.usefixtures("running")
def test_trigger_posts_the_same_event_when_it_is_run_again(run: Callable[..., Ended], address: str) -> None:
    answers = [json.loads(run("trigger", "--store", "tienda-mx", "--url", f"{address}/").out) for _ in range(2)]
    assert answers == [{"status": "accepted", "event": "1"}, {"status": "duplicate", "event": "1"}]


def test_trigger_posts_a_file_under_a_topic(
    run: Callable[..., Ended], running: Service, address: str, tmp_path: Path
) -> None:
    order = write(tmp_path, encode(shopify_order(1044)))
    ended = run("trigger", "--store", "tienda-mx", "--url", address, "--topic", "orders/create", order)
    assert json.loads(ended.out)["status"] == "ignored"  # no route takes it
    event = running.api("/events/1").json
    assert (event["topic"], event["order_number"]) == ("orders/create", "#1044")


@pytest.mark.usefixtures("running")
def test_trigger_ends_with_status_1_when_the_service_turns_the_webhook_away(
    run: Callable[..., Ended], address: str
) -> None:
    ended = run("trigger", "--store", "tienda-mx", "--url", address, "-", stdin=b"no JSON")
    assert ended.status == 1
    assert json.loads(ended.out)["detail"] == "the body is not JSON"
    assert ended.err == "The service responded with status 400.\n"


@pytest.mark.usefixtures("configured")
def test_trigger_says_that_no_service_answers(run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("PORT", str(port))
    why = f"No response from http://127.0.0.1:{port} (ConnectError). Is the service running there?\n"
    assert run("trigger", "--store", "tienda-mx") == Ended(status=1, out="", err=why)


NUBE = """
[stores.nube]
storefront = "tiendanube"
secrets = ["secreto-de-nube"]
store_id = 5120066
api_token = "ficha"
api_url = "{}"

[[routes]]
from = "nube"
to = ["erp"]
"""


@pytest.fixture
def open_nube(
    open_service: Callable[..., Service], environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Service]:
    """Open a service with a Tiendanube store whose API is at a URL, for the commands to use."""

    def open_with(api_url: str) -> Service:
        monkeypatch.setenv("CONNECTOR_CONFIG", str(tmp_path / "connector.toml"))
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return open_service(more=NUBE.format(api_url))

    return open_with


def test_trigger_puts_the_order_at_the_sandbox_where_webhooks_only_name_it(
    run: Callable[..., Ended], open_nube: Callable[[str], Service], sandbox: SandboxServer
) -> None:
    service = open_nube(sandbox.url("tiendanube"))
    with listen(service) as address:
        accepted = run("trigger", "--store", "nube", "--url", address)
        service.drain()
    assert (accepted.status, json.loads(accepted.out)) == (0, {"status": "accepted", "event": "1"})
    [store_order], sample = sandbox.store_orders(), json.loads(read_sample("tiendanube"))
    assert (store_order.store_id, store_order.order) == ("5120066", sample)
    assert [order.body["notes"] for order in sandbox.orders("lapyme")] == [f"tiendanube {sample['number']}"]


def test_trigger_puts_nothing_at_a_real_shop(
    run: Callable[..., Ended], open_nube: Callable[[str], Service], sandbox: SandboxServer
) -> None:
    with listen(open_nube("https://api.tiendanube.com/v1")) as address:
        accepted = run("trigger", "--store", "nube", "--url", address)
    assert json.loads(accepted.out)["status"] == "accepted"
    assert sandbox.store_orders() == []


def test_trigger_posts_a_file_that_only_names_an_order_as_it_is(
    run: Callable[..., Ended], open_nube: Callable[[str], Service], sandbox: SandboxServer, tmp_path: Path
) -> None:
    service = open_nube(sandbox.url("tiendanube"))
    webhook = write(tmp_path, '{"store_id": 5120066, "event": "order/packed", "id": 77}')
    with listen(service) as address:
        run("trigger", "--store", "nube", "--url", address, webhook)
    event = service.api("/events/1").json
    assert (event["topic"], event["order_id"]) == ("order/packed", "77")
    assert sandbox.store_orders() == []


def test_trigger_names_the_order_under_the_topic_it_is_given(
    run: Callable[..., Ended], open_nube: Callable[[str], Service], sandbox: SandboxServer
) -> None:
    service = open_nube(sandbox.url("tiendanube"))
    with listen(service) as address:
        run("trigger", "--store", "nube", "--url", address, "--topic", "order/updated")
    assert service.api("/events/1").json["topic"] == "order/updated"


def test_trigger_says_that_the_sandbox_of_the_store_is_not_there(
    run: Callable[..., Ended], open_nube: Callable[[str], Service]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"http://127.0.0.1:{listener.getsockname()[1]}/tiendanube"
    open_nube(nowhere)
    why = f"No sandbox responds at {nowhere}. Is it running there?\n"
    assert run("trigger", "--store", "nube") == Ended(status=1, out="", err=why)


# sandbox


def test_sandbox_says_where_it_plays_and_takes_orders_until_it_is_told_to_end() -> None:
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
            answer = httpx.post(f"{rayo}/api/rest/orders", json=RAYO_BODY, headers=bearer, trust_env=False)
        finally:
            process.send_signal(signal.SIGTERM)
        whole = "".join([*lines, process.stdout.read()])
    assert {"shopify", "tiendanube", "woocommerce"} <= set(re.findall("#   (.*): http", whole)) <= STOREFRONTS.keys()
    tables = tomllib.loads(whole)["accounts"]
    assert answer.status_code == 200
    assert process.returncode == 0
    assert tables.keys() == DESTINATIONS.keys()
    for name, table in tables.items():
        account = build_account(name, {key: value for key, value in table.items() if key != "destination"})
        assert account.destination == name


def test_sandbox_ends_with_status_1_where_the_port_is_taken(run: Callable[..., Ended], sandbox: SandboxServer) -> None:
    port = sandbox.url().rstrip("/").rpartition(":")[2]
    ended = run("sandbox", "--port", port)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"The sandbox cannot listen on 127.0.0.1, port {port}: ")
