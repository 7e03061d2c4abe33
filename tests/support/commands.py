"""Runs a command line in this process, against the database and the configuration of a service that a test opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from connector.cli import cli


@dataclass(frozen=True, kw_only=True)
class Command:
    configuration: Path
    environ: Mapping[str, str]

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Returns its exit status and what it printed."""
        result = self.invoke(*arguments)
        return result.exit_code, result.output

    def invoke(self, *arguments: str, typed: str | None = None) -> Result:
        """Run a command line. `typed` is its standard input."""
        environ = {**self.environ, "CONNECTOR_CONFIG": str(self.configuration)}
        return CliRunner().invoke(cli, arguments, input=typed, env=environ)
