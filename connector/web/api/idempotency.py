"""Reads `Idempotency-Key`, and tells a request from another that comes under the same key.

https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07, read 2026-11-22.
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from connector.core.exceptions import InvalidRequestError

IDEMPOTENCY_HEADER = "Idempotency-Key"
#: Visible ASCII. The draft quotes the key; many clients do not, so quotes count as a part of it.
KEY_PATTERN = "^[!-~]{1,255}$"


def parse_key(key: str | None) -> str | None:
    """None when it was not given. Raises `InvalidRequestError`."""
    if key is not None and not re.fullmatch(KEY_PATTERN.strip("^$"), key):
        raise InvalidRequestError(f"`{IDEMPOTENCY_HEADER}` must be 1 to 255 visible ASCII characters")
    return key


def digest_request(method: str, path: str, body: Mapping[str, Any]) -> str:
    """Of all that decides what is done. How the body was written does not count."""
    serialized = json.dumps([method, path, body], sort_keys=True, default=str)
    return sha256(serialized.encode()).hexdigest()
