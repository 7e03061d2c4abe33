"""`connector resume-store`: a store whose app was uninstalled or suspended."""

import click

from connector.cli.common import JSON_OPTION, NOTE_OPTION, cli, local_runtime, lookup_or_fail, operator_name
from connector.cli.output import print_result


@cli.command("resume-store")
@NOTE_OPTION
@JSON_OPTION
@click.argument("store")
def resume_store(note: str | None, as_json: bool, store: str) -> None:
    """Call a store's API again after its app was uninstalled or suspended.

    The orders that were held meanwhile are queued. `connector authorize` does this too, when it gets a new token.
    """
    from connector.operations import actions

    with local_runtime() as runtime:
        name = lookup_or_fail("store", store, runtime.settings.stores).name
        was_stopped = actions.resume_store(runtime, name, actor=operator_name(), note=note)
    text = f"Store {name} is resumed." if was_stopped else f"Store {name} was not stopped."
    print_result(text, {"store": name, "resumed": was_stopped}, as_json=as_json)
