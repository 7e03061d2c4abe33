"""Nothing of an erased person is left in the database's files or the log, with the processes of a real service."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.core.signatures import sign
from connector.sandbox.demo_process import Interrupt, ServiceProcess, build_environment, run_service
from connector.sandbox.server import SandboxServer
from mappings import STOREFRONTS
from tests.support.orders import SHOPIFY_SECRET, encode, shopify_order
from tests.support.scenarios import without_colonia
from tests.support.service import write_configuration

pytestmark = pytest.mark.sqlite

TIMEOUT_S = 60.0
PERSON = {
    "first name": "Quetzalli",
    "last name": "Zárraga",
    "e-mail": "quetza.zarraga@correo.example",
    "phone": "5587654321",
    "street": "Xochiquetzal",
    "neighbourhood": "Tlatilolco",
    "document": "ZAQU850101AB3",
}


def personalize(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the order as the person's."""
    address = {
        **order["shipping_address"],
        "first_name": PERSON["first name"],
        "last_name": PERSON["last name"],
        "name": f"{PERSON['first name']} {PERSON['last name']}",
        "address1": f"Calle {PERSON['street']} ⁠151",
        "phone": PERSON["phone"],
        "company": PERSON["document"],
    }
    return {**order, "email": PERSON["e-mail"], "shipping_address": address, "billing_address": address, **changes}


@pytest.fixture
def environment(tmp_path: Path, sandbox: SandboxServer) -> dict[str, str]:
    write_configuration(tmp_path, sandbox)
    return build_environment(tmp_path)


@pytest.fixture
def service(environment: dict[str, str], tmp_path: Path) -> Iterator[ServiceProcess]:
    with run_service(environment, tmp_path / "service.log") as process:
        process.wait_until_ready(Interrupt())
        yield process


def post(service: ServiceProcess, order: dict[str, Any], event_id: str, **more: str) -> Any:
    body = encode(order)
    headers = {
        "X-Shopify-Topic": "orders/paid",
        "X-Shopify-Event-Id": event_id,
        "X-Shopify-Hmac-Sha256": sign(STOREFRONTS["shopify"].signature, SHOPIFY_SECRET, body),
        **more,
    }
    response = service.api.post("/webhooks/tienda-mx", content=body, headers=headers)
    assert response.status_code == 200
    return response.json()


def run_command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "connector", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def states(service: ServiceProcess) -> dict[str, str]:
    return {row["order_number"]: row["state"] for row in service.get("/api/deliveries")["items"]}


def look(service: ServiceProcess, *paths: str) -> None:
    """Sign in to the dashboard, and look at some pages."""
    with httpx.Client(base_url=service.url, trust_env=False, follow_redirects=True) as client:
        [csrf_token] = re.findall(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)[:1]
        token = service.variables["ADMIN_TOKEN"]
        client.post("/login", data={"csrf_token": csrf_token, "password": token})
        for path in paths:
            assert PERSON["first name"] in client.get(path).text


def find_traces(folder: Path) -> set[tuple[str, str]]:
    """The files that contain something of the person, and what."""
    files = [file for file in folder.iterdir() if file.is_file() and file.suffix != ".toml"]
    contents = {file.name: file.read_bytes() for file in files}
    assert contents.keys() >= {"connector.db", "connector.db-wal", "connector.db-shm", "service.log"}
    return {
        (file, name)
        for file, content in contents.items()
        for name, value in PERSON.items()
        if value.encode() in content or json.dumps(value)[1:-1].encode() in content
    }


def test_no_byte_of_an_erased_person_is_left_and_a_repeat_makes_no_delivery(
    service: ServiceProcess, environment: dict[str, str], tmp_path: Path, sandbox: SandboxServer
) -> None:
    for number in range(100, 160):  # others, so that SQLite moves rows from page to page
        post(service, shopify_order(number), f"other-{number}")
    post(service, personalize(shopify_order(1)), "first")
    post(service, personalize(without_colonia(2)), "second")
    post(service, personalize(shopify_order(3)), "third", **{"X-Shopify-Test": "true"})
    wait_until(lambda: states(service).get("#1") == "delivered" and states(service).get("#2") == "parked")
    [parked] = service.get("/api/deliveries", state="parked")["items"]
    path = f"/api/deliveries/{parked['id']}"
    fields = {"ship_to.district": PERSON["neighbourhood"], "document": PERSON["document"]}
    corrected = service.api.post(
        f"{path}/corrections",
        json={"corrections": fields, "note": f"{PERSON['first name']} {PERSON['last name']} called"},
        headers={"Idempotency-Key": "correction"},
    )
    assert corrected.status_code == 200, corrected.text
    wait_until(lambda: states(service).get("#2") == "delivered")
    service.api.post(f"{path}/retrigger", json={"force": True, "note": f"asked {PERSON['e-mail']}"})
    service.api.post("/api/jobs", json={"ids": [parked["id"]], "force": True, "note": PERSON["e-mail"]})
    service.api.post("/api/accounts/bodega/pause", json={"note": f"{PERSON['e-mail']} complained"})
    service.api.post("/api/accounts/bodega/resume", json={})
    look(service, "/deliveries", f"/deliveries/{parked['id']}")
    wait_until(lambda: set(states(service).values()) == {"delivered"})
    assert {name for _, name in find_traces(tmp_path)} == set(PERSON)

    erased = run_command(environment, "privacy", "erase", "--email", PERSON["e-mail"].upper(), "--yes")
    assert (erased.returncode, erased.stderr) == (0, "")
    assert "Erased: tienda-mx #1." in erased.stdout
    assert find_traces(tmp_path) == set()

    sent = len(sandbox.orders("rayo"))
    assert post(service, personalize(shopify_order(1)), "first")["status"] == "duplicate"
    later = personalize(shopify_order(1), updated_at="2026-11-22T10:05:00-06:00")
    assert post(service, later, "fourth")["status"] == "ignored"
    post(service, shopify_order(999), "last")
    wait_until(lambda: states(service).get("#999") == "delivered")
    assert len(sandbox.orders("rayo")) == sent + 1
    assert find_traces(tmp_path) == set()
    assert run_command(environment, "reconcile").returncode == 0
