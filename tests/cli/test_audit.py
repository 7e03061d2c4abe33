"""`connector audit`, and what the command line leaves in the audit trail."""

import json
import re
import shlex
from pathlib import Path

import pytest

from connector.cli.common import operator_name
from tests.support.commands import Command
from tests.support.orders import shopify_order
from tests.support.service import Service

pytestmark = pytest.mark.sqlite


@pytest.fixture
def connector(service: Service, tmp_path: Path, environ: dict[str, str]) -> Command:
    service.post_shopify(shopify_order())
    return Command(configuration=tmp_path / "connector.toml", environ=environ)


def test_looks_and_searches_of_the_command_line_are_recorded(connector: Command) -> None:
    connector("show", "1")
    connector("show", "1")
    connector("list", "--email", "ximena@example.mx")
    printed = connector.invoke("audit", "--json").stdout
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [(row["actor"], row["action"], row["interface"], row["order_number"]) for row in rows] == [
        (operator_name(), "search-by-email", "cli", None),
        (operator_name(), "view", "cli", "#1001"),
    ]
    assert rows[0]["counts"] == {"deliveries": 1}
    assert "ximena" not in printed


def test_audit_is_filtered_and_continued_by_the_command_that_it_prints(connector: Command) -> None:
    connector("show", "1")
    connector("retrigger", "1", "--note", "asked")
    connector("list", "--email", "ximena@example.mx")
    result = connector.invoke("audit", "--limit", "2")
    header, *rows = [re.split(" {2,}", line) for line in result.stdout.splitlines()]
    assert header[:4] == ["at", "actor", "action", "subject"]
    assert [row[2] for row in rows] == ["search-by-email", "retrigger"]
    _, _, command = result.stderr.strip().partition("connector ")
    continued = connector.invoke(*shlex.split(command)).stdout.splitlines()[1:]
    assert [re.split(" {2,}", line)[2:4] for line in continued] == [["view", "order #1001"]]
    assert connector.invoke("audit", "--action", "view", "--actor", "nobody").stderr == "No entry matches.\n"


@pytest.mark.parametrize("arguments", [["--action", "look"], ["--cursor", "7"]])
def test_audit_refuses_what_is_no_filter(connector: Command, arguments: list[str]) -> None:
    assert connector("audit", *arguments)[0] == 2
