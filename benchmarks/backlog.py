"""Orders that wait in a database. They are received once, and the database is copied, so that all runs start equal."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import orders
from benchmarks.load import post
from benchmarks.processes import (
    connector_command,
    create_database,
    execute,
    find_free_port,
    run_command,
    run_gunicorn,
)
from benchmarks.stores import SAMPLES, build_environment, write_configuration


@dataclass(kw_only=True)
class Backlog:
    """Waiting orders for one destination, in a database and as raw bodies."""

    directory: Path
    destination: str
    engine: str
    server_url: str | None  # PostgreSQL's
    orders: int
    bodies: Path = field(init=False)
    loaded_url: str = field(init=False)
    _copies: int = 0

    def __post_init__(self) -> None:
        self.bodies = self.directory / f"{self.destination}.bodies"
        sample = SAMPLES[self.destination]
        orders.write_requests(self.bodies, orders.build_bodies(sample, 0, self.orders, orders.BODY_BYTES))
        self.loaded_url = self._create_database("loaded")
        port = find_free_port()
        configuration = write_configuration(self.directory, destination=self.destination, base_url="http://127.0.0.1:9")
        environment = build_environment(configuration, self.loaded_url, port=port)
        run_command(connector_command("migrate"), directory=self.directory, environment=environment)
        app = "connector.web.app:create_wsgi()"
        with run_gunicorn(app, port=port, processes=1, directory=self.directory, environment=environment):
            requests = orders.build_requests(0, self.orders, sample=sample)
            loaded = post(requests, self.directory, port=port, connections=16, seconds=3_600)
        if loaded.errors:
            raise RuntimeError(f"{loaded.errors} orders were not accepted: see the web process's log")

    def copy(self) -> str:
        """Create a copy of the database. Returns its URL."""
        self._copies += 1
        url = self._create_database(f"run_{self._copies}")
        if self.engine == "sqlite":
            shutil.copy(self.loaded_url.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        return url

    def drop(self, url: str) -> None:
        if self.engine == "sqlite":
            for suffix in ("", "-wal", "-shm", ".lock"):
                Path(url.removeprefix("sqlite:///") + suffix).unlink(missing_ok=True)
        elif self.server_url is not None:
            execute(self.server_url, f'DROP DATABASE "{urlsplit(url).path[1:]}"')

    def _create_database(self, name: str) -> str:
        name = f"{self.destination}_{name}"
        if self.server_url is None:
            return f"sqlite:///{self.directory / name}.db"
        template = None if name.endswith("loaded") else f"{self.destination}_loaded"
        return create_database(self.server_url, name, template=template)
