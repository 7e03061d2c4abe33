"""The delivery lifecycle, driven by random steps and compared with a model.

A longer run with new random steps: `MINUTES=10 pytest tests/model --hypothesis-profile=long`.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from connector.clients.http import Client
from connector.database.engine import Database
from connector.runtime import open_runtime
from connector.sandbox.server import SandboxServer
from connector.settings import load_settings
from connector.web.app import create_app
from mappings import STOREFRONTS
from tests.model.machine import CONCURRENCY, Life, ModelClock
from tests.model.model import AMBIGUOUS_FOR_S, RETRY_FOR_S
from tests.model.webhooks import STORES
from tests.support.service import Service

#: Duration of the long run on each engine.
MINUTES = float(os.environ.get("MINUTES", "10"))
IS_LONG = settings.get_current_profile_name() == "long"
QUICK = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def fast_environ(environ: dict[str, str], engine: str) -> Iterator[dict[str, str]]:
    """Put SQLite's file in memory if possible, because the model is not about durability."""
    memory = Path("/dev/shm")  # noqa: S108  # Linux keeps it in memory
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield {**environ, "DATABASE_URL": f"sqlite:///{folder}/connector.db"} if engine == "sqlite" else environ


def read_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let catch-up send its requests without pauses, and repeat one that failed at once."""
    monkeypatch.setattr("connector.catch_up.listing.MAX_ATTEMPTS", 2)
    monkeypatch.setattr("connector.catch_up.listing.FIRST_PAUSE_S", 0.0)
    for store in STORES.values():
        monkeypatch.setattr(type(STOREFRONTS[store.storefront].order_listing), "requests_per_s", 1e6)


@pytest.mark.timeout(7_200 if IS_LONG else 300)
def test_every_order_is_accounted_for_whatever_happens(
    configure: Callable[..., Path],
    fast_environ: dict[str, str],
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = configure()
    text = path.read_text("utf-8").replace(
        "breaker_failures = 50",
        f"breaker_failures = 1000\nconcurrency = {CONCURRENCY}\nretry_for_s = {RETRY_FOR_S:.0f}\n"
        f"ambiguous_for_s = {AMBIGUOUS_FOR_S:.0f}",
    )
    for store in STORES.values():
        access = f'api_url = "{sandbox.url(store.storefront)}"\napi_token = "ck_model:cs_model"'
        text = text.replace(f'storefront = "{store.storefront}"', f'storefront = "{store.storefront}"\n{access}')
    path.write_text(text, "utf-8")
    read_without_waiting(monkeypatch)
    configured = load_settings(path, fast_environ)
    database = Database(configured.environment.database_url)
    database.migrate()
    database.close()
    clock = ModelClock()
    chosen = settings() if IS_LONG else QUICK
    end = monotonic() + MINUTES * 60
    nowhere = Client("http://127.0.0.1:9", headers={}, ssl_context=httpx.create_ssl_context(), keep_alive=False)
    with open_runtime(configured, with_clients=True, clock=clock) as runtime:
        service = Service(runtime=runtime, client=create_app(runtime).test_client(), clock=clock, sandbox=sandbox)

        class ServiceLife(Life):
            def __init__(self) -> None:
                super().__init__(service, clock, nowhere)

        run_state_machine_as_test(ServiceLife, settings=chosen)
        while IS_LONG and monotonic() < end:
            run_state_machine_as_test(ServiceLife, settings=chosen)
    nowhere.close()
