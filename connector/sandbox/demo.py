"""`connector demo`: runs the real service against the sandbox on this machine, and shows what becomes of each webhook.

It judges by the service's own API and by what the sandbox received, and leaves nothing behind.
"""

import json
import secrets
import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from connector.sandbox.demo_data import CONFIGURATION, DemoOrder
from connector.sandbox.demo_process import DemoError, Interrupt, Service, choose_variables, run_service
from connector.sandbox.demo_report import Report
from connector.sandbox.demo_scenario import STEPS, Result, Step
from connector.sandbox.server import SandboxServer
from connector.sandbox.state import AcceptedOrder
from connector.sandbox.webhook_sender import WebhookNotSentError, post_webhook
from connector.settings import Settings, load_settings

#: How long an order may take to settle on a machine that is busy.
SETTLED_WITHIN_S = 20.0


def run_demo(*, once: bool) -> int:
    """Play every step, then run on until Ctrl-C, unless it is for `once`. Returns 0 if all ended as it should."""
    report, interrupt = Report(), Interrupt()
    is_good = False
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="connector-demo-")))
        log = folder / "service.log"
        try:
            demo = open_demo(stack, folder, log, report, interrupt)
            is_good = demo.play_all()
            if not is_good:
                report.print_tail(log)
            if not once:
                demo.print_next()
                while True:
                    interrupt.pause(0.2)
                    demo.service.require_up()
        except KeyboardInterrupt:
            report.say("\nEnding the service and the sandbox, and removing the folder.")
        except (DemoError, WebhookNotSentError, httpx.HTTPError) as error:
            is_good = False
            report.print_faults([str(error) or type(error).__name__])
            report.print_tail(log)
    return 0 if is_good else 1


def open_demo(stack: ExitStack, folder: Path, log: Path, report: Report, interrupt: Interrupt) -> "Demo":
    """Start the sandbox and the service, and wait until both take requests. `stack` ends them."""
    sandbox = stack.enter_context(SandboxServer())
    variables = choose_variables(folder)
    configuration = CONFIGURATION.substitute(sandbox=sandbox.url().rstrip("/"), secret=secrets.token_hex(16))
    Path(variables["CONNECTOR_CONFIG"]).write_text(configuration, "utf-8")
    (folder / "env").write_text(write_shell_lines(variables), "utf-8")
    settings = load_settings(environ=variables)
    service = stack.enter_context(run_service(variables, log))
    report.say("The connector carries paid orders from online stores to the services that ship and book them.", "bold")
    report.say("Here are the real service, on this machine, and a sandbox that plays the destinations:\n")
    report.list_facts(
        {
            "service": service.url,
            "sandbox": sandbox.url(),
            "admin token": variables["ADMIN_TOKEN"],
            "configuration": variables["CONNECTOR_CONFIG"],
            "service's log": str(log),
        }
    )
    service.wait_until_ready(interrupt)
    return Demo(settings=settings, sandbox=sandbox, service=service, report=report, interrupt=interrupt)


def write_shell_lines(variables: Mapping[str, str]) -> str:
    """Return what makes `connector` in a shell this very program, with the demo's database and configuration."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    python, here = shlex.quote(sys.executable), shlex.quote(str(Path(__file__).parents[2]))
    return "\n".join([*exports, f'connector() {{ PYTHONPATH={here} {python} -m connector "$@"; }}', ""])


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The demo while its service and its sandbox run."""

    settings: Settings
    sandbox: SandboxServer
    service: Service
    report: Report
    interrupt: Interrupt

    def play_all(self) -> bool:
        """Play the steps and say how each ended. Returns whether all did as they should."""
        faults = []
        self.report.print_columns()
        for number, step in enumerate(STEPS, 1):
            result = self.play(step)
            found = result.faults(step)
            self.report.print_step(number, step, result, found)
            faults += [f"Webhook {number}, order {step.order.number}: {fault}." for fault in found]
        faults += self.check_the_end()
        there = {name: len(self.sandbox.orders(name)) for name in self.sandbox.destinations}
        self.report.print_verdict(len(STEPS), there, faults)
        return not faults

    def play(self, step: Step) -> Result:
        """Post the step's webhook, and follow its order until nothing more happens to it by itself."""
        order = step.order
        if order.fault:
            self.sandbox.misbehave(order.account, order.fault, match=order.sku)
        store = self.settings.stores[order.store]
        storefront = self.settings.storefront(store)
        signer = replace(store, secrets=["somebody else's"]) if step.is_forged else store
        url = f"{self.service.url}/webhooks/{order.store}"
        status, text = post_webhook(url, storefront, signer, step.body, step.topic, more_headers=step.headers)
        if status != 200:
            return Result(answer=str(status), delivery=self.settle(order))
        said = json.loads(text)
        event = self.service.get(f"/api/events/{said['event']}")
        return Result(answer=said["status"], why=event["reason"], delivery=self.settle(order))

    def settle(self, order: DemoOrder) -> dict[str, Any] | None:
        """Return the order's delivery once it is settled; None where there is none. Raises `DemoError`."""
        give_up_at = time.monotonic() + SETTLED_WITHIN_S
        while True:
            delivery = self.delivery_of(order)
            if not delivery or delivery["state"] not in {"waiting", "sending"}:
                return delivery
            if time.monotonic() > give_up_at:
                raise DemoError(f"Order {order.number} is still {delivery['state']} after {SETTLED_WITHIN_S:.0f} s.")
            self.interrupt.pause()
            self.service.require_up()

    def delivery_of(self, order: DemoOrder) -> dict[str, Any] | None:
        items = self.service.get("/api/deliveries", store=order.store, order=order.order_id)["items"]
        return items[0] if items else None

    def check_the_end(self) -> list[str]:
        """Return what is wrong now that all is quiet, by the destinations' own record and by the service's."""
        last_steps = {(step.order.store, step.order.order_id): step for step in STEPS}.values()
        faults = []
        for step in last_steps:
            order = step.order
            times = len(self.orders_there(order))
            if times != order.times_there:
                faults.append(f"Order {order.number}: {order.account} has it {times} times, not {order.times_there}.")
            now = Result(answer=step.answer, delivery=self.delivery_of(order))
            faults += [f"Order {order.number}, in the end: {fault}." for fault in now.faults(step)]
            if step.is_forged and self.service.get("/api/events", store=order.store, order=order.number)["items"]:
                faults.append(f"Order {order.number}: the forged webhook was recorded.")
        there, wanted = len(self.sandbox.orders()), sum(step.order.times_there for step in last_steps)
        return faults if there == wanted else [*faults, f"The destinations have {there} orders, not {wanted}."]

    def orders_there(self, order: DemoOrder) -> list[AcceptedOrder]:
        """Return what the order's destination received of it, by the sandbox's own record."""
        return [one for one in self.sandbox.orders(order.account) if order.sku in json.dumps(one.body)]

    def print_next(self) -> None:
        """Print what to look at and to try while everything runs."""
        folder = Path(self.service.variables["CONNECTOR_CONFIG"]).parent
        self.report.say("\nEverything keeps running until Ctrl-C.", "bold")
        self.report.say(f"Open {self.sandbox.url()} to see what the destinations received.")
        commands = [
            ("First make `connector` in that shell speak to this service:", f". {shlex.quote(str(folder / 'env'))}"),
            ("All deliveries; those of one order:", "connector list; connector list --order '#1003'"),
            (
                "Another order from the shop; the same command again is a duplicate:",
                "connector trigger --store shopify-mx",
            ),
        ]
        self.report.print_commands("In another terminal", commands)
        for step in STEPS:
            if step.reason == "uncertain" and (delivery := self.delivery_of(step.order)):
                self.print_decision(step.order, delivery)

    def print_decision(self, order: DemoOrder, delivery: dict[str, Any]) -> None:
        """Print how a person settles a delivery that may or may not have been processed."""
        post = (
            f'curl -X POST -H "Authorization: Bearer $ADMIN_TOKEN" {self.service.url}/api/deliveries/{delivery["id"]}'
        )
        there = self.orders_there(order)
        remote_id = there[0].remote_id if there else "the id that it has there"
        as_delivered = json.dumps({"as": "delivered", "remote_id": remote_id, "note": "It is there."})
        again = json.dumps({"force": True, "note": "It was not there."})
        commands = [
            ("Its body, its attempts, and what each came to", f"connector show {delivery['id']}"),
            ("It is there, as the sandbox's page shows: settle it", f"{post}/resolve -d {shlex.quote(as_delivered)}"),
            ("It is not: send it again, on your word", f"{post}/retrigger -d {shlex.quote(again)}"),
        ]
        self.report.print_commands(
            f"Order {order.number} waits for a person: did {order.account} get it or not?", commands
        )
