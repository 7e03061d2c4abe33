"""Mutants of the guarantees about requests for personal data, and about stores whose app is gone."""

from connector.database import privacy_requests
from connector.delivery import prepare
from connector.ingestion import notices
from connector.privacy import requests
from mappings.storefronts.woocommerce import webhook as woocommerce_webhook
from tests.mutants.mutant import Invariant, Mutant

NOTICES = "tests/ingestion/test_notices.py"
REQUESTS = "tests/privacy/test_requests.py"

OBLIGATIONS = Invariant(
    number=31,
    promise="A signed request about personal data is one obligation, until a person has seen to it.",
    mutants=(
        Mutant(
            breaks="a request needs no signature",
            at=notices.receive_notice,
            old="    require_signature(storefront, store, headers, body)\n",
            new="",
            tests=(f"{NOTICES}::test_forged_notice_is_refused_and_leaves_nothing",),
        ),
        Mutant(
            breaks="what the address says and the body does not is recorded",
            at=notices.receive_notice,
            old="if topic is not None and notice.topic is not topic:",
            new="if False:",
            tests=(f"{NOTICES}::test_address_and_body_must_agree",),
        ),
        Mutant(
            breaks="another shop's request is recorded",
            at=notices.find_shop,
            old="if is_named and storefront.is_notice_of_store(payload, shop):",
            new="if True:",
            tests=(f"{NOTICES}::test_notice_of_another_shop_is_refused",),
        ),
        Mutant(
            breaks="a repeated request is another obligation",
            at=privacy_requests.insert_request,
            old="if request.closed_at is None or transaction.now - request.closed_at < REPEATED_FOR:",
            new="if False:",
            tests=(f"{NOTICES}::test_repeated_request_is_one_obligation",),
        ),
        Mutant(
            breaks="the address of the customer stays when the request is closed",
            at=privacy_requests.closing_values,
            old=', "email": None, "phone": None',
            new="",
            tests=(f"{REQUESTS}::test_dismissed_request_says_who_and_why_and_forgets_the_customer[sqlite]",),
        ),
        Mutant(
            breaks="a request is done although erasing its orders was interrupted",
            at=requests.close_erased_requests,
            old="if are_erased(database, records):",
            new="if True:",
            tests=(f"{REQUESTS}::test_request_is_not_done_if_erasing_was_interrupted[sqlite]",),
        ),
        Mutant(
            breaks="an order that waits takes over what the store erased",
            at=woocommerce_webhook.identify_order,
            old="is_erased = is_marked_erased(payload)",
            new="is_erased = False",
            tests=("tests/delivery/test_erased_customers.py",),
        ),
        Mutant(
            breaks="the API of a store whose app is gone is called",
            at=prepare.fetch_order,
            old="if stop := stop_reason(runtime.database, store):",
            new="if stop := None:",
            tests=(
                "tests/operations/test_stopped_stores.py"
                "::test_order_that_must_be_fetched_is_held_and_sent_once_the_store_is_resumed",
            ),
        ),
    ),
)
OF_REQUESTS = (OBLIGATIONS,)
