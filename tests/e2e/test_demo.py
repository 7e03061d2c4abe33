"""The demo, run as a new user does, and its detection of lost and duplicate orders."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import create_autospec

import httpx
import pytest

from connector.sandbox.demo import Demo
from connector.sandbox.demo_data import CONFIGURATION, DemoOrder
from connector.sandbox.demo_process import Interrupt, ServiceProcess
from connector.sandbox.demo_report import Report
from connector.sandbox.demo_scenario import STEPS, Result, Step
from connector.sandbox.state import AcceptedOrder, Sandbox
from connector.web.app import create_app
from tests.support.service import ADMIN_TOKEN
from tests.support.service import Service as InProcess

COMMAND = [sys.executable, "-m", "connector", "demo"]
FIRST, FORGED, UNCERTAIN = STEPS[0], STEPS[5], STEPS[8]


@contextmanager
def run_in_background(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the demo with its files in `folder`, and wait for it to end after the block."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        except BaseException:
            process.terminate()
            raise
        finally:
            process.communicate()


def test_demo_completes_every_order_and_cleans_up(tmp_path: Path) -> None:
    completed = subprocess.run(
        [*COMMAND, "--once"], capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}, check=False
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    rows = [line.split() for line in completed.stdout.splitlines() if re.match(r"[ \d]\d  ", line)]
    assert [(line[1], line[2], line[4]) for line in rows] == [
        (step.order.number, step.order.store, step.order.account) for step in STEPS
    ]
    assert (
        "no order was lost or sent twice.\n  Orders at the destinations: rayo 7, lapyme 4, centelar 3.\n"
        in completed.stdout
    )
    assert "\x1b" not in completed.stdout
    assert list(tmp_path.iterdir()) == []


def settle_in_dashboard(dashboard: str, password: str, page: str) -> str:
    """Sign in, and discard the order on a page unless it is settled. Returns its state."""
    with httpx.Client(base_url=dashboard, trust_env=False, follow_redirects=True) as browser:

        def send_form(path: str, form_page: str, **form: str) -> None:
            token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(form_page).text)
            assert token is not None
            browser.post(path, data={"csrf_token": token[1], **form}).raise_for_status()

        send_form("/login", "/login", name="", password=password)
        if "parked" in browser.get(page).text.partition("</h1>")[0]:
            send_form(f"{page}/discard", page, note="The customer cancelled.")
        states: list[str] = re.findall(r"delivered|discarded|parked", browser.get(page).text.partition("</h1>")[0])
        return states[-1]


def test_demo_keeps_running_for_the_commands_it_prints(tmp_path: Path) -> None:
    with run_in_background(tmp_path) as process:
        assert process.stdout is not None
        output = iter(process.stdout.readline, "")
        dashboard = next(line.split()[1] for line in output if line.startswith("  dashboard "))
        password = next(line.split()[1] for line in output if line.startswith("  password "))
        pages = [next(line.strip() for line in output if line.startswith(f"    {dashboard}")) for _ in range(2)]
        sourcing = next(line.strip() for line in output if line.startswith("    . "))
        listing = next(line.strip() for line in output if line.startswith("    connector list"))
        curl = shlex.split(next(line for line in output if "/resolve" in line))
        script = f"{sourcing} && {listing} && echo $ADMIN_TOKEN"
        listing_output = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
        ).stdout
        url, body, token = curl[5], curl[7], listing_output.split()[-1]
        resolved = httpx.post(url, content=body, headers={"Authorization": f"Bearer {token}"}, trust_env=False).json()
        settled = [settle_in_dashboard(dashboard, password, page) for page in pages]
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert (settled, token) == (["discarded", "delivered"], password)
    assert [line.split()[2] for line in listing_output.splitlines() if "shopify-mx" in line] == [
        "#1003",
        "#1001",
        "#1003",
    ]
    assert (resolved["order_number"], resolved["state"]) == (UNCERTAIN.order.number, "delivered")
    assert list(tmp_path.iterdir()) == []


def test_interrupted_demo_cleans_up_and_fails(tmp_path: Path) -> None:
    with run_in_background(tmp_path) as process:
        assert process.stdout is not None
        output = iter(process.stdout.readline, "")
        url = next(line.split()[1] for line in output if line.startswith("  service "))
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 1
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


@pytest.fixture
def demo(open_service: Callable[..., InProcess]) -> Iterator[Demo]:
    """The demo before its first webhook."""
    text = CONFIGURATION.substitute(sandbox="http://127.0.0.1:1", secret="sesamo")
    own = open_service(text=text.replace("{", "{{").replace("}", "}}"))
    transport = httpx.WSGITransport(app=create_app(own.runtime))
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with httpx.Client(transport=transport, base_url="http://here", headers=headers) as api:
        service = ServiceProcess(
            url="http://here", variables={}, process=create_autospec(subprocess.Popen, instance=True), api=api
        )
        yield Demo(
            settings=own.runtime.settings,
            sandbox=own.sandbox,
            service=service,
            report=Report(),
            interrupt=create_autospec(Interrupt, instance=True),
        )


def accept_order(sandbox: Sandbox, order: DemoOrder) -> None:
    """Record the order at its destination as if it had been sent."""
    body = {"productos": [{"cantidad": 1, "identificador": order.sku}]}
    sandbox.accept_order(
        order.account,
        owner="",
        content=b"",
        key=None,
        build=lambda number: AcceptedOrder(
            destination=order.account,
            remote_id=number,
            key=None,
            body=body,
            headers={},
            received_at=datetime.now(UTC),
        ),
    )


def test_demo_detects_lost_orders(demo: Demo) -> None:
    faults = demo.check_final_state()
    assert [fault for fault in faults if "times" in fault] == [
        "Order #1001: rayo has it 0 times, not 1.",
        "Order 2001: lapyme has it 0 times, not 1.",
        "Order #3001: lapyme has it 0 times, not 1.",
        "Order 4001: rayo has it 0 times, not 1.",
        "Order #1003: rayo has it 0 times, not 1.",
        "Order 4002: rayo has it 0 times, not 1.",
        "Order 2002: lapyme has it 0 times, not 1.",
        "Order 4003: rayo has it 0 times, not 1.",
        "Order #3002: centelar has it 0 times, not 1.",
        "Order 2004: centelar has it 0 times, not 1.",
        "Order 5001: rayo has it 0 times, not 1.",
        "Order 6001: lapyme has it 0 times, not 1.",
        "Order 6002: centelar has it 0 times, not 1.",
        "Order 5002: rayo has it 0 times, not 1.",
    ]
    assert "Order 4002, at the end: it should be parked: uncertain, but is not forwarded." in faults
    assert faults[-1] == "The destinations have 0 orders, not 14."


@pytest.mark.parametrize(
    ("step", "expected"), [(FIRST, 1), (UNCERTAIN, 1), (FORGED, 0)], ids=["delivered", "uncertain", "forged"]
)
def test_demo_detects_duplicate_orders(demo: Demo, step: Step, expected: int) -> None:
    for _ in range(expected + 1):
        accept_order(demo.sandbox, step.order)
    assert f"Order {step.order.number}: rayo has it {expected + 1} times, not {expected}." in demo.check_final_state()


DELIVERED = {"state": "delivered", "reason": None, "attempts": 1}


@pytest.mark.parametrize(
    ("result", "faults"),
    [
        (Result(response="accepted", delivery=DELIVERED), []),
        (Result(response="ignored", delivery=DELIVERED), ["the response was “ignored”, not “accepted”"]),
        (Result(response="accepted", delivery=DELIVERED | {"attempts": 2}), ["it has 2 attempts, not 1"]),
        (
            Result(response="accepted", delivery=DELIVERED | {"state": "parked", "reason": "refused"}),
            ["it should be delivered, but is parked: refused"],
        ),
        (Result(response="accepted"), ["it should be delivered, but is not forwarded", "it has 0 attempts, not 1"]),
    ],
)
def test_unexpected_result_is_reported(result: Result, faults: list[str]) -> None:
    assert result.failures(FIRST) == faults
