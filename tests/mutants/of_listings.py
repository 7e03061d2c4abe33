"""Mutants of the guarantee about the lists of orders in the stores' APIs."""

from mappings import listed_orders, store_api
from mappings.storefronts.shopify import listing as shopify
from mappings.storefronts.tiendanube import listing as tiendanube
from mappings.storefronts.tiendanube import webhook as tiendanube_webhook
from mappings.storefronts.woocommerce import listing as woocommerce
from tests.mutants.mutant import Invariant, Mutant

LISTINGS = "tests/mappings/storefronts/test_order_listings.py"
LISTED = "tests/mappings/storefronts/test_listed_orders.py"
MOVING = "tests/sandbox/test_moving_order_lists.py"

ORDER_LISTED = Invariant(
    number=20,
    promise="An order that changed in a period is read, while others change, and stands for what it proves.",
    mutants=(
        Mutant(
            breaks="WooCommerce's next page starts after the second at which the last one ended",
            at=woocommerce.build_next_request,
            old="after=read_until - SECOND",
            new="after=read_until",
            tests=(f"{MOVING}::test_no_order_of_many_in_one_second_is_lost", LISTINGS),
        ),
        Mutant(
            breaks="WooCommerce's pages of one second do not overlap",
            at=woocommerce.choose_page,
            old="position - PAGE_OVERLAP",
            new="position",
            tests=(f"{MOVING}::test_no_order_of_many_in_one_second_is_lost",),
        ),
        Mutant(
            breaks="a short page of WooCommerce counts as the last one",
            at=woocommerce.is_last_page,
            old="count_read(request) >= total",
            new="len(response.data) < MAX_PAGE_SIZE",
            tests=(f"{LISTINGS}::test_woocommerce_list_ends_by_its_total",),
        ),
        Mutant(
            breaks="an order that changed while its page was read takes the orders after it along",
            at=woocommerce.find_end,
            old="and order.updated_at < before",
            new="",
            tests=(f"{LISTINGS}::test_woocommerce_order_that_changed_while_it_was_read_skips_no_other",),
        ),
        Mutant(
            breaks="a change beyond the page's end, by a clock behind ours, does so",
            at=woocommerce.find_end,
            old="times[-2:]",
            new="times[-1:]",
            tests=(f"{LISTINGS}::test_woocommerce_clock_behind_ours_skips_no_order_either",),
        ),
        Mutant(
            breaks="WooCommerce's trash is never read",
            at=woocommerce.WooOrderListing.first_request,
            old="build_request(TRASH",
            new="build_request(ANY",
            tests=("tests/catch_up/test_storefronts.py::test_order_in_the_trash_of_woocommerce_is_cancelled",),
        ),
        Mutant(
            breaks="Shopify lists only open orders",
            at=shopify.ShopifyOrderListing.first_request,
            old='"status": "any"',
            new='"status": "open"',
            tests=(f"{LISTINGS}::test_shopify_is_asked_for_orders_of_all_statuses_from_the_oldest_change",),
        ),
        Mutant(
            breaks="an order that moves to a page of Tiendanube which was read is lost",
            at=tiendanube.TiendanubeOrderListing.read_page,
            old='total=response.header_number("x-total-count")',
            new="total=None",
            tests=(f"{LISTINGS}::test_tiendanube_link_leads_to_the_next_page_of_the_same_list",),
        ),
        Mutant(
            breaks="any 404 of Tiendanube is an empty list",
            at=tiendanube.is_beyond_last_page,
            old="and is_about_pages",
            new="",
            tests=(f"{LISTINGS}::test_other_404_of_tiendanube_is_unexpected",),
        ),
        Mutant(
            breaks="one odd entry stops a page",
            at=listed_orders.read_order_id,
            old="if isinstance(entry, Mapping) else None",
            new="",
            tests=(f"{LISTINGS}::test_odd_entries_stop_no_page",),
        ),
        Mutant(
            breaks="the link to the page before is followed",
            at=store_api.ApiResponse.next_query,
            old="if NEXT.match(parameters.strip())",
            new="if True",
            tests=(f"{LISTINGS}::test_shopify_cursor_leads_to_the_next_page_without_filters",),
        ),
        Mutant(
            breaks="a listed order takes routes for what it does not prove",
            at=listed_orders.listed_topics,
            old="own = {own_topics[claim] for claim in claims if claim in own_topics}",
            new="own = set(own_topics.values())",
            tests=(f"{LISTED}::test_topics_are_what_the_order_proves",),
        ),
        Mutant(
            breaks="Tiendanube's year -1 is a cancellation",
            at=tiendanube_webhook.read_facts,
            old='parse_datetime(payload.get("cancelled_at"), is_utc=True)',
            new='payload.get("cancelled_at")',
            tests=(f"{LISTED}::test_topics_are_what_the_order_proves",),
        ),
    ),
)

OF_LISTINGS = (ORDER_LISTED,)
