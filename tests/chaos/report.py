"""Prints a verdict: what was done, the counts, and the faults by kind."""

from collections import Counter
from collections.abc import Iterable

from tests.chaos.acts import Chaos
from tests.chaos.verdict import KINDS, Verdict

MOST_TOLD = 10  # of each kind of fault


def show(verdict: Verdict, chaos: Chaos, restarts: int) -> None:
    acts = Counter(str(incident.act) for incident in chaos.incidents)
    done = [*sorted(acts.items()), ("misbehaviours of services", chaos.played_faults), ("restarts", restarts)]
    show_counts("done to it", done)
    show_counts("counted", verdict.counts.items())
    if verdict.states:
        states = sorted(verdict.states.items())
        show_counts("deliveries", [(" ".join(state).strip(), count) for state, count in states])
    if verdict.causes:
        show_counts("ambiguous attempts of what is uncertain, by cause", verdict.causes.most_common())
    show_counts("faults", [(kind, len(verdict.faults.get(kind, []))) for kind in KINDS])
    for kind in KINDS:
        for sentence in verdict.faults.get(kind, [])[:MOST_TOLD]:
            print(f"  {kind}: {sentence}")


def show_counts(title: str, counts: Iterable[tuple[str, int]]) -> None:
    print(f"\n{title}")
    for name, count in counts:
        print(f"  {count:6}  {name}")
