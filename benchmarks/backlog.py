"""Orders that wait in a database: taken in once through the webhook, then copied, so that every run finds the same."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import orders
from benchmarks.load import post
from benchmarks.processes import ask, connector, create_database, free_port, gunicorn, run
from benchmarks.stores import SAMPLES, environment_of, write_configuration


@dataclass(kw_only=True)
class Backlog:
    """Orders of one kind that wait in a database, and the same as raw bodies."""

    directory: Path
    destination: str
    engine: str
    server: str | None  # PostgreSQL's address
    orders: int
    bodies: Path = field(init=False)
    loaded: str = field(init=False)
    _copies: int = 0

    def __post_init__(self) -> None:
        self.bodies = self.directory / f"{self.destination}.bodies"
        sample = SAMPLES[self.destination]
        orders.write_requests(self.bodies, orders.bodies(sample, 0, self.orders, orders.BODY_BYTES))
        self.loaded = self._new_database("loaded")
        port = free_port()
        configuration = write_configuration(self.directory, destination=self.destination, base_url="http://127.0.0.1:9")
        variables = environment_of(configuration, self.loaded, port=port)
        run(connector("migrate"), directory=self.directory, variables=variables)
        app = "connector.web.app:create_wsgi()"
        with gunicorn(app, port=port, processes=1, directory=self.directory, variables=variables):
            made = orders.requests(0, self.orders, sample=sample)
            taken = post(made, self.directory, port=port, connections=16, seconds=3_600)
        if taken.errors:
            raise RuntimeError(f"{taken.errors} orders were not taken: see the web process's log")

    def copy(self) -> str:
        """A database of its own that holds the backlog; its address."""
        self._copies += 1
        fresh = self._new_database(f"run_{self._copies}")
        if self.engine == "sqlite":
            shutil.copy(self.loaded.removeprefix("sqlite:///"), fresh.removeprefix("sqlite:///"))
        return fresh

    def drop(self, url: str) -> None:
        if self.engine == "sqlite":
            for end in ("", "-wal", "-shm", ".lock"):
                Path(url.removeprefix("sqlite:///") + end).unlink(missing_ok=True)
        elif self.server is not None:
            ask(self.server, f'DROP DATABASE "{urlsplit(url).path[1:]}"')

    def _new_database(self, name: str) -> str:
        name = f"{self.destination}_{name}"
        if self.server is None:
            return f"sqlite:///{self.directory / name}.db"
        template = None if name.endswith("loaded") else f"{self.destination}_loaded"
        return create_database(self.server, name, template=template)
