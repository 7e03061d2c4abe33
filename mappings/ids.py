"""What the storefronts share about ids: those that can be stored or stand in a URL, and what keys an event."""

import hashlib
import re
from typing import Any

from mappings.storefront import MalformedWebhookError
from mappings.text import clean_text

MAX_ID_LENGTH = 200  # characters; no platform comes near


def hash_body(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def parse_id(value: Any, label: str) -> str | None:
    """Return an id as text; None where there is none: ids are whole numbers or text.

    Raises MalformedWebhookError for text that cannot be stored, or that is too long for any id.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int) and abs(value) >= 10**MAX_ID_LENGTH:
        raise MalformedWebhookError(f"{label} has over {MAX_ID_LENGTH} characters.")
    text = " ".join(str(value).split())
    if len(text) > MAX_ID_LENGTH:
        raise MalformedWebhookError(f"{label} has over {MAX_ID_LENGTH} characters.")
    if not text.isprintable():  # NUL, controls and lone surrogates; plain letters of any script are printable
        raise MalformedWebhookError(f"{label} holds characters that are no text.")
    return text or None


def numeric_id(value: Any) -> str | None:
    """Return an id that may stand in a URL as it is: digits. None for anything else."""
    text = clean_text(value)
    return text if text and re.fullmatch(r"[0-9]{1,20}", text) else None
