"""Prints a verdict: what was done, the counts, and the faults by kind."""

from collections import Counter
from collections.abc import Iterable

from tests.chaos.acts import Chaos
from tests.chaos.verdict import KINDS, Verdict

MAX_LISTED = 10  # of each kind of fault


def print_report(verdict: Verdict, chaos: Chaos, restarts: int) -> None:
    acts = Counter(str(incident.act) for incident in chaos.incidents)
    done = [*sorted(acts.items()), ("misbehaviours of services", chaos.played_faults), ("restarts", restarts)]
    print_counts("done to it", done)
    print_counts("counted", verdict.counts.items())
    if verdict.states:
        states = sorted(verdict.states.items())
        print_counts("deliveries", [(" ".join(state).strip(), count) for state, count in states])
    if verdict.causes:
        print_counts("ambiguous attempts of what is uncertain, by cause", verdict.causes.most_common())
    print_counts("faults", [(kind, len(verdict.faults.get(kind, []))) for kind in KINDS])
    for kind in KINDS:
        for sentence in verdict.faults.get(kind, [])[:MAX_LISTED]:
            print(f"  {kind}: {sentence}")


def print_counts(title: str, counts: Iterable[tuple[str, int]]) -> None:
    print(f"\n{title}")
    for name, count in counts:
        print(f"  {count:6}  {name}")
