"""A mutation: one small change of the code that breaks a guarantee, and the tests that must detect it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    breaks: str  # what the mutated code does wrong
    file: str
    old: str  # occurs in the file exactly once
    new: str
    #: Node ids, any of which must fail. An id without parameters runs with all of them, on SQLite only.
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    number: int
    promise: str
    mutants: tuple[Mutant, ...]
