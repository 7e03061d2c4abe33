"""Parses the ids in payloads, and hashes bodies for event keys."""

import hashlib
import re
from typing import Any

from mappings.storefront import MalformedWebhookError
from mappings.text import clean_text, remove_unseen

MAX_ID_LENGTH = 200  # characters; no platform comes near


def hash_body(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def parse_id(value: Any, label: str) -> str | None:
    """Return an id, which is a whole number or text, as text; None if there is none.

    Raises:
        MalformedWebhookError: the text cannot be stored, or is too long for an id.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int) and abs(value) >= 10**MAX_ID_LENGTH:
        raise MalformedWebhookError(f"{label} has over {MAX_ID_LENGTH} characters.")
    text = " ".join(remove_unseen(str(value)).split())
    if len(text) > MAX_ID_LENGTH:
        raise MalformedWebhookError(f"{label} has over {MAX_ID_LENGTH} characters.")
    if not text.isprintable():  # NUL, controls and lone surrogates; plain letters of any script are printable
        raise MalformedWebhookError(f"{label} holds characters that are no text.")
    return text or None


def numeric_id(value: Any) -> str | None:
    """Return an id of digits only, which needs no quoting in a URL; None for anything else."""
    text = clean_text(value)
    return text if text and re.fullmatch(r"[0-9]{1,20}", text) else None
