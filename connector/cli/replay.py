"""`connector replay`: map and send again what is parked, or show what that would change.

It chooses and queues by the jobs that `POST /api/retriggers` makes, and sends nothing itself: the forwarder does.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import cli, local_runtime, lookup_or_fail, operator_name
from connector.cli.progress import progress_bar

if TYPE_CHECKING:
    from connector.database.bulk_retries import DeliveryFilter
    from connector.database.models import Job
    from connector.delivery.preview import Preview
    from connector.runtime import Runtime

#: Between two pages, so that webhooks need not wait; and between two looks at what the forwarder made of them.
PAGE_INTERVAL_S, POLL_INTERVAL_S = 0.02, 0.3
#: As a shell tells of a command that was interrupted: 128 and SIGINT's number.
EXIT_INTERRUPTED = 130
DATE_OR_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])


@cli.command()
@click.option("--since", type=DATE_OR_TIME, help="Orders that came in on this UTC day, or at this time, or later.")
@click.option("--until", type=DATE_OR_TIME, help="Orders that came in before.")
@click.option("--store", help="A store's id.")
@click.option("--account", help="An account's id.")
@click.option("--reason", type=click.Choice(["unmappable", "refused", "exhausted"]), help="By default all of these.")
@click.option("--id", "ids", multiple=True, type=click.IntRange(min=1), help="This delivery; may be repeated.")
@click.option("--force", is_flag=True, help="With --id: also what may have been sent. Look at the destination first.")
@click.option("--note", help="Why; it is kept.")
@click.option("--dry-run", is_flag=True, help="Send nothing: show what would be sent differently, field by field.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: a JSON object a line.")
@click.option("--resume", "job_id", type=click.IntRange(min=1), help="Go on with the replay of this number.")
@click.option(
    "--wait-s",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    help="How long to look on while nothing moves any more; 0: only queue.",
)
def replay(
    since: datetime | None,
    until: datetime | None,
    store: str | None,
    account: str | None,
    reason: str | None,
    ids: tuple[int, ...],
    force: bool,
    note: str | None,
    dry_run: bool,
    as_json: bool,
    job_id: int | None,
    wait_s: float,
) -> None:
    """Map again what is parked, with the settings of now, and send it.

    Without --id it takes what is unmappable, refused or exhausted. What is uncertain is left, and what is delivered is
    not looked at: those go again only by --id and --force, each by its number.

    It queues page by page, and then looks on while the forwarder sends. Interrupt it at any time: what is queued goes
    its way, the rest stays parked, and `--resume` with the number that is then told goes on where it stopped; no
    delivery is queued twice by one replay.

    Exit status: 0 all went or still wait to be sent (with --dry-run: all can be mapped), 1 some are left, or parked
    again (cannot be mapped), 130 it was interrupted.
    """
    from connector.database.bulk_retries import DeliveryFilter, list_matching_ids, load_job, read_filter
    from connector.operations import actions

    filters = {"since": as_utc(since), "until": as_utc(until), "store": store, "account": account, "reason": reason}
    if job_id and (ids or dry_run or note or force or any(filters.values())):
        raise click.UsageError("--resume goes on with what was chosen then: give nothing else but --wait-s.")
    if ids and any(filters.values()):
        raise click.UsageError("--id names each delivery: give no filter beside it.")
    if force and not ids:
        raise click.UsageError("--force needs --id: look at each delivery at its destination first.")
    if as_json and not dry_run:
        raise click.UsageError("--json goes with --dry-run.")
    with local_runtime() as runtime:
        stores = [configured_store.id for configured_store in runtime.settings.stores.values()]
        for name, known_ids in (("store", stores), ("account", [*runtime.settings.accounts])):
            if filters[name] is not None:
                lookup_or_fail(name, str(filters[name]), {id_: id_ for id_ in [*known_ids, *runtime.settings.retired]})
        delivery_filter = DeliveryFilter(ids=ids, state=None) if ids else DeliveryFilter(**filters)  # type: ignore[arg-type]
        if dry_run:
            sys.exit(print_differences(runtime, delivery_filter, force=force, as_json=as_json))
        if job_id:
            job = load_job(runtime.database, job_id)
            delivery_ids = list_matching_ids(
                runtime.database, read_filter(job), after_id=job.after_id, until_id=job.until_id
            )
            job = actions.resume_bulk_retry(runtime, job_id, actor=operator_name())
        else:
            delivery_ids = list_matching_ids(runtime.database, delivery_filter)
            job = actions.start_bulk_retry(runtime, delivery_filter, actor=operator_name(), force=force, note=note)
        try:
            job = run_job(runtime, job)
            outcomes = wait_for_outcomes(runtime, delivery_ids, wait_s=wait_s) if wait_s else Counter[str]()
        except KeyboardInterrupt:
            job = load_job(runtime.database, job.id or 0)
            if job.ended_at is None:
                job = actions.cancel_bulk_retry(runtime, job.id or 0, actor=operator_name())
                click.echo(f"Stopped. Go on with: connector replay --resume {job.id}", err=True)
            print_job(job)
            sys.exit(EXIT_INTERRUPTED)
    print_job(job)
    for outcome, count in sorted(outcomes.items()):
        click.echo(f"{outcome}: {count}")
    sys.exit(1 if job.skipped_reasons or any(outcome.startswith("parked") for outcome in outcomes) else 0)


def as_utc(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def run_job(runtime: "Runtime", job: "Job") -> "Job":
    """Queue the job's pages, whether or not a forwarder does so too. Returns the job as it has ended."""
    from connector.database.bulk_retries import load_job
    from connector.operations import actions

    with progress_bar("queued", job.total) as update_progress:
        while job.ended_at is None:
            actions.advance_bulk_retries(runtime)
            job = load_job(runtime.database, job.id or 0)
            update_progress(job.queued + sum(job.skipped_reasons.values()))
            sleep(PAGE_INTERVAL_S)
    return job


def wait_for_outcomes(runtime: "Runtime", ids: Sequence[int], *, wait_s: float) -> Counter[str]:
    """Return what became of each, once none moves or nothing has moved for `wait_s`."""
    from connector.database.queries.lookups import iter_states

    outcomes: Counter[str] = Counter()
    pending, last_change_at = list(ids), monotonic()
    with progress_bar("settled", len(ids)) as update_progress:
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
    return outcomes + Counter({"waiting, not tried yet": len(pending)})


def print_job(job: "Job") -> None:
    click.echo(f"Replay {job.id}: queued {job.queued} of {job.total}.")
    for reason, count in job.skipped_reasons.items():
        click.echo(f"left {count}: {reason}.")


# --- what would be sent differently ---


def print_differences(runtime: "Runtime", delivery_filter: "DeliveryFilter", *, force: bool, as_json: bool) -> int:
    """Print of each what would change, and return the exit status."""
    from connector.core.exceptions import StoreUnavailableError
    from connector.database.bulk_retries import list_matching_ids
    from connector.delivery.preview import preview

    counts: Counter[str] = Counter()
    for id_ in list_matching_ids(runtime.database, delivery_filter):
        try:
            result = preview(runtime, id_, with_origins=False)
        except StoreUnavailableError as error:
            counts["not to be had"] += 1
            click.echo(f"delivery {id_}: {error}", err=True)
            continue
        verdict = classify_preview(result, force=force)
        counts[verdict] += 1
        click.echo(
            json.dumps(preview_to_json(result, verdict), ensure_ascii=False)
            if as_json
            else "\n".join(format_preview(result, verdict))
        )
    summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "nothing is chosen"
    click.echo(f"Nothing was sent: {summary}.", err=True)
    return 1 if counts["cannot be mapped"] + counts["not to be had"] + counts["left"] else 0


def classify_preview(preview: "Preview", *, force: bool) -> str:
    from connector.database.operator_actions import retrigger_refusal

    if retrigger_refusal(preview.delivery, force=force):
        return "left"
    if preview.body is None:
        return "cannot be mapped"
    if preview.differences is None:
        return "mapped for the first time"
    return "changed" if preview.differences else "the same"


def format_preview(preview: "Preview", verdict: str) -> list[str]:
    from connector.database.operator_actions import retrigger_refusal

    delivery = preview.delivery
    order = f"{delivery.store} {delivery.order_number or delivery.order_id}"
    head = f"delivery {delivery.id} ({order} to {delivery.account}, {delivery.reason or delivery.state})"
    if verdict == "left":
        return [f"{head}: left, {retrigger_refusal(delivery, force=False)}"]
    differences = [
        f"  {difference.field}: {format_value(difference.old)} -> {format_value(difference.new)}"
        for difference in preview.differences or ()
    ]
    return [f"{head}: {verdict}", *differences, *(f"  {problem}" for problem in preview.problems)]


def format_value(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def preview_to_json(preview: "Preview", verdict: str) -> dict[str, Any]:
    from connector.web.api.responses import serialize_preview

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
