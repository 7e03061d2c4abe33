"""Reads `Idempotency-Key`, and tells a request from another that comes under the same key.

https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07, read 2026-11-22.
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from connector.core.exceptions import InvalidRequestError

HEADER = "Idempotency-Key"
#: Visible ASCII. The draft quotes the key; many clients do not, so quotes count as a part of it.
PATTERN = "^[!-~]{1,255}$"


def read_key(key: str | None) -> str | None:
    """None when it was not given. Raises `InvalidRequestError`."""
    if key is not None and not re.fullmatch(PATTERN.strip("^$"), key):
        raise InvalidRequestError(f"`{HEADER}` must be 1 to 255 visible ASCII characters")
    return key


def digest_request(method: str, path: str, given: Mapping[str, Any]) -> str:
    """Of all that decides what is done. How the body was written does not count."""
    said = json.dumps([method, path, given], sort_keys=True, default=str)
    return sha256(said.encode()).hexdigest()
