"""What a mutation is: one small change of the code that breaks a promise, and the tests that must see it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    breaks: str  # what the code then does wrong
    file: str
    old: str  # stands in the file exactly once
    new: str
    #: Node ids, any of which must fail. One without its parameters runs with all of them, on SQLite alone.
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    number: int
    promise: str
    mutants: tuple[Mutant, ...]
