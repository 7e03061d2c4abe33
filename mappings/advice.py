"""What a destination adds to the connector's advice: how to find an order there, and what usually helps.

The texts are English and marked with `N_`; they are translated where they are shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.labels import N_
from mappings.payload_paths import get_path

#: Why orders wait, beside the reasons for which they are parked: the destination rejects the account's credentials.
UNAUTHORIZED = "unauthorized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """A value by which a person finds an order at its destination.

    Args:
        value: as it was sent.
    """

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a destination adds to the connector's advice.

    Args:
        panel: where a person sees the destination's orders.
        time_zone: of the times in that panel, with its name in `time_zone_label`.
        settle_min: minutes after an attempt in which its order may still appear.
        steps: sentences by reason: of a parked delivery ("refused", "uncertain", …), or `UNAUTHORIZED`. They may
            name the `account` and the `setting` of its credentials.
    """

    panel: str = N_("the destination")
    time_zone: str = "UTC"
    time_zone_label: str = "UTC"
    # Unverified: no vendor says how long a request may take after its connection broke. An attempt ends after
    # `timeout_s` (20), proxies such as Cloudflare give up after 100 s, and a queue behind them may take some minutes.
    settle_min: int = 15
    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def list_clues(body: Any, paths: Iterable[tuple[str, str]]) -> list[Clue]:
    """Return a clue for each (label, dotted path in the body) that has a value."""
    values = ((label, get_path(body, path)) for label, path in paths)
    return [Clue(label=label, value=str(value)) for label, value in values if value not in (None, "")]


def join_values(body: Any, *paths: str) -> str:
    """Return the values at these dotted paths that are not empty, separated by commas."""
    values = (get_path(body, path) for path in paths)
    return ", ".join(str(value) for value in values if value not in (None, ""))
