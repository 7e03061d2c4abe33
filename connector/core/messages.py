"""What the connector itself says about orders and attempts: values that are stored as JSON and rendered when shown.

They are `mappings.problems.Problem` values, so an order's page shows them beside the problems of its mapping.
"""

from collections.abc import Mapping
from typing import Any

from mappings.labels import N_, Translate, untranslated
from mappings.problems import ParamValue, Problem, register_templates, render_problem

#: Why a delivery cannot be prepared.
PREPARATION_PROBLEMS: Mapping[str, str] = {
    "account_not_configured": N_("Its account is no longer configured."),
    "store_not_configured": N_("Its store is no longer configured."),
    "mapping_failed": N_("The connector failed to map this order because of an internal error (%(exception)s)."),
    "payload_pruned": N_("Its payload was pruned. It will be sent when a newer version of the order arrives."),
    "credentials_changed": N_(
        "An attempt had no clear response, and the account's credentials were replaced since: with the new ones, the "
        "destination may not recognise the order and create it twice. Check at the destination."
    ),
    "body_pruned": N_(
        "The body sent with its idempotency key was pruned: check at the destination, then retrigger with force and a "
        "new key."
    ),
    "order_not_at_store": N_("The order is not at the store any more (404)."),
    "store_api_not_configured": N_(
        "The order must be fetched from the store, and its settings have no `api_url` or `api_token`."
    ),
    "same_bytes_again": N_(
        "An earlier attempt may have been processed: the same bytes would be sent again with the same key, whatever "
        "the settings are now."
    ),
}

#: Why an event is ignored, beyond what its storefront says.
IGNORE_REASONS: Mapping[str, str] = {
    "no_route_for_topic": N_("No route accepts its topic."),
    "no_route_for_unpaid": N_("The order is not paid, and no route accepts any of its other topics."),
    "cancelled_before": N_("The order was cancelled before."),
    "listed_order_unreadable": N_("The store lists it, but it cannot be read as an order."),
}

#: Why a store's orders could not be read. None of their params is of an order.
LISTING_ERRORS: Mapping[str, str] = {
    "listing_not_configured": N_("The store's settings have no access to an API that lists orders."),
    "listing_unexpected": N_("the store's API returned no list of orders as it is documented (status %(status)s)"),
    "listing_busy": N_("another process is reading the store's orders"),
    "listing_moves": N_("the list of orders kept changing while it was read"),
    "listing_repeats": N_("the store's API kept returning the same page of its list of orders"),
    "listing_failed": N_(
        "the connector failed to read the list of orders because of an internal error (%(exception)s)"
    ),
}

#: What a comparison with a store finds about a paid order.
STORE_DIFFERENCES: Mapping[str, str] = {
    "paid_not_on_record": N_("paid at the store, and not on record"),
    "paid_without_delivery": N_("paid at the store and on record, but the account has no delivery of it"),
}

#: What a person must know about a store's webhooks.
WEBHOOK_CONDITIONS: Mapping[str, str] = {
    "webhooks_lost": N_("in the last 24 hours, catch-up found %(orders)s orders without a webhook"),
}

#: Why an attempt failed. None of their params is the other side's text: that is the attempt's `reply`.
ATTEMPT_ERRORS: Mapping[str, str] = {
    "http_status": N_("status %(status)s"),
    "connect_timeout": N_("no connection within the time limit (%(exception)s)"),
    "read_timeout": N_("no response within the time limit (%(exception)s)"),
    "write_timeout": N_("the request could not be sent within the time limit (%(exception)s)"),
    "connect_failed": N_("no connection (%(exception)s)"),
    "response_incomplete": N_("the connection ended before the response was complete (%(exception)s)"),
    "connection_broken": N_("the connection broke before the response was complete (%(exception)s)"),
    "response_undecodable": N_("the response cannot be decoded (%(exception)s)"),
    "request_failed": N_("the request failed (%(exception)s)"),
    "request_not_built": N_("the request could not be built (%(exception)s)"),
    "failed_after_status": N_("%(error)s, after status %(status)s"),
    "too_late_to_send": N_("too late to send: the commit took too long"),
    "interrupted": N_("the process ended, or lost its claim, before a response was recorded"),
    # Which request failed before the order was sent.
    "order_not_fetched": N_("not fetched: %(error)s"),
    "no_token": N_("no token: %(error)s"),
    # Why there is no access token for a store's API.
    "http_status_with_code": N_("status %(status)s, %(error_code)s"),
    "store_credentials_rejected": N_(
        "no access token, because the store's app is rejected (%(error)s): check its client_id and client_secret, and "
        "that it is installed in the shop"
    ),
    "store_token_failed": N_("no access token: %(error)s"),
    "store_token_awaited": N_("no access token in time from the process that is getting one"),
    "store_not_authorized": N_("no access token: run `connector authorize %(store)s`"),
    "store_token_revoked": N_("the access token is not valid any more: run `connector authorize %(store)s`"),
    "no_customer": N_("no customer: %(error)s"),
}

#: Why a circuit is open.
CIRCUIT_REASONS: Mapping[str, str] = {
    "credentials_rejected": N_("credentials rejected"),
    "consecutive_failures": N_("consecutive failures"),
}

#: Why a webhook was refused.
SIGNATURE_ERRORS: Mapping[str, str] = {
    "signature_missing": N_("there is no signature"),
    "signature_wrong": N_("none of the store's secrets made the signature"),
    "signature_of_other_shop": N_("the signature is right, but the webhook is from another shop"),
}

#: Why a store's webhooks cannot be listed or changed through its API.
WEBHOOK_ERRORS: Mapping[str, str] = {
    "public_url_missing": N_("`public_url` is not set: the address at which storefronts reach this connector."),
    "public_url_unreachable": N_(
        "%(url)s does not answer (%(error)s): webhooks would be lost there, so none was changed."
    ),
    "public_url_not_reached": N_(
        "%(url)s was not reached from this machine (%(error)s): check that the storefront reaches it."
    ),
    "not_the_connector": N_("what answers is not the connector"),
    "store_without_api": N_("Its API is not configured: set `api_token`, and `api_url`."),
    "storefront_without_webhook_api": N_("The connector cannot manage this storefront's webhooks."),
    "webhooks_not_listed": N_("The storefront's API does not list the webhooks: %(error)s."),
    "webhooks_credentials_rejected": N_(
        "The storefront's API rejects `api_token` (status %(status)s): it is wrong, or may not read webhooks."
    ),
    "webhook_not_changed": N_("The webhook for %(topic)s could not be changed: %(error)s"),
    "webhooks_being_changed": N_("Another process is changing webhooks. Try again in a minute."),
    "unexpected_response": N_("unexpected response, status %(status)s"),
}

#: Why a delivery is discarded.
DISCARD_REASONS: Mapping[str, str] = {
    "delivery_would_be_discarded": N_("Not decided here: a delivery of this order would be discarded: %(reason)s."),
    "delivery_would_be_held": N_("Not decided here: a delivery of this order would be held. %(reason)s"),
    "would_be_discarded": N_("It would be discarded: %(reason)s."),
    "cancelled_at_store": N_("the store says that it is cancelled"),
    "newest_version_unpaid": N_("its newest version is not paid"),
    "payment_returned": N_("its payment was refunded or voided"),
    "no_route": N_("no route leads to the account now"),
    "filter_value_missing": N_("the order names no %(field)s, which must be among %(allowed)s"),
    "filter_value_excluded": N_("%(field)s %(value)s is not among %(allowed)s"),
    "paid_before_since": N_("it was paid on %(paid_at)s, before the store's `since` (%(since)s)"),
    "placed_before_since": N_("it was placed on %(placed_at)s, before the store's `since` (%(since)s)"),
    "filter_pickup_required": N_("the order is not collected, and pickup must be true"),
    "filter_pickup_excluded": N_("the order is collected, and pickup must be false"),
    "filter_pickup_unknown": N_("the order does not say whether it is collected, and pickup must be %(pickup)s"),
}

#: What parked deliveries are about to become.
EXPIRY_CONDITIONS: Mapping[str, str] = {
    "orders_expire": N_("orders that nobody acts on: %(orders)s; days until the first is discarded: %(days)s"),
}

#: Why a parked delivery was discarded as expired.
EXPIRY_REASONS: Mapping[str, str] = {
    "expired_unmappable": N_("It was parked because its data was incomplete, and nothing happened for %(days)s days."),
    "expired_refused": N_("It was parked because it was refused, and nothing happened for %(days)s days."),
    "expired_uncertain": N_(
        "It was parked because it was uncertain whether it had arrived, and nothing happened for %(days)s days."
    ),
    "expired_exhausted": N_(
        "It was parked because its retries were exhausted, and nothing happened for %(days)s days."
    ),
    "expired_held": N_("It was parked because it needed a decision, and nothing happened for %(days)s days."),
}

#: Why a person must decide about a delivery.
HOLD_REASONS: Mapping[str, str] = {
    "payment_time_unknown": N_(
        "The order was placed on %(placed_at)s, shortly before the store's `since` (%(since)s), and the store does not "
        "say when it was paid: check whether it was handled before."
    ),
    "came_back": N_("The order was cancelled, and its newest version is not: check in the store whether to send it."),
    "came_back_after_sending": N_(
        "The order was cancelled, and its newest version is not, but an attempt to send it was made before: check at "
        "the destination whether to send it."
    ),
    "came_back_after_deletion": N_(
        "The order was deleted, and a version of it came afterwards: check in the store whether to send it."
    ),
    "deleted_or_back": N_(
        "The store reported that the order was deleted, and also that it was restored, and it is not certain which "
        "came last: check in the store whether to send it."
    ),
    "database_restored": N_(
        "The database was restored from a backup, and this order may have been sent in the time that the backup does "
        "not know: look for it at the destination before it is sent."
    ),
}

#: Why a store's API is not called.
STOP_REASONS: Mapping[str, str] = {
    "app_uninstalled": N_(
        "The app was uninstalled from the shop, so the shop's orders cannot be fetched: install it again, then resume "
        "the store."
    ),
    "app_suspended": N_(
        "The storefront suspended the app's access to the shop, so the shop's orders cannot be fetched: it does so if "
        "the shop has not paid. The store resumes when the storefront says that the access is back."
    ),
}

#: What people must know about a request about personal data. None of the params is personal data.
REQUEST_NOTICES: Mapping[str, str] = {
    "request_due_soon": N_("It is due within a week."),
    "request_overdue": N_("It is overdue."),
}

#: Why a delivery is queued again, or is not.
RETRIGGER_REASONS: Mapping[str, str] = {
    "created_for_route": N_("it was created: a route now accepts it"),
    "created_for_account": N_("it was created for this account"),
    "was_waiting": N_("it was waiting"),
    "was_delivered": N_("it was delivered"),
    "was_unmappable": N_("it was unmappable"),
    "was_refused": N_("it was refused"),
    "was_uncertain": N_("it was uncertain"),
    "was_exhausted": N_("it was exhausted"),
    "was_held": N_("it was held"),
    "was_cancelled": N_("it was cancelled"),
    "was_filtered": N_("it was filtered"),
    "was_discarded_by_hand": N_("it was discarded by hand"),
    "was_expired": N_("it had expired"),
    "order_cancelled": N_("the order is cancelled: `force` sends it anyway"),
    "order_erased": N_("the order's personal data was erased on request, so it is not sent any more"),
    "order_deleted": N_("the store deleted the order, so there is nothing to send"),
    "being_sent": N_("it is being sent: wait for its outcome"),
    "already_delivered": N_("it is delivered: look at the destination first, then use `force`"),
    "already_discarded": N_("it is discarded: `force` sends it anyway"),
    "is_uncertain": N_("it is uncertain: look at the destination first, then resolve it or use `force`"),
    "held_since_restore": N_(
        "it may have been sent before the database was restored: look at the destination first, then resolve it or use "
        "`looked`"
    ),
}

#: What a person entered for an order, and what that means for a delivery.
CORRECTION_MESSAGES: Mapping[str, str] = {
    "fields_entered": N_("Entered: %(entered)s"),
    "fields_withdrawn": N_("Withdrawn: %(entered)s"),
    "correction_queued": N_("The order is queued, and is sent as it is now."),
    "correction_while_sending": N_("An attempt is under way, and does not have this change."),
    "correction_of_fixed_body": N_(
        "An attempt had no clear response, so only the same content may be sent again: it does not have this change."
    ),
    "correction_of_uncertain": N_(
        "The order is not sent again, because it may have arrived. Check at the destination first."
    ),
    "correction_of_parked": N_("The delivery stays parked. Retrigger it to send it."),
}

#: Why a job left a delivery alone, beside the reasons above.
JOB_REASONS: Mapping[str, str] = {
    "changed_meanwhile": N_("it changed before the job reached it, and no longer matches"),
    "is_held": N_("a person must decide about it: open it, or select those that are held"),
    "held_after_attempt": N_("it is held, and may have arrived: look at the destination first"),
    "still_waiting": N_("it is waiting: only parked orders can be marked as delivered"),
    "is_delivered": N_("it is delivered"),
    "is_discarded": N_("it is discarded"),
}

#: What is wrong with the ids at the destination that a person enters for many orders.
REMOTE_ID_PROBLEMS: Mapping[str, str] = {
    "line_unreadable": N_("Line %(line)s is not an order number and an ID at the destination, separated by a comma."),
    "lines_not_csv": N_("The lines are not valid CSV: a quotation mark is missing."),
    "too_many_lines": N_("There are more than %(max)s lines: enter them in several jobs."),
    "line_without_order": N_("Line %(line)s: none of the orders has the number “%(order)s”."),
    "line_of_several": N_("Line %(line)s: several of the orders have the number “%(order)s”. Select fewer of them."),
    "line_left_alone": N_("Line %(line)s: order “%(order)s” cannot be marked as delivered: %(why)s."),
    "line_repeated": N_("Line %(line)s: order “%(order)s” is in an earlier line."),
    "remote_ids_missing": N_("No line names %(count)s of the orders: add them, or say that you do not have their IDs."),
}

#: What reconciliation finds about an event.
EVENT_DIFFERENCES: Mapping[str, str] = {
    "unknown_event_status": N_("its status is “%(status)s”, which no event has"),
    "accepted_without_order": N_("accepted, but it names no order"),
    "accepted_without_delivery": N_("accepted, but its order has no delivery"),
    "route_without_delivery": N_("its routes named account %(account)s, but its order has no delivery there"),
    "ignored_without_reason": N_("ignored without a reason"),
    "ignored_as_cancelled": N_("ignored as cancelled, but no event cancels its order"),
    "ignored_with_routes": N_("ignored, but its routes named %(accounts)s"),
}

#: What reconciliation finds about a delivery.
DELIVERY_DIFFERENCES: Mapping[str, str] = {
    "impossible_without_reason": N_("%(delivery_state)s without a reason: there is no such state"),
    "impossible_reason": N_("%(delivery_state)s, with the reason “%(delivery_reason)s”: there is no such state"),
    "event_of_other_order": N_("its event %(event)s does not contain its order"),
    "newer_event_not_applied": N_("its order's newest event is %(newest)s, but event %(event)s was applied"),
    "attempts_missing": N_("its number of attempts is %(count)s, but these are missing: %(numbers)s"),
    "attempts_unexpected": N_("its number of attempts is %(count)s, but there are also: %(numbers)s"),
    "attempts_without_outcome": N_("these attempts have no outcome: %(numbers)s"),
    "waiting_but_cancelled": N_("waiting, but its order was cancelled"),
    "waiting_lease_too_long": N_("waiting, but its lease is longer than LEASE_S"),
    "never_due": N_("waiting, but never due"),
    "due_too_late": N_("waiting until %(due_at)s, but no delay is longer than %(seconds)s s"),
    "due_but_unclaimed": N_("waiting, due since %(due_at)s, but no worker took it"),
    "sending_with_outcome": N_("sending, but its last attempt has an outcome"),
    "sending_unclaimed": N_("sending, but no worker has claimed it"),
    "sending_lease_ended": N_("sending, but its lease ended at %(ended_at)s"),
    "sending_lease_too_long": N_("sending, but its lease is longer than LEASE_S"),
    "sending_process_ended": N_("sending, but the process that sent it no longer runs"),
    "sending_without_body": N_("sending, but its body is not stored"),
    "sending_without_key": N_("sending, but its idempotency key is not stored"),
    "delivered_by_nothing": N_("delivered, but no attempt succeeded and nobody resolved it"),
    "delivered_without_id": N_("delivered, but the destination's id is not stored"),
    "delivered_without_success": N_("delivered, but the stored response is no success"),
    "delivered_with_other_id": N_("delivered, but the id in the stored response is not its remote_id"),
    "held_but_cancelled": N_("%(delivery_reason)s, but its order was cancelled"),
    "reason_without_attempt": N_("%(delivery_reason)s, but without an attempt"),
    "reason_without_problem": N_("%(delivery_reason)s, but no problem says why"),
    "expired_without_note": N_("expired, but nothing says after how long"),
    "discarded_by_nobody": N_("discarded by hand, but nobody is recorded who did it"),
}

#: What needs a person's attention.
ALERTS: Mapping[str, str] = {
    "cancelled_after_sending": N_(
        "The order was cancelled at the store after it had been sent: act at the destination."
    ),
    "deleted_after_sending": N_(
        "The store reported that the order was deleted, and also that it was restored, and it is not certain which "
        "came last. It was sent before: check in the store, and act at the destination if it is deleted."
    ),
    "cancelled_while_ambiguous": N_(
        "The order was cancelled at the store, and may have reached the destination: look there."
    ),
    "no_longer_cancelled": N_(
        "The order was cancelled after it had been sent, and a newer version of it is not cancelled: compare with the "
        "destination."
    ),
    "changed_after_delivery": N_("Changed after delivery: %(fields)s. Compare with the destination."),
    "refunded_after_delivery": N_("Changed after delivery: the payment was returned. Act at the destination."),
    "unmappable_after_delivery": N_(
        "Changed after delivery, and cannot be mapped any more: %(problem)s Compare with the destination."
    ),
    "late_response": N_(
        "Attempt %(attempt)s got its response after its claim was lost: %(outcome)s. Compare with the destination."
    ),
    "late_response_with_id": N_(
        "Attempt %(attempt)s got its response after its claim was lost: %(outcome)s, with %(remote_id)s as the "
        "destination's id. Compare with the destination."
    ),
}

#: What a person did, where the kind of action does not say it.
ACTIONS: Mapping[str, str] = {
    "row_entered": N_("Row “%(key)s” of `%(table)s` is %(value)s."),
    "row_changed": N_("Row “%(key)s” of `%(table)s` is %(value)s; it was %(previous)s."),
    "request_done": N_("Request %(request)s about personal data: done."),
    "request_dismissed": N_("Request %(request)s about personal data: dismissed."),
    "pruned": N_(
        "Content of orders from before %(before)s was deleted: deliveries %(deliveries)s, webhooks %(events)s."
    ),
    "row_removed": N_("Row “%(key)s” of `%(table)s` is removed; it was %(previous)s."),
    "erasure_requested": N_("The personal data of orders was to be erased: %(orders)s."),
    "data_exported": N_("The data of orders was exported: %(orders)s."),
    "credential_verified": N_("`%(settings)s` is replaced: the destination accepts it."),
    "credential_unverified": N_("`%(settings)s` is replaced, and was not tested."),
    "credential_withdrawn": N_("The entered `%(settings)s` is withdrawn: the configuration's is used again."),
}

register_templates(
    {
        **PREPARATION_PROBLEMS,
        **IGNORE_REASONS,
        **LISTING_ERRORS,
        **STORE_DIFFERENCES,
        **WEBHOOK_CONDITIONS,
        **ATTEMPT_ERRORS,
        **CIRCUIT_REASONS,
        **SIGNATURE_ERRORS,
        **WEBHOOK_ERRORS,
        **DISCARD_REASONS,
        **EXPIRY_CONDITIONS,
        **EXPIRY_REASONS,
        **HOLD_REASONS,
        **STOP_REASONS,
        **REQUEST_NOTICES,
        **RETRIGGER_REASONS,
        **CORRECTION_MESSAGES,
        **JOB_REASONS,
        **REMOTE_ID_PROBLEMS,
        **EVENT_DIFFERENCES,
        **DELIVERY_DIFFERENCES,
        **ALERTS,
        **ACTIONS,
    }
)


def build_message(code: str, **params: ParamValue) -> Problem:
    """Return one of the messages above.

    Raises:
        ValueError: the code is not registered.
    """
    return Problem(code=code, params=params)


def render_code(code: str, translate: Translate = untranslated) -> str:
    """Return the sentence of a message that is stored as a code, without params."""
    return render_problem(Problem.from_json({"code": code}), translate)


def render_stored(value: Problem | Mapping[str, Any] | str | None, translate: Translate = untranslated) -> str:
    """Return the sentence of a problem, or of one as it is stored; what a person wrote as it is."""
    if value is None or isinstance(value, str):
        return value or ""
    return render_problem(value if isinstance(value, Problem) else Problem.from_json(value), translate)
