"""A peer under test: the same orders, kills and faults, as far as they apply to it.

It says nothing of its deliveries, so that only the destination's own record can be compared with what was accepted.
"""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil

from benchmarks.peers.registry import PEERS, build_peer_environment
from connector.sandbox.demo_process import find_free_port
from connector.sandbox.server import SandboxServer
from tests.chaos.acts import Incident
from tests.chaos.plan import Act
from tests.chaos.programs import Programs, command_line
from tests.chaos.shops import CAFE, SECRET
from tests.chaos.storefront import PostedEvent
from tests.chaos.subject import TIMEOUT_S
from tests.chaos.verdict import Verdict, judge_by_destination

CONCURRENCY = 4
#: A queue that posts nothing for so long has nothing that is due: the slowest looks twice a minute for lost work.
QUIET_S = 60.0


class Peer:
    shops = (CAFE,)
    #: A peer has only the webhooks, so platforms repeat them until they are answered 200, and lose none.
    needs_repeats = True
    catch_up_within_s = 0.0
    lease_s = 0.0
    settled_within_s = 300.0

    def __init__(self, name: str, folder: Path, sandbox: SandboxServer, server_url: str) -> None:
        peer = PEERS[name]
        port = find_free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = build_peer_environment(
            secret=f"{SECRET}-{CAFE.store}",
            rayo_url=sandbox.url("rayo"),
            folder=folder,
            concurrency=CONCURRENCY,
            timeout_s=TIMEOUT_S,
            server_url=server_url,
        )
        if setup := peer.setup_command():
            subprocess.run(setup, env={**os.environ, **environment}, cwd=folder, check=True)
        commands = {"web": peer.web_command(port, processes=2, threads=8)}
        if worker := peer.worker_command(concurrency=CONCURRENCY):
            commands["worker"] = worker
        self.acts = [Act.KILL_WEB, Act.KILL_WEB_MASTER, Act.KILL_ALL, *([Act.KILL_WORKER] if worker else [])]
        self.programs = Programs(commands, environment, folder)
        self._sandbox = sandbox
        self._posts = 0
        self._quiet_from = 0.0

    def find(self, act: Act) -> list[psutil.Process]:
        web = [process for process in self.programs.tree("web") if "gunicorn" in command_line(process)]
        match act:
            case Act.KILL_WEB:
                return web[1:]
            case Act.KILL_WEB_MASTER:
                return web[:1]
            case Act.KILL_WORKER:
                return self.programs.tree("worker")
            case _:
                return self.programs.everything()

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def is_settled(self) -> bool:
        """Return whether nothing has been posted for a while, because a peer has no status to query."""
        posts = len(self._sandbox.requests())
        if posts != self._posts:
            self._posts, self._quiet_from = posts, time.monotonic()
        return time.monotonic() - self._quiet_from > QUIET_S

    def note_known(self) -> bool:
        """A peer reports nothing that it knows."""
        return True

    def judge(self, events: Sequence[PostedEvent], incidents: Sequence[Incident]) -> Verdict:
        return judge_by_destination(events, self._sandbox.orders(), self._sandbox.requests())
