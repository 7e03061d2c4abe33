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

from connector.cli.common import choose, cli, open_here, user
from connector.cli.progress import follow

if TYPE_CHECKING:
    from connector.database.bulk_retries import Choice
    from connector.database.models import Job
    from connector.delivery.preview import Preview
    from connector.runtime import Runtime

#: Between two pages, so that webhooks need not wait; and between two looks at what the forwarder made of them.
PAGES_EVERY_S, LOOK_EVERY_S = 0.02, 0.3
#: As a shell tells of a command that was interrupted: 128 and SIGINT's number.
INTERRUPTED = 130
TIMES = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])


@cli.command()
@click.option("--since", type=TIMES, help="Orders that came in on this UTC day, or at this time, or later.")
@click.option("--until", type=TIMES, help="Orders that came in before.")
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
    from connector.database.bulk_retries import Choice, list_chosen, load_job, read_choice
    from connector.operations import actions

    filters = {"since": at_utc(since), "until": at_utc(until), "store": store, "account": account, "reason": reason}
    if job_id and (ids or dry_run or note or force or any(filters.values())):
        raise click.UsageError("--resume goes on with what was chosen then: give nothing else but --wait-s.")
    if ids and any(filters.values()):
        raise click.UsageError("--id names each delivery: give no filter beside it.")
    if force and not ids:
        raise click.UsageError("--force needs --id: look at each delivery at its destination first.")
    if as_json and not dry_run:
        raise click.UsageError("--json goes with --dry-run.")
    with open_here() as runtime:
        stores = [one.id for one in runtime.settings.stores.values()]
        for name, known in (("store", stores), ("account", [*runtime.settings.accounts])):
            if filters[name] is not None:
                choose(name, str(filters[name]), {id_: id_ for id_ in [*known, *runtime.settings.retired]})
        choice = Choice(ids=ids, state=None) if ids else Choice(**filters)  # type: ignore[arg-type]
        if dry_run:
            sys.exit(show_differences(runtime, choice, force=force, as_json=as_json))
        if job_id:
            job = load_job(runtime.database, job_id)
            chosen = list_chosen(runtime.database, read_choice(job), after=job.after_id, until=job.until_id)
            job = actions.resume_retriggers(runtime, job_id, who=user())
        else:
            chosen = list_chosen(runtime.database, choice)
            job = actions.start_retriggers(runtime, choice, who=user(), force=force, note=note)
        try:
            job = work_off(runtime, job)
            ended = look_on(runtime, chosen, wait_s=wait_s) if wait_s else Counter[str]()
        except KeyboardInterrupt:
            job = load_job(runtime.database, job.id or 0)
            if job.ended_at is None:
                job = actions.cancel_retriggers(runtime, job.id or 0, who=user())
                click.echo(f"Stopped. Go on with: connector replay --resume {job.id}", err=True)
            tell_job(job)
            sys.exit(INTERRUPTED)
    tell_job(job)
    for what, count in sorted(ended.items()):
        click.echo(f"{what}: {count}")
    sys.exit(1 if job.left_why or any(what.startswith("parked") for what in ended) else 0)


def at_utc(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def work_off(runtime: "Runtime", job: "Job") -> "Job":
    """Queue the job's pages, whether or not a forwarder does so too. Returns the job as it has ended."""
    from connector.database.bulk_retries import load_job
    from connector.operations import actions

    with follow("queued", job.total) as show:
        while job.ended_at is None:
            actions.advance_jobs(runtime)
            job = load_job(runtime.database, job.id or 0)
            show(job.queued + sum(job.left_why.values()))
            sleep(PAGES_EVERY_S)
    return job


def look_on(runtime: "Runtime", ids: Sequence[int], *, wait_s: float) -> Counter[str]:
    """Return what became of each, once none moves or nothing has moved for `wait_s`."""
    from connector.database.queries.lookups import tell_states

    ended: Counter[str] = Counter()
    moving, moved_at = list(ids), monotonic()
    with follow("settled", len(ids)) as show:
        while moving and monotonic() - moved_at < wait_s:
            still = []
            for id_, what, is_moving in tell_states(runtime.database, moving, now=runtime.clock()):
                if is_moving:
                    still.append(id_)
                else:
                    ended[what] += 1
            if len(still) < len(moving):
                moved_at = monotonic()
            moving = still
            show(len(ids) - len(moving))
            if moving:
                sleep(LOOK_EVERY_S)
    return ended + Counter({"waiting, not tried yet": len(moving)})


def tell_job(job: "Job") -> None:
    click.echo(f"Replay {job.id}: queued {job.queued} of {job.total}.")
    for why, count in job.left_why.items():
        click.echo(f"left {count}: {why}.")


# --- what would be sent differently ---


def show_differences(runtime: "Runtime", choice: "Choice", *, force: bool, as_json: bool) -> int:
    """Print of each what would change, and return the exit status."""
    from connector.core.exceptions import StoreUnavailableError
    from connector.database.bulk_retries import list_chosen
    from connector.delivery.preview import preview

    counts: Counter[str] = Counter()
    for id_ in list_chosen(runtime.database, choice):
        try:
            shown = preview(runtime, id_, is_explained=False)
        except StoreUnavailableError as error:
            counts["not to be had"] += 1
            click.echo(f"delivery {id_}: {error}", err=True)
            continue
        what = judge(shown, force=force)
        counts[what] += 1
        click.echo(json.dumps(as_object(shown, what), ensure_ascii=False) if as_json else "\n".join(lines(shown, what)))
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing is chosen"
    click.echo(f"Nothing was sent: {told}.", err=True)
    return 1 if counts["cannot be mapped"] + counts["not to be had"] + counts["left"] else 0


def judge(shown: "Preview", *, force: bool) -> str:
    from connector.database.operator_actions import forbids

    if forbids(shown.delivery, force=force):
        return "left"
    if shown.body is None:
        return "cannot be mapped"
    if shown.differences is None:
        return "mapped for the first time"
    return "changed" if shown.differences else "the same"


def lines(shown: "Preview", what: str) -> list[str]:
    from connector.database.operator_actions import forbids

    one = shown.delivery
    order = f"{one.store} {one.order_number or one.order_id}"
    head = f"delivery {one.id} ({order} to {one.account}, {one.reason or one.state})"
    if what == "left":
        return [f"{head}: left, {forbids(one, force=False)}"]
    differences = [f"  {each.field}: {write(each.old)} -> {write(each.new)}" for each in shown.differences or ()]
    return [f"{head}: {what}", *differences, *(f"  {problem}" for problem in shown.problems)]


def write(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def as_object(shown: "Preview", what: str) -> dict[str, Any]:
    from connector.web.api.responses import show_preview

    one = shown.delivery
    return {
        "id": str(one.id),
        "store": one.store,
        "account": one.account,
        "order_number": one.order_number,
        "state": one.state,
        "reason": one.reason,
        "would_be": what,
        **{name: value for name, value in show_preview(shown).items() if name != "origins"},
    }
