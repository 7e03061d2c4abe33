"""What a look at something found: how grave it is, in words, and what a person does about it."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    subject: str  # "database", "account erp"
    severity: Severity
    message: str
    remedy: str | None = None  # None where there is nothing to do


def ok(subject: str, message: str) -> Finding:
    return Finding(subject=subject, severity=Severity.OK, message=message)


def warning(subject: str, message: str, remedy: str) -> Finding:
    return Finding(subject=subject, severity=Severity.WARNING, message=message, remedy=remedy)


def failure(subject: str, message: str, remedy: str) -> Finding:
    return Finding(subject=subject, severity=Severity.ERROR, message=message, remedy=remedy)
