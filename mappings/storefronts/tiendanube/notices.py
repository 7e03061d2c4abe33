"""Tiendanube's requests about personal data, and the notices about the app.

https://github.com/TiendaNube/api-docs, resources/webhook.md, read 2026-11-30. The bodies of the requests have no
`event`. `app/suspended` and `app/resumed` "refer to the suspension of API access due to lack of payment".
Unverified: that the requests are signed as all other webhooks are. One without a signature is refused.
"""

from collections.abc import Mapping
from typing import Any

from mappings.customer_notices import read_customer_notice
from mappings.notices import Notice, NoticeTopic
from mappings.text import clean_text

TOPICS = frozenset(NoticeTopic)
EVENTS = {
    "app/uninstalled": NoticeTopic.APP_UNINSTALLED,
    "app/suspended": NoticeTopic.APP_SUSPENDED,
    "app/resumed": NoticeTopic.APP_RESUMED,
}
STORE_REDACT_FIELDS = {"store_id"}


def read_notice(payload: Mapping[str, Any]) -> Notice | None:
    """Return what a body says; None if it is no notice."""
    if "event" in payload:
        topic = EVENTS.get(clean_text(payload["event"]) or "")
        return Notice(topic=topic) if topic else None
    if payload.keys() == STORE_REDACT_FIELDS:
        return Notice(topic=NoticeTopic.STORE_REDACT)
    return read_customer_notice(payload)
