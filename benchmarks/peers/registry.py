"""The commands that start each peer, and the server that it needs. The peers run in a separate venv.

uv venv --python 3.11 .venv-peers
uv pip install --python .venv-peers --require-hashes -r benchmarks/requirements-peers.txt
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
#: The environment variable `PEERS_VENV` names another folder.
VENV = Path(os.environ.get("PEERS_VENV", ROOT / ".venv-peers"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    name: str
    module: str  # in this package; its `app` is the web application
    server: Literal["postgresql", "redis"] | None = None
    worker: Sequence[str] = ()  # in the venv's `bin/`; {concurrency} and {module} are replaced
    setup: Sequence[str] = ()  # runs once, before the others

    def web_command(self, port: int, *, processes: int, threads: int) -> list[str]:
        return [
            *(str(VENV / "bin" / "gunicorn"), f"benchmarks.peers.{self.module}:app"),
            *("--bind", f"127.0.0.1:{port}", "--workers", str(processes)),
            *("--worker-class", "gthread", "--threads", str(threads)),
            *("--timeout", "30", "--log-level", "warning", "--no-control-socket"),
        ]

    def worker_command(self, *, concurrency: int) -> list[str] | None:
        return self._command(self.worker, concurrency) if self.worker else None

    def setup_command(self) -> list[str] | None:
        return self._command(self.setup, 1) if self.setup else None

    def _command(self, words: Sequence[str], concurrency: int) -> list[str]:
        module = f"benchmarks.peers.{self.module}"
        program, *rest = (word.format(concurrency=concurrency, module=module) for word in words)
        return [str(VENV / "bin" / program), *rest]


def build_peer_environment(
    *, secret: str, rayo_url: str, folder: Path, concurrency: int, timeout_s: float, server_url: str = ""
) -> Mapping[str, str]:
    """Return the environment of a peer's processes. `server_url` is that of its PostgreSQL or Redis server."""
    return {
        "PYTHONPATH": str(ROOT),
        "WEBHOOK_SECRET": secret,
        "RAYO_URL": rayo_url,
        "RAYO_API_KEY": "key",
        "PEER_FOLDER": str(folder),
        "SERVER_URL": server_url,
        "CONCURRENCY": str(concurrency),
        "TIMEOUT_S": f"{timeout_s:g}",
    }


#: A Redis server that loses no write that it has confirmed. Add `--port` and `--dir`.
#: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/, read 2026-11-21.
REDIS_COMMAND = ("redis-server", "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--bind", "127.0.0.1")

PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(name="naive", module="naive_flask"),
        Peer(
            name="huey",
            module="huey_app",
            worker=(
                *("huey_consumer", "{module}.huey", "--workers", "{concurrency}", "--worker-type", "thread"),
                *("--delay", "0.1", "--max-delay", "0.1", "--flush-locks"),
            ),
        ),
        Peer(
            name="procrastinate",
            module="procrastinate_app",
            server="postgresql",
            worker=("procrastinate", "--app={module}.tasks", "worker", "-c", "{concurrency}"),
            setup=("python", "-c", "from {module} import set_up; set_up()"),
        ),
        Peer(name="dbos", module="dbos_app", server="postgresql", worker=("python", "-m", "{module}")),
        Peer(
            name="celery",
            module="celery_app",
            server="redis",
            worker=(
                "celery",
                "-A",
                "{module}:tasks",
                "worker",
                "-P",
                "threads",
                "-c",
                "{concurrency}",
                "-l",
                "WARNING",
            ),
        ),
        Peer(
            name="dramatiq",
            module="dramatiq_app",
            server="redis",
            worker=("dramatiq", "{module}", "-p", "1", "-t", "{concurrency}"),
        ),
    )
}
