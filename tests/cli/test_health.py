"""`connector health`, the health check of a container."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from werkzeug.serving import make_server

from tests.support.commands import Command
from tests.support.service import Service

pytestmark = pytest.mark.sqlite


@contextmanager
def listening(service: Service) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, service.client.application, threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def health(port: int, *arguments: str) -> tuple[int, str]:
    """It needs no configuration."""
    return Command(configuration=Path("nowhere.toml"), environ={"HOST": "0.0.0.0", "PORT": f"{port}"})(  # noqa: S104
        "health", *arguments
    )


def test_service_that_stores_webhooks_is_healthy(service: Service) -> None:
    with listening(service) as port:
        assert health(port) == (0, "The service is ready; worker: none.\n")
        status, out = health(port, "--json")
    assert (status, json.loads(out)) == (0, {"status": "ok", "worker": "none"})


def test_service_without_its_database_is_not_healthy(service: Service) -> None:
    service.runtime.database.transact(
        lambda transaction: transaction.connection.exec_driver_sql("DELETE FROM alembic_version")
    )
    with listening(service) as port:
        status, out = health(port)
    assert (status, out.partition(":")[0]) == (1, "The service is not ready")


def test_service_that_does_not_respond_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    assert health(port) == (1, f"The service did not respond at 127.0.0.1, port {port}: Connection refused.\n")
