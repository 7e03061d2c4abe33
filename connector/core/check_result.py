"""What a look at something found: how grave it is, in words, and what a person does about it."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    of: str  # "database", "account erp"
    grade: Grade
    said: str
    do: str | None = None  # None where there is nothing to do


def ok(of: str, said: str) -> Finding:
    return Finding(of=of, grade=Grade.OK, said=said)


def warning(of: str, said: str, do: str) -> Finding:
    return Finding(of=of, grade=Grade.WARNING, said=said, do=do)


def fault(of: str, said: str, do: str) -> Finding:
    return Finding(of=of, grade=Grade.FAULT, said=said, do=do)
