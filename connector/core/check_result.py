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
