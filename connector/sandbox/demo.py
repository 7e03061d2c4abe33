"""`connector demo`: runs the real service against the sandbox on this machine, and shows the result of each webhook.

It checks the results with the service's API and the sandbox's records, and leaves no files behind.
"""

import json
import secrets
import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from connector.sandbox.demo_data import CONFIGURATION, DemoOrder
from connector.sandbox.demo_process import DemoError, Interrupt, ServiceProcess, build_environment, run_service
from connector.sandbox.demo_report import Report
from connector.sandbox.demo_scenario import STEPS, Result, Step
from connector.sandbox.server import SandboxServer
from connector.sandbox.state import AcceptedOrder
from connector.sandbox.webhook_sender import WebhookNotSentError, post_webhook
from connector.settings import Settings, load_settings

#: WooCommerce's fields for when an order was placed, paid and changed last.
CHANGE_DATES = ("date_created_gmt", "date_paid_gmt", "date_modified_gmt")
#: A WooCommerce shop has no number at its API.
SHOP_ID = "1"
#: The longest that an order may take to reach its final state on a busy machine.
SETTLE_TIMEOUT_S = 20.0


def run_demo(*, once: bool) -> int:
    """Run every step, then keep running until Ctrl-C unless `once`. Returns 0 if every order ended as expected."""
    report, interrupt = Report(), Interrupt()
    succeeded = False
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="connector-demo-")))
        log = folder / "service.log"
        try:
            demo = open_demo(stack, folder, log, report, interrupt)
            succeeded = demo.run_all()
            if not succeeded:
                report.print_tail(log)
            if not once:
                demo.print_next_steps()
                while True:
                    interrupt.pause(0.2)
                    demo.service.ensure_running()
        except KeyboardInterrupt:
            report.print_text("\nStopping the service and the sandbox, and removing the directory.")
        except (DemoError, WebhookNotSentError, httpx.HTTPError) as error:
            succeeded = False
            report.print_failures([str(error) or type(error).__name__])
            report.print_tail(log)
    return 0 if succeeded else 1


def open_demo(stack: ExitStack, folder: Path, log: Path, report: Report, interrupt: Interrupt) -> "Demo":
    """Start the sandbox and the service, and wait until both accept requests. `stack` stops them."""
    sandbox = stack.enter_context(SandboxServer())
    variables = build_environment(folder)
    configuration = CONFIGURATION.substitute(sandbox=sandbox.url().rstrip("/"), secret=secrets.token_hex(16))
    Path(variables["CONNECTOR_CONFIG"]).write_text(configuration, "utf-8")
    (folder / "env").write_text(write_shell_lines(variables), "utf-8")
    settings = load_settings(environ=variables)
    service = stack.enter_context(run_service(variables, log))
    report.print_text(
        "The connector forwards paid orders from online stores to the services that ship and book them.", "bold"
    )
    report.print_text("This runs the real service on this machine, with a sandbox in place of the destinations:\n")
    report.print_facts(
        {
            "dashboard": f"{service.url}/",
            "admin token": variables["ADMIN_TOKEN"],
            "service": service.url,
            "sandbox": sandbox.url(),
            "configuration": variables["CONNECTOR_CONFIG"],
            "service's log": str(log),
        }
    )
    service.wait_until_ready(interrupt)
    return Demo(settings=settings, sandbox=sandbox, service=service, report=report, interrupt=interrupt)


def describe_parked(delivery: Mapping[str, Any]) -> str:
    """Say of a parked delivery which order it is, and why it waits."""
    return f"Order {delivery['order_number']} from {delivery['store']} to {delivery['account']}: {delivery['reason']}"


def write_shell_lines(variables: Mapping[str, str]) -> str:
    """Return shell lines that define `connector` as this program, with the demo's database and configuration."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    python, project_root = shlex.quote(sys.executable), shlex.quote(str(Path(__file__).parents[2]))
    return "\n".join([*exports, f'connector() {{ PYTHONPATH={project_root} {python} -m connector "$@"; }}', ""])


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A demo whose service and sandbox are running."""

    settings: Settings
    sandbox: SandboxServer
    service: ServiceProcess
    report: Report
    interrupt: Interrupt

    def run_all(self) -> bool:
        """Run the steps and print each result. Returns whether all are as expected."""
        failures = []
        self.report.print_header()
        for number, step in enumerate(STEPS, 1):
            result = self.run_step(step)
            step_failures = result.failures(step)
            self.report.print_step(number, step, result, step_failures)
            failures += [f"Webhook {number}, order {step.order.number}: {failure}." for failure in step_failures]
        failures += self.check_final_state()
        order_counts = {name: len(self.sandbox.orders(name)) for name in self.sandbox.destinations}
        self.report.print_verdict(len(STEPS), order_counts, failures)
        return not failures

    def run_step(self, step: Step) -> Result:
        """Post the step's webhook, and wait until its order has reached a final state."""
        order = step.order
        if step.is_lost:
            return self.lose_webhook(step)
        if order.fault:
            self.sandbox.inject_fault(order.account, order.fault, match=order.sku)
        store = self.settings.stores[order.store]
        storefront = self.settings.storefront(store)
        signing_store = replace(store, secrets=["somebody else's"]) if step.is_forged else store
        url = f"{self.service.url}/webhooks/{order.store}"
        status, text = post_webhook(url, storefront, signing_store, step.body, step.topic, extra_headers=step.headers)
        if status != 200:
            return Result(response=str(status), delivery=self.wait_for_delivery(order))
        response_data = json.loads(text)
        event = self.service.get(f"/api/events/{response_data['event']}")
        return Result(
            response=response_data["status"], ignore_reason=event["reason"], delivery=self.wait_for_delivery(order)
        )

    def lose_webhook(self, step: Step) -> Result:
        """Put the step's order into the shop, post nothing, and wait until the connector has read it there."""
        order = step.order
        store = self.settings.stores[order.store]
        payload = {**step.payload, **dict.fromkeys(CHANGE_DATES, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}")}
        self.sandbox.put_order(store.storefront, SHOP_ID, payload, is_webhook_lost=True)
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while not self.is_caught_up(order):
            if time.monotonic() > deadline:
                return Result(response="lost")
            self.interrupt.pause()
            self.service.ensure_running()
        return Result(response="caught up", delivery=self.wait_for_delivery(order))

    def is_caught_up(self, order: DemoOrder) -> bool:
        events = self.service.get("/api/events", store=order.store, order=order.number)["items"]
        return any(event["source"] == "catch-up" for event in events)

    def wait_for_delivery(self, order: DemoOrder) -> dict[str, Any] | None:
        """Return the order's delivery in its final state, or None if there is none. Raises `DemoError`."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while True:
            delivery = self.find_delivery(order)
            if not delivery or delivery["state"] not in {"waiting", "sending"}:
                return delivery
            if time.monotonic() > deadline:
                raise DemoError(f"Order {order.number} is still {delivery['state']} after {SETTLE_TIMEOUT_S:.0f} s.")
            self.interrupt.pause()
            self.service.ensure_running()

    def find_delivery(self, order: DemoOrder) -> dict[str, Any] | None:
        items = self.service.get("/api/deliveries", store=order.store, order=order.order_id)["items"]
        return items[0] if items else None

    def check_final_state(self) -> list[str]:
        """Compare the records of the destinations and of the service with what is expected. Returns the differences."""
        last_steps = {(step.order.store, step.order.order_id): step for step in STEPS}.values()
        failures = []
        for step in last_steps:
            order = step.order
            order_count = len(self.received_orders(order))
            if order_count != order.expected_copies:
                failures.append(
                    f"Order {order.number}: {order.account} has it {order_count} times, not {order.expected_copies}."
                )
            result = Result(response=step.response, delivery=self.find_delivery(order))
            failures += [f"Order {order.number}, at the end: {failure}." for failure in result.failures(step)]
            if step.is_forged and self.service.get("/api/events", store=order.store, order=order.number)["items"]:
                failures.append(f"Order {order.number}: the forged webhook was recorded.")
        total_count, expected_count = len(self.sandbox.orders()), sum(step.order.expected_copies for step in last_steps)
        return (
            failures
            if total_count == expected_count
            else [*failures, f"The destinations have {total_count} orders, not {expected_count}."]
        )

    def received_orders(self, order: DemoOrder) -> list[AcceptedOrder]:
        """Return what the destination received of an order, from the sandbox's records."""
        return [
            accepted_order
            for accepted_order in self.sandbox.orders(order.account)
            if order.sku in json.dumps(accepted_order.body)
        ]

    def print_next_steps(self) -> None:
        """Print what to look at and what to try while everything is running."""
        folder = Path(self.service.variables["CONNECTOR_CONFIG"]).parent
        self.report.print_text("\nEverything keeps running until Ctrl-C.", "bold")
        self.report.print_text(f"Open {self.sandbox.url()} to see what the destinations received.")
        self.report.print_text(
            f"Open {self.service.url}/ for the dashboard. Leave the user name empty, and sign in with:"
        )
        self.report.print_facts({"password": self.service.variables["ADMIN_TOKEN"]})
        parked = self.service.get("/api/deliveries", state="parked")["items"]
        self.report.print_commands(
            "These orders wait for a person. Settle them in the dashboard:",
            [(describe_parked(delivery), f"{self.service.url}/deliveries/{delivery['id']}") for delivery in parked],
        )
        commands = [
            ("Point `connector` in that shell at this service:", f". {shlex.quote(str(folder / 'env'))}"),
            ("List all deliveries, or those of one order:", "connector list; connector list --order '#1003'"),
            ("Read now what changed in the shop, instead of within two seconds:", "connector catch-up --store woo-mx"),
            (
                "Send another order; running the command again sends a duplicate:",
                "connector trigger --store shopify-mx --sample",
            ),
        ]
        self.report.print_commands("In another terminal", commands)
        for step in STEPS:
            if step.reason == "uncertain" and (delivery := self.find_delivery(step.order)):
                self.print_decision(step.order, delivery)

    def print_decision(self, order: DemoOrder, delivery: dict[str, Any]) -> None:
        """Print how to resolve a delivery that may or may not have been processed."""
        curl_command = (
            f'curl -X POST -H "Authorization: Bearer $ADMIN_TOKEN" {self.service.url}/api/deliveries/{delivery["id"]}'
        )
        orders = self.received_orders(order)
        remote_id = orders[0].remote_id if orders else "its id at the destination"
        resolve_body = json.dumps({"as": "delivered", "remote_id": remote_id, "note": "Found at the destination."})
        retrigger_body = json.dumps({"force": True, "note": "Not found at the destination."})
        commands = [
            ("Show its body and its attempts:", f"connector show {delivery['id']}"),
            (
                "The sandbox's page shows that it arrived. Mark it as delivered:",
                f"{curl_command}/resolve -d {shlex.quote(resolve_body)}",
            ),
            (
                "If it had not arrived, you would send it again:",
                f"{curl_command}/retrigger -d {shlex.quote(retrigger_body)}",
            ),
        ]
        self.report.print_commands(f"Order {order.number} needs a person: has {order.account} received it?", commands)
