"""Commands by which a person acts on what is on record."""

from datetime import timedelta

import click

from connector.cli.common import AS_JSON, cli, open_here, say, user
from connector.cli.progress import follow_quietly

#: Between two transactions that prune, so that webhooks need not wait.
PRUNE_REST_S = 0.1


@cli.command()
@click.option("--event", "is_event", is_flag=True, help="ID is an event's: all that the routes want of it now.")
@click.option("--force", is_flag=True, help="Also what may have been sent. Look at the destination first.")
@click.option("--new-key", is_flag=True, help="With --force: no earlier attempt was processed, so take a new key.")
@click.option("--note", help="Why; it is kept.")
@AS_JSON
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
def retrigger(is_event: bool, force: bool, new_key: bool, note: str | None, as_json: bool, id_: int) -> None:
    """Queue a delivery again."""
    from connector.operations import actions
    from connector.web.api.responses import RETRIGGERED, dump, show_delivery

    with open_here() as runtime:
        if not is_event:
            queued = actions.retrigger_delivery(runtime, id_, who=user(), force=force, new_key=new_key, note=note)
            say(f"Delivery {id_} is queued.", show_delivery(queued), as_json=as_json)
            return
        if new_key:
            raise click.UsageError("--new-key is for one delivery.")
        for one in actions.retrigger_event(runtime, id_, who=user(), force=force, note=note):
            say(f"Delivery {one.id} is {one.done}: {one.why}.", dump(RETRIGGERED, one), as_json=as_json)


@cli.command()
@click.option("--as", "as_", type=click.Choice(["delivered", "discarded"]), required=True)
@click.option("--remote-id", help="The order's id at the destination.")
@click.option("--note", help="Why; it is kept.")
@AS_JSON
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
def resolve(as_: str, remote_id: str | None, note: str | None, as_json: bool, id_: int) -> None:
    """Settle a parked delivery by your word."""
    from connector.operations import actions
    from connector.web.api.responses import show_delivery

    with open_here() as runtime:
        settled = actions.resolve_delivery(runtime, id_, who=user(), as_=as_, remote_id=remote_id, note=note)
    say(f"Delivery {id_} is {as_}.", show_delivery(settled), as_json=as_json)


@cli.command()
@click.option("--note", help="Why; it is kept.")
@AS_JSON
@click.argument("account")
def pause(note: str | None, as_json: bool, account: str) -> None:
    """Send an account nothing more until it is resumed. Its orders wait."""
    from connector.operations import actions
    from connector.web.api.responses import show_one_account

    with open_here() as runtime:
        actions.pause_account(runtime, account, who=user(), note=note)
        say(f"Account {account} is paused.", show_one_account(runtime, account), as_json=as_json)


@cli.command()
@AS_JSON
@click.argument("account")
def resume(as_json: bool, account: str) -> None:
    """Send to an account again at once, be it paused or its circuit open."""
    from connector.operations import actions
    from connector.web.api.responses import show_one_account

    with open_here() as runtime:
        actions.resume_account(runtime, account, who=user())
        say(f"Account {account} takes orders again.", show_one_account(runtime, account), as_json=as_json)


@cli.command()
@click.option("--older-than-days", type=click.IntRange(1, 36_500), default=90, show_default=True)
@click.option("--batch", type=click.IntRange(1, 5_000), default=200, show_default=True, help="Rows in one transaction.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@AS_JSON
def prune(older_than_days: int, batch: int, dry_run: bool, as_json: bool) -> None:
    """Drop payloads, bodies and replies of orders that ended long ago.

    An order has ended when each of its deliveries is delivered or discarded, and nothing more came of it since. What
    tells events and orders apart stays for ever: a webhook that is repeated after years makes no second delivery. Ids,
    order numbers, states, errors and notes stay too. The service may go on; stopped halfway, it goes on when it is run
    again. A dropped order can be sent again only when a newer version of it comes. Kept, too, are payloads that only
    name an order, and the bytes of what may have arrived and must be repeated, if ever, unchanged under its key.

    SQLite uses the space again by itself; only its VACUUM gives it back to the disk, and wipes what stood there.
    """
    from itertools import count
    from time import sleep

    from connector.database.prune import Aged
    from connector.database.prune import prune as prune_rows

    with open_here() as runtime, follow_quietly("transactions that drop what is old", None) as tell:
        settings = runtime.settings
        steps = count(1)

        def rest() -> None:
            tell(next(steps))
            sleep(PRUNE_REST_S)

        aged = Aged(
            before=runtime.clock() - timedelta(days=older_than_days),
            thin_stores=[one.id for one in settings.stores.values() if settings.storefront(one).thin_body],
        )
        dropped = prune_rows(runtime.database, aged, batch=batch, is_dry=dry_run, rest=rest)
    said = "Would drop" if dry_run else "Dropped"
    shown = {"deliveries": dropped.deliveries, "events": dropped.events, "dry_run": dry_run}
    say(f"{said} what {dropped.deliveries} deliveries and {dropped.events} events held.", shown, as_json=as_json)
