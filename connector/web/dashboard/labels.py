"""Labels in the reader's language for the codes that rows hold: states, reasons, outcomes, kinds of action."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext

STATE_LABELS = {
    "waiting": lazy_gettext("waiting"),
    "sending": lazy_gettext("sending"),
    "delivered": lazy_gettext("delivered"),
    "parked": lazy_gettext("parked"),
    "discarded": lazy_gettext("discarded"),
}
REASON_LABELS = {
    "unmappable": lazy_gettext("incomplete data"),
    "refused": lazy_gettext("refused"),
    "uncertain": lazy_gettext("uncertain"),
    "exhausted": lazy_gettext("retries exhausted"),
    "held": lazy_gettext("needs a decision"),
    "cancelled": lazy_gettext("cancelled"),
    "filtered": lazy_gettext("filtered out"),
    "by hand": lazy_gettext("manually"),
    "expired": lazy_gettext("expired"),
}
ACCOUNT_STATE_LABELS = {
    "flowing": lazy_gettext("active"),
    "throttled": lazy_gettext("rate limited"),
    "circuit open": lazy_gettext("circuit open"),
    "paused": lazy_gettext("paused"),
}
OUTCOME_LABELS = {
    "sending": lazy_gettext("in progress"),
    "delivered": lazy_gettext("delivered"),
    "refused": lazy_gettext("refused"),
    "not_processed": lazy_gettext("not processed"),
    "unauthorized": lazy_gettext("credentials rejected"),
    "token_expired": lazy_gettext("token expired"),
    "ambiguous": lazy_gettext("no clear response"),
    "conflict": lazy_gettext("idempotency key already used"),
}
EVENT_STATUS_LABELS = {
    "accepted": lazy_gettext("accepted"),
    "ignored": lazy_gettext("ignored"),
    "duplicates": lazy_gettext("duplicates"),
}
EVENT_SOURCE_LABELS = {
    "webhook": lazy_gettext("webhook"),
    "catch-up": lazy_gettext("catch-up"),
}
PROBE_LABELS = {
    "reached": lazy_gettext("the connection works"),
    "unreachable": lazy_gettext("the destination cannot be reached"),
    "no token": lazy_gettext("no access token could be obtained"),
    "credentials rejected": lazy_gettext("the destination rejects the credentials"),
    "server error": lazy_gettext("the destination has an internal error"),
}
ACTION_LABELS = {
    "alert": lazy_gettext("alert"),
    "retrigger": lazy_gettext("retrigger"),
    "resolve": lazy_gettext("resolve"),
    "correct": lazy_gettext("data entered"),
    "withdraw": lazy_gettext("data withdrawn"),
    "expire": lazy_gettext("expired"),
    "prune": lazy_gettext("old data deleted"),
    "pause": lazy_gettext("pause"),
    "resume": lazy_gettext("resume"),
    "set-row": lazy_gettext("table row entered"),
    "remove-row": lazy_gettext("table row removed"),
    "set-credentials": lazy_gettext("key replaced"),
    "withdraw-credentials": lazy_gettext("entered key withdrawn"),
    "catch-up": lazy_gettext("catch-up"),
    "sync-webhooks": lazy_gettext("webhook repair"),
    "remove-webhooks": lazy_gettext("webhook removal"),
    "resume-store": lazy_gettext("store resumed"),
    "close-request": lazy_gettext("request closed"),
    "restored": lazy_gettext("database restored"),
    "not-restored": lazy_gettext("database not restored"),
    "start-job": lazy_gettext("job started"),
    "stop-job": lazy_gettext("job stopped"),
    "resume-job": lazy_gettext("job resumed"),
    "erase": lazy_gettext("personal data erased"),
    "export": lazy_gettext("personal data exported"),
    "sign-in": lazy_gettext("sign-in"),
    "failed-sign-in": lazy_gettext("failed sign-in"),
    "view": lazy_gettext("viewed"),
    "search-by-email": lazy_gettext("search by e-mail"),
}
INTERFACE_LABELS = {
    "dashboard": lazy_gettext("dashboard"),
    "api": lazy_gettext("API"),
    "cli": lazy_gettext("command line"),
    "service": lazy_gettext("service"),
}
#: What a job acted on, and why it left deliveries alone. The messages speak of `force`, which the dashboard has as
#: buttons.
JOB_RESULT_LABELS = {
    "being_sent": lazy_gettext("an attempt is in progress"),
    "already_delivered": lazy_gettext("already delivered"),
    "order_erased": lazy_gettext("its personal data was erased"),
    "already_discarded": lazy_gettext("discarded"),
    "is_uncertain": lazy_gettext("uncertain: check at the destination"),
    "changed_meanwhile": lazy_gettext("changed before the job reached it"),
    "is_held": lazy_gettext("needs a decision: open it, or filter by this reason"),
    "held_after_attempt": lazy_gettext("needs a decision, and may have arrived: check at the destination"),
    "still_waiting": lazy_gettext("waiting: only parked orders can be marked as delivered"),
    "is_delivered": lazy_gettext("already delivered"),
    "is_discarded": lazy_gettext("discarded"),
    "was_waiting": lazy_gettext("waiting"),
    "was_delivered": lazy_gettext("delivered"),
    "was_unmappable": lazy_gettext("incomplete data"),
    "was_refused": lazy_gettext("refused"),
    "was_uncertain": lazy_gettext("uncertain"),
    "was_exhausted": lazy_gettext("retries exhausted"),
    "was_held": lazy_gettext("needs a decision"),
    "was_cancelled": lazy_gettext("cancelled"),
    "was_filtered": lazy_gettext("filtered out"),
    "was_discarded_by_hand": lazy_gettext("discarded"),
    "was_expired": lazy_gettext("expired"),
}
JOB_ACTION_LABELS = {
    "discard": lazy_gettext("discard"),
    "mark-delivered": lazy_gettext("mark as delivered"),
}
JOB_STATE_LABELS = {
    "running": lazy_gettext("in progress"),
    "finished": lazy_gettext("finished"),
}
REQUEST_LABELS = {
    "customers-data-request": lazy_gettext("data of a customer"),
    "customers-redact": lazy_gettext("erasure of a customer"),
    "store-redact": lazy_gettext("erasure of a store"),
    "open": lazy_gettext("open"),
    "done": lazy_gettext("done"),
    "dismissed": lazy_gettext("dismissed"),
}
TABLE_LABELS = {
    "charges": lazy_gettext("SKU of each kind of charge"),
    "currencies": lazy_gettext("currency codes"),
    "customer_id_by_document": lazy_gettext("customers by tax document"),
    "delivery_method_by_shipping": lazy_gettext("delivery methods by shipping method"),
    "identifiers": lazy_gettext("product identifiers by SKU or barcode"),
    "locations": lazy_gettext("locations"),
    "payment_types": lazy_gettext("payment types by gateway"),
    "pickups": lazy_gettext("pickup branches"),
    "product_code_by_sku": lazy_gettext("product codes by SKU"),
    "product_id_by_sku": lazy_gettext("product IDs by SKU"),
    "servicio_rayo_by_shipping": lazy_gettext("services by shipping method"),
    "states": lazy_gettext("state names"),
    "tax_rate_id_by_sku": lazy_gettext("tax rates by SKU"),
    "warehouses": lazy_gettext("warehouses by location"),
}
LABELS: tuple[Mapping[str, Any], ...] = (
    STATE_LABELS,
    REASON_LABELS,
    ACCOUNT_STATE_LABELS,
    OUTCOME_LABELS,
    EVENT_STATUS_LABELS,
    EVENT_SOURCE_LABELS,
    PROBE_LABELS,
    ACTION_LABELS,
    INTERFACE_LABELS,
    TABLE_LABELS,
    JOB_RESULT_LABELS,
    JOB_ACTION_LABELS,
    JOB_STATE_LABELS,
    REQUEST_LABELS,
)


def translate(code: str | None) -> str:
    """Return the code's label in the reader's language; the code itself if it has none, such as an account's name."""
    for labels in LABELS:
        if code is not None and code in labels:
            return str(labels[code])
    return code or ""
