"""Mutants of the guarantees about what is shipped, and to whom."""

from connector.delivery import prepare
from mappings import delivery_methods, order
from mappings.destinations.lapyme import destination as lapyme_destination
from mappings.storefronts.shopify import schema as shopify_schema
from mappings.storefronts.woocommerce import shipping as woocommerce_shipping
from tests.mutants.mutant import Invariant, Mutant

WOO_SHIPPING = "tests/mappings/storefronts/test_woocommerce_shipping.py"

SHIPPED_ONCE = Invariant(
    number=16,
    promise="Only what is left is shipped, and never to the home of somebody who collects the order.",
    mutants=(
        Mutant(
            breaks="what the shop has sent is sent again",
            at=order.Line.quantity_to_ship,
            old="return max(self.quantity - self.quantity_fulfilled, 0) if self.is_shippable else 0",
            new="return self.quantity if self.is_shippable else 0",
            tests=("tests/mappings/storefronts/test_shopify_shipping.py::test_sent_order_has_nothing_left",),
        ),
        Mutant(
            breaks="lines of another service are shipped, too",
            at=shopify_schema.subtract_fulfilled,
            old="        to_ship = 0\n    elif purchased.fulfillable_quantity",
            new="        pass\n    elif purchased.fulfillable_quantity",
            tests=(
                "tests/mappings/storefronts/test_shopify_shipping.py::test_lines_of_another_service_are_left_to_it",
            ),
        ),
        Mutant(
            breaks="a completed WooCommerce order is shipped again",
            at=woocommerce_shipping.mark_sent,
            old='status == "completed" and completed == "sent"',
            new="False",
            tests=(f"{WOO_SHIPPING}::test_completed_order_was_sent",),
        ),
        Mutant(
            breaks="an order of which nothing is left waits as unmappable",
            at=prepare.prepare_order,
            old="            return Discarded(reason=Reason.FILTERED, problems=[exclusion])",
            new="            return Unmappable(problems=[exclusion])",
            tests=("tests/delivery/test_left_to_ship.py::test_sent_order_is_discarded_with_the_reason",),
        ),
        Mutant(
            breaks="a destination that books gets only what is left",
            at=lapyme_destination.Lapyme,
            old='    path = "/api/v1/orders"\n',
            new='    path = "/api/v1/orders"\n    ships = True\n',
            tests=(f"{WOO_SHIPPING}::test_completed_order_was_sent",),
        ),
        Mutant(
            breaks="a pickup with a number behind its code is a parcel",
            at=delivery_methods.is_pickup_method,
            old='if code.partition(":")[0].strip().casefold() in pickup_methods:',
            new="if code in pickup_methods:",
            tests=(f"{WOO_SHIPPING}::test_methods_of_the_usual_plug_ins_are_collections",),
        ),
        Mutant(
            breaks="a parcel goes to the home of somebody who may collect the order",
            at=delivery_methods.resolve_delivery,
            old="        if question:\n",
            new="        if question and not bill_to:\n",
            tests=(f"{WOO_SHIPPING}::test_unknown_method_of_collection_is_a_question",),
        ),
        Mutant(
            breaks="what is collected of an order is shipped with the rest",
            at=delivery_methods.split_lines,
            old="yield replace(line, quantity_fulfilled=line.quantity)",
            new="yield line",
            tests=(f"{WOO_SHIPPING}::test_collected_products_are_not_shipped",),
        ),
    ),
)

OF_SHIPPING = (SHIPPED_ONCE,)
