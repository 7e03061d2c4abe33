"""A mutation: one small change of the code that breaks a promise, and the tests that must notice it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """Args:
    breaks: what the changed code does wrong.
    at: the function, method, class or module whose source is changed. Because it is the object itself, a renamed
        or moved one is an import error here, not a mutant that silently no longer applies.
    old: code that occurs in `at` exactly once. Spaces, line breaks, comments and trailing commas are ignored.
    new: what replaces it, indented like `old`.
    tests: pytest node ids; at least one must fail. An id without parameters runs them all, on SQLite only.
    """

    breaks: str
    at: Any
    old: str
    new: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    number: int
    promise: str
    mutants: tuple[Mutant, ...]
