"""`connector jobs …`: a dry run, a job, and what came of it."""

import json
import os
from pathlib import Path

import pytest

from tests.support.commands import Command
from tests.support.jobs import process_jobs
from tests.support.scenarios import lose_a_response, refuse_order
from tests.support.service import Service
from tests.support.terminal import run_on_terminal


@pytest.fixture
def run(service: Service, tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def test_job_is_previewed_started_and_shown(service: Service, run: Command) -> None:
    lose_a_response(service, "rayo")
    refuse_order(service, 7, 8)
    reason = "it is uncertain: look at the destination first, then resolve it or use `force`"
    status, printed = run("jobs", "start", "--dry-run")
    assert (status, printed.splitlines()) == (
        0,
        ["3 match; 2 would be changed, 1 left alone.", "2: it was refused", f"left 1: {reason}"],
    )
    assert service.api("/jobs").json["items"] == []
    _, printed = run("jobs", "start", "--all", "--note", "the key is right now")
    assert printed.startswith("Job 1 is started for 3 deliveries.")
    process_jobs(service)
    service.drain()
    _, printed = run("jobs", "show", "1", "--json")
    job = json.loads(printed)
    assert (job["state"], job["acted"], job["left_why"]) == ("finished", 2, {reason: 1})
    assert job["outcomes"] == [{"state": "delivered", "reason": None, "count": 2}]
    assert "retrigger" in run("jobs", "list")[1]


def test_job_without_a_choice_needs_all_or_a_terminal(service: Service, run: Command, tmp_path: Path) -> None:
    refuse_order(service, 7)
    status, printed = run("jobs", "start")
    assert (status, "choose the deliveries" in printed) == (2, True)
    environ = {**os.environ, **run.environ, "CONNECTOR_CONFIG": str(run.configuration)}
    for answer, expected in (("n", 1), ("y", 0)):
        assert service.api("/jobs").json["items"] == []
        with run_on_terminal(["jobs", "start"], environ, tmp_path) as terminal:
            terminal.wait_for("1 match; 1 would be changed")
            terminal.answer("Start the job? [y/N]", answer)
            assert terminal.finish() == expected
    assert len(service.api("/jobs").json["items"]) == 1


def test_job_is_stopped_and_resumed(service: Service, run: Command) -> None:
    refuse_order(service, 7)
    run("jobs", "start", "--action", "discard", "--reason", "refused")
    assert run("jobs", "stop", "1", "--note", "lunch") == (0, "Job 1 is stopped.\n")
    process_jobs(service)
    assert service.only_delivery()["state"] == "parked"
    assert run("jobs", "resume", "1") == (0, "Job 1 is resumed.\n")
    process_jobs(service)
    assert service.only_delivery()["state"] == "discarded"


def test_job_that_does_not_exist_is_an_error(run: Command) -> None:
    assert run("jobs", "show", "9")[0] == 1


def test_orders_are_marked_as_delivered_with_ids_from_a_file(service: Service, run: Command, tmp_path: Path) -> None:
    refuse_order(service, 7, 8)
    file = tmp_path / "ids.csv"
    mark = ("jobs", "start", "--action", "mark-delivered", "--all", "--remote-ids", str(file))
    file.write_text("7\n9,L-9\n", "utf-8")
    assert run(*mark) == (1, "Line 1 is not an order number and an ID at the destination, separated by a comma.\n")
    file.write_text("7,L-7\n9,L-9\n", "utf-8")
    status, printed = run(*mark)
    assert (status, "Line 2: none of the orders has the number “9”." in printed) == (1, True)
    file.write_text("7,L-7\n", "utf-8")
    assert run(*mark, "--others-without-id")[0] == 0
    process_jobs(service)
    assert [delivery["remote_id"] for delivery in service.deliveries()] == ["L-7", None]
