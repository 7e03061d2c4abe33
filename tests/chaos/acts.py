"""Carries out the planned failures of processes, disk and services, and records when they happened."""

import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import psutil

from connector.sandbox.server import SandboxServer
from tests.chaos.plan import ENDS, Act, PlannedAct, PlannedFault
from tests.chaos.programs import send_signal
from tests.chaos.shop_apis import ShopApis

#: What may leave an attempt without a recorded answer: it hits the worker, or the database that it writes to. That a
#: clock was set is no excuse: all go by the database's.
TOUCHES_ATTEMPTS = {
    Act.KILL_WORKER,
    Act.KILL_ALL,
    Act.STOP_WORKER,
    Act.FILL_DISK,
    Act.KILL_POSTGRESQL,
    Act.BACK_UP,  # until the restore, which kills every process
}


class Target(Protocol):
    def find(self, act: Act) -> list[psutil.Process]: ...


@dataclass(slots=True, kw_only=True)
class Incident:
    act: Act
    began_at: float  # Unix time in seconds
    ended_at: float
    hit: int  # how many processes


class Chaos:
    """Carries out both plans from `start` until they end or `stop` is called."""

    def __init__(
        self,
        target: Target,
        sandbox: SandboxServer,
        acts: Sequence[PlannedAct],
        faults: Sequence[PlannedFault],
        *,
        apis: ShopApis,
        other_acts: Mapping[Act, Callable[[float], None]],  # acts that are no signals to processes
        tell: Callable[[str], None],
    ) -> None:
        self.incidents: list[Incident] = []
        self.played_faults = 0
        self._target = target
        self._sandbox = sandbox
        self._apis = apis
        self._others = other_acts
        self._tell = tell
        self._open: dict[Act, tuple[Incident, list[psutil.Process]]] = {}
        self._is_over = threading.Event()
        self._started_at = 0.0
        self._plans = acts, faults
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="chaos")
        self._plays: list[Future[None]] = []

    def start(self) -> None:
        self._started_at = time.monotonic()
        acts, faults = self._plans
        self._plays = [self._pool.submit(self._play_acts, acts), self._pool.submit(self._play_faults, faults)]

    def stop(self) -> None:
        """End every open act and fault. Raises any error of the chaos threads themselves."""
        self._is_over.set()
        self._pool.shutdown()
        for began in list(self._open):
            self._end(began, 0.0)
        self._sandbox.clear_faults()
        self._apis.clear_faults()
        for play in self._plays:
            play.result()

    def _is_time(self, at_s: float) -> bool:
        """Wait until this many seconds after the start. Returns False if the run is over."""
        return not self._is_over.wait(max(0.0, at_s - (time.monotonic() - self._started_at)))

    def _play_acts(self, planned: Sequence[PlannedAct]) -> None:
        for planned_act in planned:
            if not self._is_time(planned_act.at_s):
                return
            began = next((act for act, end in ENDS.items() if end is planned_act.act), None)
            if began is None:
                self._begin(planned_act.act, planned_act.value)
            else:
                self._end(began, planned_act.value)

    def _begin(self, act: Act, value: float) -> None:
        hit: list[psutil.Process] = []
        began_at = time.time()
        if act in self._others:
            self._others[act](value)
        else:
            stopped = [process for _, processes in self._open.values() for process in processes]
            targets = [process for process in self._target.find(act) if process not in stopped]
            hit = targets if act is Act.KILL_ALL else targets[int(value * len(targets)) :][:1]
            send_signal(hit, signal.SIGSTOP if act is Act.STOP_WORKER else signal.SIGKILL)
        incident = Incident(act=act, began_at=began_at, ended_at=time.time(), hit=len(hit))
        self.incidents.append(incident)
        if act in ENDS:
            self._open[act] = (incident, hit)
        self._tell(f"{act}: {', '.join(str(process.pid) for process in hit) or value}")

    def _end(self, began: Act, value: float) -> None:
        if began not in self._open:
            return
        incident, hit = self._open.pop(began)
        act = ENDS[began]
        if act in self._others:
            self._others[act](value)
        else:
            send_signal(hit, signal.SIGCONT)
        incident.ended_at = time.time()
        self._tell(str(act))

    def _play_faults(self, planned: Sequence[PlannedFault]) -> None:
        apis = self._apis.services()
        for planned_fault in planned:
            if not self._is_time(planned_fault.at_s):
                return
            options = {name: value for name, value in planned_fault.options.items() if value is not None}
            server, service = apis.get(planned_fault.service, (self._sandbox, planned_fault.service))
            server.inject_fault(service, planned_fault.kind, **options)
            self.played_faults += 1
            self._tell(f"{planned_fault.service}: {planned_fault.kind} {options or ''}")
