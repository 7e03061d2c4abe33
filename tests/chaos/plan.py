"""Plans the failures of a run from its seed. The same seed gives the same plan."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Act(StrEnum):
    """Failures of processes, their disk, their database and their clock."""

    KILL_WEB = "kill a web process"
    KILL_WEB_MASTER = "kill the web server's master"
    KILL_WORKER = "kill a worker"
    KILL_SUPERVISOR = "kill the supervisor"
    KILL_ALL = "kill every process"
    STOP_WORKER = "stop a worker past its lease"
    CONTINUE_WORKER = "let it go on"
    FILL_DISK = "fill the database's disk"
    FREE_DISK = "free it"
    KILL_POSTGRESQL = "kill PostgreSQL"
    START_POSTGRESQL = "start it"
    JUMP_CLOCK = "set the clock"
    STOP_API = "take a shop's API down"
    START_API = "bring it back"
    BACK_UP = "back up the database"
    RESTORE = "kill every process and restore the backup"


#: The act that ends another.
ENDS = {
    Act.STOP_WORKER: Act.CONTINUE_WORKER,
    Act.FILL_DISK: Act.FREE_DISK,
    Act.KILL_POSTGRESQL: Act.START_POSTGRESQL,
    Act.STOP_API: Act.START_API,
    Act.BACK_UP: Act.RESTORE,
}
#: How long each of these lasts, in seconds; for a stop, beyond the lease.
LASTS_S = {
    Act.STOP_WORKER: (2.0, 4.0),
    Act.FILL_DISK: (2.0, 6.0),
    Act.KILL_POSTGRESQL: (0.2, 5.0),
    Act.STOP_API: (3.0, 12.0),
}
#: Kills are more frequent than failures of the whole service.
FREQUENT_ACTS = (Act.KILL_WEB, Act.KILL_WORKER, Act.KILL_WORKER)
BETWEEN_ACTS_S = (1.5, 5.0)
BETWEEN_FAULTS_S = (0.4, 1.8)
MAX_CLOCK_JUMP_S = 120
RESTORE_AFTER_S = 8.0

#: What the services do, how often of 100, and with which options. `expire_tokens` and the API are added where they are.
FAULT_KINDS: Sequence[tuple[int, str, Mapping[str, Sequence[Any]]]] = (
    (8, "drop_unread", {}),
    (12, "drop_after_reading", {}),
    (14, "process_then_drop", {"times": (1, 2)}),
    (12, "process_then_status", {"status": (500, 502, 504)}),
    (6, "garbage", {}),
    (4, "garbage_json", {}),
    (6, "cut_body", {}),
    (2, "slow_drip", {"latency_s": (0.2,)}),
    (20, "latency", {"latency_s": (0.2, 0.5, 1.0), "times": (2, 5, 10)}),
    (4, "latency", {"latency_s": (3.0,)}),
    (10, "status", {"status": (503, 429), "retry_after_s": (1, 3, None), "times": (1, 4)}),
    (4, "status", {"status": (500, 408, 502)}),
    (3, "status", {"status": (401,), "times": (4, 12)}),
    (2, "status", {"status": (422,)}),
    (5, "expire_tokens", {}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAct:
    at_s: float
    act: Act
    value: float = 0.0  # of JUMP_CLOCK: by how many seconds; else which of the processes or shops, from 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    at_s: float
    service: str  # a destination, or a store, for the storefront's API
    kind: str
    options: dict[str, Any] = field(default_factory=dict)


def plan_acts(seed: int, acts: Sequence[Act], seconds: float, *, lease_s: float) -> list[PlannedAct]:
    """Return what is done, oldest first. Each of `acts` comes once before any comes again, as far as there is time."""
    rng = random.Random(f"acts {seed}")  # noqa: S311  # no secret hangs on it
    planned: list[PlannedAct] = []
    busy_until = dict.fromkeys(ENDS, 0.0)
    round_: list[Act] = []
    at = rng.uniform(*BETWEEN_ACTS_S)
    while at < seconds:
        if not round_:
            round_ = [act for act in (*acts, *FREQUENT_ACTS) if act in acts and act not in ENDS.values()]
            rng.shuffle(round_)
            round_.sort(key=lambda act: act is Act.STOP_WORKER)  # popped first: it takes longest
        act = round_.pop()
        if act is Act.KILL_ALL and at < busy_until[Act.STOP_WORKER]:  # what is stopped is to find its claims lost
            round_.insert(0, act)
            at += rng.uniform(*BETWEEN_ACTS_S)
            continue
        value = rng.uniform(-MAX_CLOCK_JUMP_S, MAX_CLOCK_JUMP_S) if act is Act.JUMP_CLOCK else rng.random()
        if act in ENDS:
            ends_at = at + rng.uniform(*LASTS_S[act]) + (lease_s if act is Act.STOP_WORKER else 0)
            if ends_at < seconds and at > busy_until[act]:
                planned += [
                    PlannedAct(at_s=at, act=act, value=value),
                    PlannedAct(at_s=ends_at, act=ENDS[act], value=value),
                ]
                busy_until[act] = ends_at
        else:
            planned.append(PlannedAct(at_s=at, act=act, value=value))
        at += rng.uniform(*BETWEEN_ACTS_S)
    return sorted(planned, key=lambda planned_act: planned_act.at_s)


def plan_restore(seconds: float) -> list[PlannedAct]:
    """Return a backup in the middle of the run, and its restore some seconds later."""
    at_s = seconds * 0.4
    return [PlannedAct(at_s=at_s, act=Act.BACK_UP), PlannedAct(at_s=at_s + RESTORE_AFTER_S, act=Act.RESTORE)]


def plan_faults(seed: int, destinations: Sequence[str], apis: Sequence[str], seconds: float) -> list[PlannedFault]:
    """Return the planned faults of the services, oldest first."""
    rng = random.Random(f"faults {seed}")  # noqa: S311
    planned = []
    at = rng.uniform(*BETWEEN_FAULTS_S)
    while at < seconds:
        service = rng.choice([*destinations, *destinations, *apis])
        [(_, kind, choices)] = rng.choices(FAULT_KINDS, [weight for weight, _, _ in FAULT_KINDS])
        options = {name: rng.choice(values) for name, values in choices.items()}
        planned.append(PlannedFault(at_s=at, service=service, kind=kind, options=options))
        at += rng.uniform(*BETWEEN_FAULTS_S)
    return planned
