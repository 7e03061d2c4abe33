"""The result of one HTTP request, including one that failed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.core.json_body import InvalidJsonError, parse_json
from connector.core.messages import build_message
from mappings.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResult:
    was_sent: bool = True  # False: no complete request can have reached the server
    status: int | None = None  # None: no status line was received
    body: bytes | None = None  # None: the body was not received completely
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # of the response, with lower-case names
    error: Problem | None = None  # what went wrong, without secrets or personal data
    duration_ms: int = 0

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def failure(self) -> Problem:
        """What went wrong, or else the status: “no connection (ConnectError)”, “status 422”."""
        return self.error or build_message("http_status", status=self.status)

    @property
    def retry_after(self) -> str | None:
        """The `Retry-After` header, unparsed."""
        return self.headers.get("retry-after")

    def parse_json(self) -> Any:
        """Return the parsed body; None if it is missing or is not JSON."""
        try:
            return parse_json(self.body) if self.body else None
        except InvalidJsonError:
            return None
