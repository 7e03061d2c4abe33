"""Requests about personal data and notices about the app, posted over real sockets to a service in its own processes.

The service is killed after the last answer: what it answered with 200 is on disk.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.sandbox.demo_process import ServiceProcess, build_environment, run_service
from connector.sandbox.notices import post_notice
from connector.sandbox.server import SandboxServer
from connector.settings import load_settings
from mappings.notices import REQUEST_TOPICS, NoticeTopic
from tests.support.notices import NOTICE_CONFIGURATION

STORES = ("tienda-mx", "nube")
WAIT_S = 60.0


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def requests(service: ServiceProcess) -> list[tuple[str, str, int]]:
    items: list[dict[str, Any]] = service.api.get("/api/privacy-requests").json()["items"]
    return sorted((item["store"], item["kind"], item["repeats"]) for item in items)


def stopped(service: ServiceProcess) -> set[str]:
    return {store["name"] for store in service.api.get("/api/stores").json()["items"] if store["stopped"]}


@pytest.mark.sqlite
@pytest.mark.timeout(300)
def test_every_notice_is_taken_once_and_no_forged_one(
    tmp_path: Path, configure: Callable[..., Path], sandbox: SandboxServer
) -> None:
    variables = build_environment(tmp_path)
    path = configure(text=NOTICE_CONFIGURATION.replace("NUBE", sandbox.url("tiendanube")))
    settings = load_settings(path, {**os.environ, **variables})
    posts = [
        (settings.stores[name], topic)
        for name in STORES
        for topic in sorted(settings.storefront(settings.stores[name]).notice_topics)
        if topic is not NoticeTopic.APP_RESUMED
    ]

    def post(service: ServiceProcess, **options: Any) -> set[int]:
        return {
            post_notice(service.url, settings.storefront(store), store, topic, order_ids=(1, 2), **options)[0]
            for store, topic in posts
        }

    with run_service(variables, tmp_path / "first.log") as service:
        wait_until_ready(service.url)
        assert post(service, secret="not the store's") == {401}
        assert (requests(service), stopped(service)) == ([], set())
        assert post(service) == {200}
        assert post(service) == {200}
        os.killpg(service.process.pid, signal.SIGKILL)

    with run_service(variables, tmp_path / "second.log") as service:
        wait_until_ready(service.url)
        assert requests(service) == sorted((name, str(topic), 1) for name in STORES for topic in REQUEST_TOPICS)
        assert stopped(service) == set(STORES)
    assert "ximena@example.mx" not in (tmp_path / "first.log").read_text() + (tmp_path / "second.log").read_text()
