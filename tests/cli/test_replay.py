"""`connector replay`: selection, dry run, and interruption without loss or duplicates."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.operations import jobs
from tests.support.commands import Command
from tests.support.jobs import start_job
from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import lose_a_response, refuse_order
from tests.support.service import CONFIGURATION, Service
from tests.support.terminal import run_on_terminal


@pytest.fixture
def run(service: Service, tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


@contextmanager
def running_worker(service: Service) -> Iterator[None]:
    """A running worker, as there would be beside the command."""
    stop = threading.Event()

    def carry() -> None:
        while not stop.wait(0.05):
            service.drain()

    thread = threading.Thread(target=carry)
    thread.start()
    yield
    stop.set()
    thread.join()


def delivery_states(service: Service) -> list[tuple[str, str | None]]:
    return [(delivery["state"], delivery["reason"]) for delivery in service.deliveries()]


def test_replay_sends_parked_deliveries_and_reports_the_results(service: Service, run: Command) -> None:
    refuse_order(service, 7, 8)
    with running_worker(service):
        status, printed = run("replay", "--reason", "refused", "--note", "LaPyme knows the product now")
    assert (status, printed.splitlines()[-2:]) == (0, ["Replay 1: queued 2 of 2.", "delivered: 2"])
    assert delivery_states(service) == [("delivered", None), ("delivered", None)]
    [note] = service.api("/deliveries/1").json["notes"]
    assert (note["kind"], note["text"]) == ("retrigger", "LaPyme knows the product now")


def test_replay_exits_1_when_deliveries_are_parked_again(service: Service, run: Command) -> None:
    service.post_shopify(shopify_order(shipping_address=None))
    service.drain()
    with running_worker(service):
        status, printed = run("replay", "--all")
    assert (status, printed.splitlines()[-1]) == (1, "parked (unmappable): 1")


def test_replay_skips_uncertain_and_delivered_deliveries(service: Service, run: Command) -> None:
    lose_a_response(service, "rayo")
    service.post_woo(woo_order(9))
    service.drain()
    status, printed = run("replay", "--all", "--wait-s", "0")
    reason = "it is uncertain: look at the destination first, then resolve it or use `force`"
    assert (status, printed.splitlines()[-2:]) == (1, ["Replay 1: queued 0 of 1.", f"skipped 1: {reason}."])
    assert delivery_states(service) == [("parked", "uncertain"), ("delivered", None)]


def test_replay_by_id_with_force_sends_again(service: Service, run: Command) -> None:
    lose_a_response(service, "rayo")
    status, printed = run("replay", "--id", "1", "--force", "--wait-s", "0")
    assert (status, printed.splitlines()[-1]) == (0, "Replay 1: queued 1 of 1.")
    assert delivery_states(service) == [("waiting", None)]


@pytest.mark.sqlite
def test_replay_leaves_held_deliveries_to_a_person(service: Service, run: Command) -> None:
    refuse_order(service, 7, 8)
    with service.database.write() as transaction:
        transaction.connection.exec_driver_sql("UPDATE deliveries SET reason = 'held' WHERE id = 1")
    assert run("replay", "--all", "--wait-s", "0") == (0, "queued 1 of 1\nReplay 1: queued 1 of 1.\n")
    assert delivery_states(service) == [("parked", "held"), ("waiting", None)]


@pytest.mark.sqlite
def test_replay_without_a_choice_sends_nothing_where_it_cannot_ask(service: Service, run: Command) -> None:
    refuse_order(service, 7)
    status, printed = run("replay", "--wait-s", "0")
    assert status == 2
    assert "choose the deliveries" in printed
    assert delivery_states(service) == [("parked", "refused")]


@pytest.mark.sqlite
@pytest.mark.parametrize(("answer", "state"), [("n", ("parked", "refused")), ("y", ("waiting", None))])
def test_replay_without_a_choice_asks_on_a_terminal(
    service: Service, run: Command, tmp_path: Path, answer: str, state: tuple[str, str | None]
) -> None:
    refuse_order(service, 7)
    environ = {**os.environ, **run.environ, "CONNECTOR_CONFIG": str(run.configuration)}
    with run_on_terminal(["replay", "--wait-s", "0"], environ, tmp_path) as terminal:
        terminal.wait_for("parked (refused): 1")
        terminal.answer("Map all of them again, and send them? [y/N]", answer)
        assert terminal.finish() == 0
    assert delivery_states(service) == [state]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("options", "selected"),
    [
        (["--account", "erp"], ["1", "2"]),
        (["--store", "tienda-mx"], ["3"]),
        (["--reason", "unmappable"], ["3"]),
        (["--id", "2"], ["2"]),
        (["--until", "2020-01-01"], []),
        (["--since", "2020-01-01T00:00:00Z"], ["1", "2", "3"]),
    ],
)
def test_replay_applies_filters(service: Service, run: Command, options: list[str], selected: list[str]) -> None:
    refuse_order(service, 7, 8)
    service.post_shopify(shopify_order(shipping_address=None))
    service.drain()
    assert run("replay", *options, "--wait-s", "0")[0] == 0
    assert [delivery["id"] for delivery in service.deliveries(state="waiting")] == selected


@pytest.mark.sqlite
def test_dry_run_shows_field_differences(
    open_service: Callable[..., Service], tmp_path: Path, environ: dict[str, str]
) -> None:
    run = Command(configuration=tmp_path / "connector.toml", environ=environ)
    first = open_service()
    first.sandbox.inject_fault("rayo", "status", status=422)
    first.post_shopify(shopify_order())
    first.post_shopify(shopify_order(1002, shipping_address={**shopify_order()["shipping_address"], "city": ""}))
    first.drain()
    open_service(text=CONFIGURATION.replace('api_key = "rayo-key"', 'api_key = "rayo-key"\nservicio_rayo = "EXPRESS"'))

    status, printed = run("replay", "--dry-run")

    assert (status, printed.splitlines()) == (
        1,
        [
            "delivery 1 (tienda-mx #1001 to bodega, refused): changed",
            '  servicio_rayo: "NACIONAL" -> "EXPRESS"',
            "delivery 2 (tienda-mx #1002 to bodega, unmappable): cannot be mapped",
            "  Shipping address > city is missing.",
            "Nothing was sent: 1 cannot be mapped, 1 changed.",
        ],
    )
    status, printed = run("replay", "--dry-run", "--json", "--id", "1")
    result: dict[str, Any] = json.loads(printed.splitlines()[0])
    assert (status, result["would_be"], result["body"]["servicio_rayo"]) == (0, "changed", "EXPRESS")
    assert result["differences"] == [{"field": "servicio_rayo", "old": "NACIONAL", "new": "EXPRESS"}]
    assert first.api("/jobs").json["items"] == []
    assert [delivery["reason"] for delivery in first.deliveries()] == ["refused", "unmappable"]


@pytest.mark.sqlite
def test_dry_run_lists_skipped_deliveries_with_reasons(service: Service, run: Command) -> None:
    lose_a_response(service, "rayo")
    status, printed = run("replay", "--dry-run")
    reason = "it is uncertain: look at the destination first, then resolve it or use `force`"
    head = "delivery 1 (tienda-mx #1001 to bodega, uncertain)"
    assert (status, printed.splitlines()) == (1, [f"{head}: skipped, {reason}", "Nothing was sent: 1 skipped."])


def test_resumed_replay_sends_the_remaining_deliveries_once(service: Service, run: Command) -> None:
    refuse_order(service, 1, 2, 3)
    job = start_job(service)
    jobs.advance_jobs(service.runtime, size=2)
    jobs.stop_job(service.runtime, 1, actor="ana")
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.deliver_due()  # one of the two is parked again

    status, printed = run("replay", "--resume", str(job.id), "--wait-s", "0")

    assert (status, printed.splitlines()[-1]) == (0, "Replay 1: queued 3 of 3.")
    assert sorted(delivery_states(service)) == [("delivered", None), ("parked", "refused"), ("waiting", None)]
    assert [len(service.api(f"/deliveries/{id_}").json["notes"]) for id_ in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.sqlite
def test_interrupted_replay_prints_how_to_resume(service: Service, run: Command) -> None:
    refuse_order(service, 7)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # the parent process may ignore it
    main = os.getpid()
    timer = threading.Timer(1.0, lambda: os.kill(main, signal.SIGINT))
    timer.start()
    started = time.monotonic()
    status, printed = run("replay", "--all")
    signal.signal(signal.SIGINT, before)
    assert (status, printed.splitlines()[-1]) == (130, "Replay 1: queued 1 of 1.")
    assert time.monotonic() - started < 10


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "options",
    [
        ["--force"],
        ["--id", "1", "--store", "tienda-mx"],
        ["--resume", "1", "--dry-run"],
        ["--json"],
        ["--reason", "uncertain"],
        ["--store", "tienda-xx"],
        ["--account", "hangar"],
        ["--since", "yesterday"],
    ],
)
def test_contradictory_replay_options_exit_2(service: Service, run: Command, options: list[str]) -> None:
    refuse_order(service, 7)
    assert run("replay", *options)[0] == 2
    assert delivery_states(service) == [("parked", "refused")]
