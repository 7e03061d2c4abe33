"""Commands by which a person acts on what is on record."""

from datetime import timedelta

import click

from connector.cli.common import JSON_OPTION, cli, local_runtime, operator_name, print_result
from connector.cli.progress import progress_on_tty

#: Between two transactions that prune, so that webhooks need not wait.
PRUNE_PAUSE_S = 0.1


@cli.command()
@click.option("--event", "is_event", is_flag=True, help="ID is an event's: all that the routes want of it now.")
@click.option("--force", is_flag=True, help="Also what may have been sent. Look at the destination first.")
@click.option("--new-key", is_flag=True, help="With --force: no earlier attempt was processed, so take a new key.")
@click.option("--note", help="Why; it is kept.")
@JSON_OPTION
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
def retrigger(is_event: bool, force: bool, new_key: bool, note: str | None, as_json: bool, id_: int) -> None:
    """Queue a delivery again."""
    from connector.operations import actions
    from connector.web.api.responses import RETRY_RESULT_SCHEMA, dump, serialize_delivery

    with local_runtime() as runtime:
        if not is_event:
            delivery = actions.retrigger_delivery(
                runtime, id_, actor=operator_name(), force=force, new_key=new_key, note=note
            )
            print_result(f"Delivery {id_} is queued.", serialize_delivery(delivery), as_json=as_json)
            return
        if new_key:
            raise click.UsageError("--new-key is for one delivery.")
        for result in actions.retrigger_event(runtime, id_, actor=operator_name(), force=force, note=note):
            print_result(
                f"Delivery {result.id} is {result.done}: {result.why}.",
                dump(RETRY_RESULT_SCHEMA, result),
                as_json=as_json,
            )


@cli.command()
@click.option("--as", "as_", type=click.Choice(["delivered", "discarded"]), required=True)
@click.option("--remote-id", help="The order's id at the destination.")
@click.option("--note", help="Why; it is kept.")
@JSON_OPTION
@click.argument("id_", metavar="ID", type=click.IntRange(min=1))
def resolve(as_: str, remote_id: str | None, note: str | None, as_json: bool, id_: int) -> None:
    """Settle a parked delivery by your word."""
    from connector.operations import actions
    from connector.web.api.responses import serialize_delivery

    with local_runtime() as runtime:
        delivery = actions.resolve_delivery(
            runtime, id_, actor=operator_name(), resolution=as_, remote_id=remote_id, note=note
        )
    print_result(f"Delivery {id_} is {as_}.", serialize_delivery(delivery), as_json=as_json)


@cli.command()
@click.option("--note", help="Why; it is kept.")
@JSON_OPTION
@click.argument("account")
def pause(note: str | None, as_json: bool, account: str) -> None:
    """Send an account nothing more until it is resumed. Its orders wait."""
    from connector.operations import actions
    from connector.web.api.responses import serialize_account_by_id

    with local_runtime() as runtime:
        actions.pause_account(runtime, account, actor=operator_name(), note=note)
        print_result(f"Account {account} is paused.", serialize_account_by_id(runtime, account), as_json=as_json)


@cli.command()
@JSON_OPTION
@click.argument("account")
def resume(as_json: bool, account: str) -> None:
    """Send to an account again at once, be it paused or its circuit open."""
    from connector.operations import actions
    from connector.web.api.responses import serialize_account_by_id

    with local_runtime() as runtime:
        actions.resume_account(runtime, account, actor=operator_name())
        print_result(
            f"Account {account} takes orders again.", serialize_account_by_id(runtime, account), as_json=as_json
        )


@cli.command()
@click.option("--older-than-days", type=click.IntRange(1, 36_500), default=90, show_default=True)
@click.option("--batch", type=click.IntRange(1, 5_000), default=200, show_default=True, help="Rows in one transaction.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@JSON_OPTION
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

    from connector.database.prune import PruneCriteria
    from connector.database.prune import prune as prune_rows

    with local_runtime() as runtime, progress_on_tty("transactions that drop what is old", None) as update_progress:
        settings = runtime.settings
        steps = count(1)

        def pause_between_batches() -> None:
            update_progress(next(steps))
            sleep(PRUNE_PAUSE_S)

        aged = PruneCriteria(
            before=runtime.clock() - timedelta(days=older_than_days),
            thin_stores=[
                store.id for store in settings.stores.values() if settings.storefront(store).has_thin_webhooks
            ],
        )
        dropped = prune_rows(runtime.database, aged, batch_size=batch, dry_run=dry_run, pause=pause_between_batches)
    verb = "Would drop" if dry_run else "Dropped"
    data = {"deliveries": dropped.deliveries, "events": dropped.events, "dry_run": dry_run}
    print_result(
        f"{verb} what {dropped.deliveries} deliveries and {dropped.events} events held.", data, as_json=as_json
    )
