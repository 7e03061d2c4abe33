"""`connector correct`: what a person enters for fields of an order that are missing or doubtful."""

from shlex import quote

import click

from connector.cli.common import ID_ARGUMENT, JSON_OPTION, NOTE_OPTION, cli, exit_with, local_runtime, operator_name
from connector.cli.output import print_json_line, print_result, print_table


@cli.command()
@click.option(
    "--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Enter the value of a field; may be repeated."
)
@click.option("--withdraw", "withdrawn", multiple=True, metavar="FIELD", help="Withdraw what was entered for a field.")
@NOTE_OPTION
@JSON_OPTION
@ID_ARGUMENT
def correct(
    assignments: tuple[str, ...], withdrawn: tuple[str, ...], note: str | None, as_json: bool, id_: int
) -> None:
    """Enter a field of a delivery's order that is missing or doubtful, and queue the delivery.

    Without --set and --withdraw, lists what was entered and what you can enter. A correction is stored beside the
    order, and applies to all its deliveries and later versions. A value that the destination would refuse is refused.

    Exit status: 0 if it was stored, 1 if it was refused.
    """
    from connector.core.messages import render_stored
    from connector.delivery.corrections import InvalidCorrectionError, enter_corrections, withdraw_corrections
    from connector.serializers.corrections import serialize_correction_result
    from mappings.problems import render_problems

    if assignments and withdrawn:
        raise click.UsageError("--set and --withdraw exclude each other.")
    if not assignments and not withdrawn:
        if note:
            raise click.UsageError("--note goes with --set or --withdraw.")
        list_fields(id_, as_json=as_json)
        return
    values = dict(map(parse_assignment, assignments))
    with local_runtime() as runtime:
        try:
            if values:
                result = enter_corrections(runtime, id_, values, actor=operator_name(), note=note)
            else:
                result = withdraw_corrections(runtime, id_, withdrawn, actor=operator_name(), note=note)
        except InvalidCorrectionError as error:
            exit_with(render_problems(error.problems), 1)
    done = "Stored." if values else "Withdrawn."
    text = f"{done} {render_stored(result.effect)}"
    print_result(text, serialize_correction_result(result), as_json=as_json)


def list_fields(id_: int, *, as_json: bool) -> None:
    from connector.database.queries.deliveries import load_delivery
    from connector.serializers.corrections import serialize_corrections

    with local_runtime() as runtime:
        data = serialize_corrections(runtime, load_delivery(runtime.database, id_))
    if as_json:
        print_json_line(data)
        return
    if data["entered"]:
        print_table(["field", "value", "entered_by", "entered_at", "reason"], data["entered"])
    for field in data["fields"]:
        choices = f" One of: {', '.join(field['choices'])}." if field["choices"] else ""
        click.echo(f"--set {field['field']}=…  {field['label']}.{choices}")
    for reading in data["readings"]:
        click.echo("or: " + " ".join(f"--set {quote(f'{name}={value}')}" for name, value in reading.items()))
    if not data["entered"] and not data["fields"]:
        click.echo("Nothing was entered, and no problem names a field that could be.")


def parse_assignment(text: str) -> tuple[str, str]:
    """Split FIELD=VALUE. Raises `click.UsageError`, which does not repeat the value."""
    key, bracket, rest = text.rpartition("].") if text.startswith(("lines[", "payments[")) else ("", "", text)
    name, equals_sign, value = rest.partition("=")
    if not equals_sign or not name:
        raise click.UsageError("--set takes FIELD=VALUE, such as ship_to.district=Centro.")
    return f"{key}{bracket}{name.strip()}", value
