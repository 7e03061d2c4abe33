"""Runs a command line in this process, against the database and the configuration of a service that a test opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from connector.cli import cli


@dataclass(frozen=True, kw_only=True)
class Command:
    configuration: Path
    environ: Mapping[str, str]

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Returns its exit status and what it printed."""
        environ = {**self.environ, "CONNECTOR_CONFIG": str(self.configuration)}
        result = CliRunner().invoke(cli, arguments, env=environ)
        return result.exit_code, result.output
