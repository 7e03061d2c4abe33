"""The result of one health check: how severe it is, a message, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    subject: str  # "database", "account erp"
    severity: Severity
    message: str
    remedy: str | None = None  # None if there is nothing to do

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


def ok(subject: str, message: str) -> CheckResult:
    return CheckResult(subject=subject, severity=Severity.OK, message=message)


def warning(subject: str, message: str, remedy: str) -> CheckResult:
    return CheckResult(subject=subject, severity=Severity.WARNING, message=message, remedy=remedy)


def failure(subject: str, message: str, remedy: str) -> CheckResult:
    return CheckResult(subject=subject, severity=Severity.ERROR, message=message, remedy=remedy)


def format_duration(seconds: float) -> str:
    """Return a duration in the largest unit in which it is at least two: “36 h”, “2 d”."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
