"""`connector jobs …`: one action on many deliveries, with a dry run before and the results after it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any

import click

from connector.cli.common import (
    ID_ARGUMENT,
    JSON_OPTION,
    NOTE_OPTION,
    UTCTime,
    cli,
    exit_with,
    local_runtime,
    operator_name,
)
from connector.cli.output import print_json, print_json_line, print_result, print_rows

COLUMNS = ("id", "action", "state", "total", "acted", "left", "who", "created_at")


@cli.group()
def jobs() -> None:
    """Retrigger, discard or mark many deliveries at once.

    The worker processes a job in small groups. A job continues after a restart, and processes no delivery twice.
    """


@jobs.command("start")
@click.option(
    "--action",
    type=click.Choice(["retrigger", "discard", "mark-delivered"]),
    default="retrigger",
    show_default=True,
    help="What to do with each delivery.",
)
@click.option(
    "--state", type=click.Choice(["parked", "waiting"]), default="parked", show_default=True, help="In this state."
)
@click.option("--reason", help="Parked for this reason, such as refused.")
@click.option("--account", help="To this account, by its id.")
@click.option("--store", help="From this store, by its id.")
@click.option("--problem", help="With this problem: its code and path, such as missing:ship_to/district.")
@click.option("--error", help="With this error of the last attempt: “http_status: 422”, or read_timeout:.")
@click.option("--job", type=click.IntRange(min=1), help="Deliveries of this job.")
@click.option("--since", type=UTCTime(), help="Received on this UTC day or at this time, or later.")
@click.option("--until", type=UTCTime(), help="Received before this UTC day or time.")
@click.option("--all", "is_for_all", is_flag=True, help="All in this state, without any filter.")
@click.option("--looked", is_flag=True, help="Also uncertain ones. You looked for each, and it is not there.")
@click.option(
    "--remote-ids",
    "remote_ids_file",
    type=click.File("rb"),
    help="With mark-delivered: a CSV file of order numbers and their ids at the destination.",
)
@click.option("--others-without-id", is_flag=True, help="With --remote-ids: the other orders have no id.")
@NOTE_OPTION
@click.option("--dry-run", is_flag=True, help="Change nothing; show what the job would do.")
@JSON_OPTION
def start(
    action: str,
    state: str,
    reason: str | None,
    account: str | None,
    store: str | None,
    problem: str | None,
    error: str | None,
    job: int | None,
    since: datetime | None,
    until: datetime | None,
    is_for_all: bool,
    looked: bool,
    remote_ids_file: IO[bytes] | None,
    others_without_id: bool,
    note: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Start a job for all deliveries that match now.

    Choose the deliveries with filters or --all. Without either, the command asks on a terminal.

    It skips deliveries that are delivered or discarded. It skips uncertain ones without --looked, and held ones without
    --reason held.

    --remote-ids FILE names orders that are marked as delivered, one in a line: “1001, R-55”. If a line does not fit
    exactly one of the orders, or an order has no line, nothing is changed.
    """
    from connector.database.jobs import JobRequest
    from connector.database.models import JobAction
    from connector.database.queries.deliveries import DeliveryFilter
    from connector.operations import jobs as operations
    from connector.operations.remote_ids import decode_file, parse_remote_ids
    from connector.serializers.jobs import serialize_job, serialize_job_plan

    delivery_filter = DeliveryFilter(
        state=state,
        reason=reason,
        account=account,
        store=store,
        problem=problem,
        error=error,
        job=job,
        since=since,
        until=until,
    )
    is_chosen = is_for_all or any((reason, account, store, problem, error, job, since, until))
    if not (is_chosen or dry_run or sys.stdin.isatty()):
        raise click.UsageError("choose the deliveries with filters or --all. --dry-run changes nothing.")
    with explain_remote_ids(), local_runtime() as runtime:
        request = JobRequest(
            action=JobAction(action),
            actor=operator_name(),
            note=note,
            looked=looked,
            remote_ids=parse_remote_ids(decode_file(remote_ids_file.read())) if remote_ids_file else [],
            others_without_id=others_without_id,
        )
        if dry_run:
            plan = serialize_job_plan(operations.plan_job(runtime, delivery_filter, request))
            print_result(describe_plan(plan), plan, as_json=as_json)
            return
        if not is_chosen:
            click.echo(
                describe_plan(serialize_job_plan(operations.plan_job(runtime, delivery_filter, request))), err=True
            )
            click.confirm("Start the job?", abort=True, err=True)
        started = serialize_job(operations.start_job(runtime, delivery_filter, request))
    id_, total = started["id"], started["total"]
    text = f"Job {id_} is started for {total} deliveries. To see what comes of them: connector jobs show {id_}"
    print_result(text, started, as_json=as_json)


@contextmanager
def explain_remote_ids() -> Iterator[None]:
    """Exit with the problems of the lines, one per line."""
    from connector.database.remote_ids import InvalidRemoteIdsError
    from mappings.problems import render_problems

    try:
        yield
    except InvalidRemoteIdsError as error:
        exit_with(render_problems(error.problems), 1)


def describe_plan(plan: dict[str, Any]) -> str:
    lines = [f"{plan['total']} match; {plan['acted']} would be changed, {plan['left']} left alone."]
    lines += [f"{count}: {why}" for why, count in plan["acted_why"].items()]
    lines += [f"left {count}: {why}" for why, count in plan["left_why"].items()]
    return "\n".join(lines)


@jobs.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many to list.")
@JSON_OPTION
def list_rows(limit: int, as_json: bool) -> None:
    """List jobs, newest first."""
    from connector.database.jobs import list_jobs
    from connector.serializers.jobs import serialize_job

    with local_runtime() as runtime:
        rows = [serialize_job(job) for job in list_jobs(runtime.database, limit=limit)]
    print_rows(COLUMNS, rows, as_json=as_json)


@jobs.command()
@JSON_OPTION
@ID_ARGUMENT
def show(as_json: bool, id_: int) -> None:
    """Show a job and the results of its deliveries, as JSON. With --json, on one line."""
    from connector.database.jobs import load_job
    from connector.serializers.jobs import serialize_job_detail

    with local_runtime() as runtime:
        data = serialize_job_detail(runtime, load_job(runtime.database, id_))
    if as_json:
        print_json_line(data)
    else:
        print_json(data)


@jobs.command()
@NOTE_OPTION
@JSON_OPTION
@ID_ARGUMENT
def stop(note: str | None, as_json: bool, id_: int) -> None:
    """Stop a job, without undoing what it did."""
    from connector.operations.jobs import stop_job
    from connector.serializers.jobs import serialize_job

    with local_runtime() as runtime:
        data = serialize_job(stop_job(runtime, id_, actor=operator_name(), note=note))
    print_result(f"Job {id_} is stopped.", data, as_json=as_json)


@jobs.command()
@NOTE_OPTION
@JSON_OPTION
@ID_ARGUMENT
def resume(note: str | None, as_json: bool, id_: int) -> None:
    """Continue a stopped job where it stopped."""
    from connector.operations.jobs import resume_job
    from connector.serializers.jobs import serialize_job

    with local_runtime() as runtime:
        data = serialize_job(resume_job(runtime, id_, actor=operator_name(), note=note))
    print_result(f"Job {id_} is resumed.", data, as_json=as_json)
