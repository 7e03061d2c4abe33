"""`connector replay`: map parked deliveries again and send them, or show what would change.

It creates the same job as `POST /api/jobs`. A worker sends the deliveries, not this command.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import (
    NOTE_OPTION,
    UTCTime,
    cli,
    exit_with,
    local_runtime,
    lookup_or_fail,
    operator_name,
)
from connector.cli.output import print_json_line
from connector.cli.progress import progress_bar

if TYPE_CHECKING:
    from connector.database.models import Job
    from connector.database.queries.deliveries import DeliveryFilter
    from connector.delivery.preview import Preview
    from connector.runtime import Runtime

#: Seconds between two pages that are queued, so that webhooks can be stored in between.
PAGE_INTERVAL_S = 0.02
#: Seconds between two looks at what the worker has sent.
POLL_INTERVAL_S = 0.3
#: The shells' exit status of an interrupted command: 128 plus the number of SIGINT.
EXIT_INTERRUPTED = 130


@cli.command()
@click.option("--since", type=UTCTime(), help="Received on this UTC day or at this time, or later.")
@click.option("--until", type=UTCTime(), help="Received before this UTC day or time.")
@click.option("--store", help="From this store, by its id.")
@click.option("--account", help="To this account, by its id.")
@click.option(
    "--reason", type=click.Choice(["unmappable", "refused", "exhausted"]), help="Parked for this reason. Default: all."
)
@click.option("--id", "ids", multiple=True, type=click.IntRange(min=1), help="This delivery; may be repeated.")
@click.option("--all", "is_for_all", is_flag=True, help="All unmappable, refused and exhausted deliveries.")
@click.option("--force", is_flag=True, help="With --id: also if it may have arrived. Check at the destination first.")
@NOTE_OPTION
@click.option("--dry-run", is_flag=True, help="Send nothing; show field by field what would change.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print JSON, one object per line.")
@click.option("--resume", "job_id", type=click.IntRange(min=1), help="Continue the interrupted replay of this number.")
@click.option(
    "--wait-s",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    help="Stop watching when nothing has changed for this long; 0 only queues.",
)
def replay(
    since: datetime | None,
    until: datetime | None,
    store: str | None,
    account: str | None,
    reason: str | None,
    ids: tuple[int, ...],
    is_for_all: bool,
    force: bool,
    note: str | None,
    dry_run: bool,
    as_json: bool,
    job_id: int | None,
    wait_s: float,
) -> None:
    """Map parked deliveries again with the current settings, and send them.

    Choose the deliveries with --id, filters or --all. Without any of these, the command asks on a terminal.

    Filters and --all select unmappable, refused and exhausted deliveries. Uncertain and delivered ones are only sent
    again with --id and --force. Held ones are skipped, because a person must decide about each of them.

    It queues deliveries in batches, then watches the worker send them. You can interrupt it at any time: queued
    deliveries are sent, and the others stay parked. --resume with the number that it prints continues. One replay never
    queues a delivery twice.

    Exit status: 0 if all were sent or are still waiting (with --dry-run: all can be mapped), 1 if some were skipped or
    parked again (with --dry-run: cannot be mapped), 130 if it was interrupted.
    """
    from connector.database.queries.deliveries import DeliveryFilter

    filters: dict[str, Any] = {
        "since": since,
        "until": until,
        "store": store,
        "account": account,
        "reason": reason,
    }
    is_chosen = bool(ids or job_id or is_for_all or any(filters.values()))
    if job_id and (ids or dry_run or note or force or is_for_all or any(filters.values())):
        raise click.UsageError("--resume continues with the original options: combine it only with --wait-s.")
    if ids and (is_for_all or any(filters.values())):
        raise click.UsageError("--id selects single deliveries: do not combine it with filters or --all.")
    if force and not ids:
        raise click.UsageError("--force requires --id: check each delivery at its destination first.")
    if as_json and not dry_run:
        raise click.UsageError("--json requires --dry-run.")
    if not (is_chosen or dry_run or sys.stdin.isatty()):
        raise click.UsageError(
            "choose the deliveries with --id, --account, --store, --reason, --since or --until, or --all for all "
            "parked ones. --dry-run sends nothing."
        )
    with local_runtime() as runtime:
        check_ids_exist(runtime, store=store, account=account)
        selection = {"ids": ids} if ids else {"state": "parked", "without_held": True, **filters}
        delivery_filter = DeliveryFilter(**selection)
        if dry_run:
            sys.exit(preview_deliveries(runtime, delivery_filter, force=force, as_json=as_json))
        if not is_chosen:
            confirm_all(runtime, delivery_filter)
        if job_id:
            job, delivery_ids = resume_job(runtime, job_id)
        else:
            job, delivery_ids = start_job(runtime, delivery_filter, force=force, note=note)
        sys.exit(follow_job(runtime, job, delivery_ids, wait_s=wait_s))


def check_ids_exist(runtime: "Runtime", *, store: str | None, account: str | None) -> None:
    """Raise `click.UsageError` unless the ids are configured or retired."""
    stores = [configured_store.id for configured_store in runtime.settings.stores.values()]
    for kind, id_, configured_ids in (("store", store, stores), ("account", account, [*runtime.settings.accounts])):
        if id_ is not None:
            lookup_or_fail(kind, id_, dict.fromkeys([*configured_ids, *runtime.settings.retired]))


def confirm_all(runtime: "Runtime", delivery_filter: "DeliveryFilter") -> None:
    """Show what a replay of all takes, and ask. Ends the command unless the answer is yes."""
    from connector.database.queries.deliveries import iter_states, list_matching_ids

    ids = list_matching_ids(runtime.database, delivery_filter)
    if not ids:
        exit_with(["Nothing to do: no delivery is unmappable, refused or exhausted."], 0)
    counts = Counter(outcome for _, outcome, _ in iter_states(runtime.database, ids, now=runtime.clock()))
    for outcome, count in sorted(counts.items()):
        click.echo(f"{outcome}: {count}")
    if not click.confirm("Map all of them again, and send them?"):
        exit_with(["Nothing was sent. To choose some, see: connector replay --help"], 0)


def start_job(
    runtime: "Runtime", delivery_filter: "DeliveryFilter", *, force: bool, note: str | None
) -> "tuple[Job, Sequence[int]]":
    """Start a job. Returns it with the ids of the deliveries that it takes."""
    from connector.database.jobs import JobRequest
    from connector.database.models import JobAction
    from connector.database.queries.job_results import list_job_delivery_ids
    from connector.operations import jobs

    request = JobRequest(action=JobAction.RETRIGGER, actor=operator_name(), force=force, note=note)
    job = jobs.start_job(runtime, delivery_filter, request)
    return job, list_job_delivery_ids(runtime.database, job.id)


def resume_job(runtime: "Runtime", job_id: int) -> "tuple[Job, Sequence[int]]":
    """Resume a stopped job. Returns it with the ids of the deliveries that it has yet to take."""
    from connector.database.queries.job_results import list_job_delivery_ids
    from connector.operations import jobs

    job = jobs.resume_job(runtime, job_id, actor=operator_name())
    return job, list_job_delivery_ids(runtime.database, job.id, after_id=job.after_id)


def follow_job(runtime: "Runtime", job: "Job", delivery_ids: Sequence[int], *, wait_s: float) -> int:
    """Queue the job's deliveries, watch them being sent, and print the result. Returns the exit status."""
    from connector.database.jobs import load_job
    from connector.operations import jobs

    try:
        job = run_job(runtime, job)
        outcomes = wait_for_outcomes(runtime, delivery_ids, wait_s=wait_s) if wait_s else Counter[str]()
    except KeyboardInterrupt:
        job = load_job(runtime.database, job.id or 0)
        if job.ended_at is None:
            job = jobs.stop_job(runtime, job.id or 0, actor=operator_name())
            click.echo(f"Stopped. To continue: connector replay --resume {job.id}", err=True)
        print_job(job)
        return EXIT_INTERRUPTED
    print_job(job)
    for outcome, count in sorted(outcomes.items()):
        click.echo(f"{outcome}: {count}")
    return 1 if job.skipped_reasons or any(outcome.startswith("parked") for outcome in outcomes) else 0


def run_job(runtime: "Runtime", job: "Job") -> "Job":
    """Queue the job's pages, even if no worker runs. Returns the finished job."""
    from connector.database.jobs import load_job
    from connector.operations import jobs

    with progress_bar("queued", job.total) as update_progress:
        while job.ended_at is None:
            jobs.advance_jobs(runtime)
            job = load_job(runtime.database, job.id or 0)
            update_progress(job.acted + sum(job.skipped_reasons.values()))
            sleep(PAGE_INTERVAL_S)
    return job


def wait_for_outcomes(runtime: "Runtime", ids: Sequence[int], *, wait_s: float) -> Counter[str]:
    """Wait until every delivery has an outcome, or none has got one for `wait_s`. Returns the outcomes' counts."""
    from connector.database.queries.deliveries import iter_states

    outcomes: Counter[str] = Counter()
    pending, last_change_at = list(ids), monotonic()
    with progress_bar("sent", len(ids)) as update_progress:
        while pending and monotonic() - last_change_at < wait_s:
            still_pending = []
            for id_, outcome, is_pending in iter_states(runtime.database, pending, now=runtime.clock()):
                if is_pending:
                    still_pending.append(id_)
                else:
                    outcomes[outcome] += 1
            if len(still_pending) < len(pending):
                last_change_at = monotonic()
            pending = still_pending
            update_progress(len(ids) - len(pending))
            if pending:
                sleep(POLL_INTERVAL_S)
    return outcomes + Counter({"waiting, not attempted yet": len(pending)})


def print_job(job: "Job") -> None:
    from connector.core.messages import render_code

    click.echo(f"Replay {job.id}: queued {job.acted} of {job.total}.")
    if not job.total:
        click.echo("No delivery matches.", err=True)
    for reason, count in job.skipped_reasons.items():
        click.echo(f"skipped {count}: {render_code(reason)}.")


class Verdict(StrEnum):
    """What a dry run says of a delivery; the value is in the command's JSON."""

    SKIPPED = "left"
    UNMAPPABLE = "cannot be mapped"
    FIRST_MAPPING = "mapped for the first time"
    CHANGED = "changed"
    UNCHANGED = "the same"
    NOT_FETCHED = "could not be fetched"

    @property
    def label(self) -> str:
        return "skipped" if self is Verdict.SKIPPED else self.value


#: The verdicts that make a dry run exit with 1.
FAILURES = (Verdict.SKIPPED, Verdict.UNMAPPABLE, Verdict.NOT_FETCHED)


def preview_deliveries(runtime: "Runtime", delivery_filter: "DeliveryFilter", *, force: bool, as_json: bool) -> int:
    """Print what would change for each delivery. Returns the exit status."""
    from connector.core.exceptions import StoreUnavailableError
    from connector.database.queries.deliveries import list_matching_ids
    from connector.delivery.preview import preview

    counts: Counter[Verdict] = Counter()
    for id_ in list_matching_ids(runtime.database, delivery_filter):
        try:
            result = preview(runtime, id_, with_origins=False)
        except StoreUnavailableError as error:
            counts[Verdict.NOT_FETCHED] += 1
            click.echo(f"delivery {id_}: {error}", err=True)
            continue
        verdict = classify_preview(result, force=force)
        counts[verdict] += 1
        if as_json:
            print_json_line(serialize_dry_run(result, verdict))
        else:
            click.echo("\n".join(format_preview(result, verdict)))
    summary = ", ".join(f"{count} {verdict.label}" for verdict, count in sorted(counts.items()))
    click.echo(f"Nothing was sent: {summary or 'no delivery matches'}.", err=True)
    return 1 if any(counts[verdict] for verdict in FAILURES) else 0


def classify_preview(preview: "Preview", *, force: bool) -> Verdict:
    from connector.database.operator_actions import find_refusal

    if find_refusal(preview.delivery, force=force):
        return Verdict.SKIPPED
    if preview.body is None:
        return Verdict.UNMAPPABLE
    if preview.differences is None:
        return Verdict.FIRST_MAPPING
    return Verdict.CHANGED if preview.differences else Verdict.UNCHANGED


def format_preview(preview: "Preview", verdict: Verdict) -> list[str]:
    """Return the lines to print for one delivery."""
    from connector.core.messages import render_stored
    from connector.database.operator_actions import find_refusal
    from mappings.problems import render_problem

    delivery = preview.delivery
    order = f"{delivery.store} {delivery.order_number or delivery.order_id}"
    head = f"delivery {delivery.id} ({order} to {delivery.account}, {delivery.reason or delivery.state})"
    if verdict is Verdict.SKIPPED:
        return [f"{head}: skipped, {render_stored(find_refusal(delivery, force=False))}"]
    differences = [
        f"  {difference.field}: {format_value(difference.old)} -> {format_value(difference.new)}"
        for difference in preview.differences or ()
    ]
    return [f"{head}: {verdict.label}", *differences, *(f"  {render_problem(problem)}" for problem in preview.problems)]


def format_value(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def serialize_dry_run(preview: "Preview", verdict: Verdict) -> dict[str, Any]:
    from connector.serializers.previews import serialize_preview

    delivery = preview.delivery
    return {
        "id": str(delivery.id),
        "store": delivery.store,
        "account": delivery.account,
        "order_number": delivery.order_number,
        "state": delivery.state,
        "reason": delivery.reason,
        "would_be": verdict,
        **{name: value for name, value in serialize_preview(preview).items() if name != "origins"},
    }
