"""Conventions of all commands: JSON output, colours only on terminals, exit statuses, completion."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from connector import cli as cli_package
from connector.cli import cli
from tests.support.commands import Command
from tests.support.orders import shopify_order, woo_order
from tests.support.service import Service

pytestmark = pytest.mark.sqlite

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
#: Commands that run until stopped, and those whose output is not a table: see docs/cli.md.
WITHOUT_JSON = {"serve", "worker", "sandbox", "demo", "init", "trigger", "token", "user hash"}


def iter_commands(group: click.Group = cli, above: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from iter_commands(command, f"{above}{name} ")
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{above}{name}", command


def iter_group(path: str) -> Iterator[click.Command]:
    """The commands and groups in the group that `path` names; "" is the program."""
    group: click.Group = cli
    for name in path.split():
        subgroup = group.commands[name]
        assert isinstance(subgroup, click.Group)
        group = subgroup
    yield from group.commands.values()


@pytest.fixture
def connector(tmp_path: Path, environ: dict[str, str]) -> Command:
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


@pytest.fixture
def parked_service(service: Service) -> Service:
    """An order that LaPyme refused, and one delivered to Rayo."""
    service.sandbox.inject_fault("lapyme", "status", status=422)
    service.post_woo(woo_order())
    service.post_shopify(shopify_order())
    service.drain()
    return service


def test_every_command_supports_json_output() -> None:
    without = {name for name, command in iter_commands() if not any("--json" in param.opts for param in command.params)}
    assert without == WITHOUT_JSON


def run_help(path: str, columns: int) -> str:
    environ = {**os.environ, "COLUMNS": str(columns)}
    command = [sys.executable, "-m", "connector", *path.split(), "--help"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


GROUPS = ["", *sorted({name.rpartition(" ")[0] for name, _ in iter_commands() if " " in name})]


@pytest.mark.parametrize("group", GROUPS)
def test_help_of_a_group_shows_whole_sentences_in_80_columns(group: str) -> None:
    printed = run_help(group, 80)
    rows = " ".join(printed.partition("\nCommands:\n")[2].split())
    sentences = [f"{command.get_short_help_str(1_000)}" for command in iter_group(group)]
    assert [sentence for sentence in sentences if sentence not in rows or not sentence.endswith(".")] == []
    assert "..." not in printed.partition("\n")[2]
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("name", [name for name, _ in iter_commands()])
def test_help_of_a_command_describes_every_option_in_80_columns(name: str) -> None:
    command = dict(iter_commands())[name]
    assert [param.name for param in command.params if isinstance(param, click.Option) and not param.help] == []
    with click.Context(command, info_name=f"connector {name}", terminal_width=80) as context:
        usage, _, printed = command.get_help(context).partition("\n")
    assert "..." not in printed
    assert max(map(len, [usage, *printed.splitlines()])) <= 80


def test_documentation_lists_exactly_the_commands() -> None:
    named = re.findall(r"^\| `([a-z -]+)` \|", DOCUMENT, re.MULTILINE)
    assert named == sorted(name for name, _ in iter_commands())


def test_documentation_lists_exactly_the_exit_statuses() -> None:
    folder = Path(cli_package.__file__).parent
    sources = "".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    named = set(re.findall(r"^\| (\d+) \|", DOCUMENT, re.MULTILINE))
    ends = re.findall(r"(?:exit_with\(.*, |sys\.exit\()(\d)\)", sources)
    assert named == {"0", *ends, "130"}
    assert "INTERRUPTED = 130" in sources


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["retrigger", "1"], "/deliveries/1"),
        (["resolve", "1", "--as", "discarded"], "/deliveries/1"),
        (["show", "1"], "/deliveries/1"),
        (["show", "--event", "1"], "/events/1"),
    ],
)
def test_json_output_equals_the_api_response(
    parked_service: Service, connector: Command, arguments: list[str], path: str
) -> None:
    status, printed = connector(*arguments, "--json")
    answered: dict[str, Any] = parked_service.api(path).json
    assert status == 0
    assert json.loads(printed) == {name: answered[name] for name in json.loads(printed)}
    assert printed.count("\n") == 1


def test_pause_and_resume_print_the_account(parked_service: Service, connector: Command) -> None:
    paused, resumed = (json.loads(connector(act, "erp", "--json")[1]) for act in ("pause", "resume"))
    assert (paused["id"], paused["state"], resumed["state"]) == ("erp", "paused", "flowing")
    assert resumed == parked_service.api("/accounts").json["items"][1]


@pytest.mark.usefixtures("parked_service")
def test_maintenance_commands_print_json(connector: Command) -> None:
    assert json.loads(connector("prune", "--json")[1]) == {"deliveries": 0, "events": 0, "dry_run": False}
    assert json.loads(connector("check", "--json")[1]) == {
        "faults": [],
        "warnings": [],
        "credentials": [],
        "stores": 2,
        "accounts": 2,
        "routes": 2,
        "keep_days": 90,
        "keep_parked_days": 365,
        "keep_audit_days": 365,
    }
    assert json.loads(connector("reconcile", "--json")[1])["differences"] == []
    findings = [json.loads(line) for line in connector("doctor", "--offline", "--json")[1].splitlines()]
    assert {tuple(finding) for finding in findings} == {("of", "grade", "said", "do")}


def test_configuration_errors_are_printed_as_json(connector: Command) -> None:
    connector.configuration.write_text("[stores.a]\n", "utf-8")
    status, printed = connector("check", "--json")
    assert status == 1
    assert "accounts: is missing." in json.loads(printed)["faults"]


@pytest.mark.usefixtures("parked_service")
def test_doctor_exits_1_only_on_an_error(connector: Command) -> None:
    status, printed = connector("doctor", "--offline")
    assert status == 0
    assert re.search("^warning +account erp: 1 of its orders are parked as refused\n +→ connector list", printed, re.M)
    connector.configuration.write_text("[stores.a]\n", "utf-8")
    assert connector("doctor", "--offline")[0] == 1


def run_on_terminal(arguments: list[str], environ: dict[str, str]) -> str:
    """Run a command on a terminal of 80 columns and return its output."""
    terminal, child_end = pty.openpty()
    command = [sys.executable, "-m", "connector", *arguments]
    with subprocess.Popen(command, stdin=child_end, stdout=child_end, stderr=child_end, env=environ) as process:
        os.close(child_end)
        printed = b""
        while chunk := read_terminal(terminal):
            printed += chunk
    os.close(terminal)
    assert process.returncode == 0
    return printed.decode()


def read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # Linux's way to say that the other end is closed
        return b""


def test_terminal_output_has_colours_unless_no_color_is_set(parked_service: Service, connector: Command) -> None:
    environ = {**os.environ, **connector.environ, "CONNECTOR_CONFIG": str(connector.configuration)}
    environ |= {"TERM": "xterm-256color", "COLUMNS": "80"}
    environ.pop("NO_COLOR", None)
    coloured = run_on_terminal(["list"], environ)
    plain = run_on_terminal(["list"], environ | {"NO_COLOR": "1"})
    assert "\x1b[32m" in coloured  # green: one was delivered
    assert "\x1b[3" not in plain
    [order] = parked_service.sandbox.orders("rayo")
    assert str(order.remote_id) in run_on_terminal(["list", "--wide"], environ)  # whole, to be copied


def test_tab_completes_commands(connector: Command) -> None:
    environ = {**os.environ, "_CONNECTOR_COMPLETE": "bash_complete", "COMP_WORDS": "connector re", "COMP_CWORD": "1"}
    program = "import sys; sys.argv[0] = 'connector'; from connector.cli import main; main()"
    completed = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False
    )
    assert set(completed.stdout.split()) == {
        f"plain,re{rest}" for rest in ("concile", "play", "solve", "stored", "sume", "sume-store", "trigger")
    }
    assert connector.configuration.exists() is False


def test_importing_the_cli_loads_no_heavy_libraries() -> None:
    program = "import sys, connector.cli; sys.exit(bool({'rich', 'flask', 'sqlalchemy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
