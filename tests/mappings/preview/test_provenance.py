"""Provenance of body fields, and differences between bodies."""

from copy import deepcopy
from typing import Any

import pytest

from mappings import DESTINATIONS
from mappings.preview.dry_run import FieldDifference, diff_bodies, dry_run, format_path, iter_leaves
from mappings.preview.provenance import ExplainedMapping, Source, explain_mapping
from mappings.problems import render_problems
from tests.support.mapping_cases import SAMPLES, make_account, make_store, storefront_of
from tests.support.orders import RAYO_BODY, shopify_order, woo_order


def explained(payload: dict[str, Any], storefront: str, destination: str, **account: Any) -> ExplainedMapping:
    return explain_mapping(make_store(storefront), make_account(destination, **account), payload)


def origins(payload: dict[str, Any], storefront: str, destination: str, **settings: Any) -> dict[str, Any]:
    """Return the sources and dependencies of each field of the body."""
    found = explained(payload, storefront, destination, **settings).origins
    return {one.field: (list(map(str, one.sources)), list(map(str, one.depends_on))) for one in found}


def test_each_field_names_where_in_the_payload_its_value_stands() -> None:
    told = explained(shopify_order(), "shopify", "rayo")
    assert (told.body, render_problems(told.problems), render_problems(told.warnings)) == (RAYO_BODY, [], [])
    ships = ["line_items[0].requires_shipping"]
    assert origins(shopify_order(), "shopify", "rayo") == {
        "consumidor_destino.calle": (["shipping_address.address1"], []),
        "consumidor_destino.ciudad": (["shipping_address.city"], []),
        "consumidor_destino.codigo_postal": (["shipping_address.zip"], []),
        "consumidor_destino.colonia": (["shipping_address.address2"], []),
        "consumidor_destino.estado": (["shipping_address.province", "shipping_address.province_code"], []),
        "consumidor_destino.no_exterior": (["shipping_address.address1"], []),
        "consumidor_destino.no_interior": (["shipping_address.address2"], []),
        "consumidor_destino.nombre": (["shipping_address.name"], []),
        "consumidor_destino.pais": (["shipping_address.country_code"], []),
        "consumidor_destino.telefono": (["shipping_address.phone"], []),
        "productos[0].cantidad": (["line_items[0].current_quantity"], ships),
        "productos[0].identificador": (["line_items[0].sku"], [*ships, "setting identifier of the account"]),
        "servicio_rayo": (["setting servicio_rayo of the account"], []),
    }


def test_field_is_called_as_the_hub_and_the_merchant_call_it() -> None:
    street = explained(shopify_order(), "shopify", "rayo").origins[0]
    assert (street.field, street.hub, street.label, street.value, street.note) == (
        "consumidor_destino.calle",
        "ship_to.street",
        "Shipping address > street",
        "Av. Álvaro Obregón",
        None,
    )


def test_value_of_a_table_in_the_settings_is_its_source_and_the_order_chooses_the_row() -> None:
    assert origins(woo_order(), "woocommerce", "lapyme")["currency"] == (
        ["setting currencies.ARS of the account"],
        ["currency"],
    )


def test_computed_sum_names_every_figure_that_is_in_it() -> None:
    sources, _ = origins(SAMPLES["shopify_ar"], "shopify", "lapyme")["totals.total"]
    assert set(sources) == {
        "line_items[*].price",
        "line_items[*].quantity",
        "line_items[*].current_quantity",
        "line_items[*].discount_allocations[*].amount",
        "shipping_lines[0].discounted_price",
        "total_tip_received",
    }


def test_product_cut_in_two_is_not_taken_for_its_neighbour() -> None:
    """The first product's price is indivisible. Changing it removes the split, and later lines move up."""
    found = origins(SAMPLES["tiendanube_ar"], "tiendanube", "centelar")
    codes = {field: of for field, of in found.items() if field.endswith("product_code")}
    assert [sources for sources, _ in codes.values()] == [["products[0].sku"], ["products[0].sku"], ["products[1].sku"]]
    assert found["items[2].product_code"] == (["products[1].sku"], [])
    assert found["items[0].price"][0] == ["discount", "products[*].price", "products[*].quantity"]  # its share of it


def test_path_of_a_stores_settings_is_named_as_the_settings_name_it() -> None:
    payload = woo_order(meta_data=[{"id": 1, "key": "_billing_dni", "value": "28444555"}])
    assert origins(payload, "woocommerce", "centelar")["customer.document"] == (["meta_data:_billing_dni"], [])


def test_word_that_the_code_chooses_has_no_source_and_says_what_chose_it() -> None:
    [of] = [one for one in explained(shopify_order(), "shopify", "centelar").origins if one.hub == "payments[0].type"]
    assert (of.value, of.sources, of.note) == ("mercadopago", [], "chosen by these")
    assert Source(part="order", path="payment_gateway_names[0]") in of.depends_on


def test_what_hangs_on_a_whole_part_of_the_order_names_that_part() -> None:
    assert origins(shopify_order(), "shopify", "lapyme", currencies={"MXN": "PES"})["delivery_method"] == (
        [],
        ["shipping_address"],
    )


def test_what_nothing_changes_is_said_to_be_unknown() -> None:
    told = explained(shopify_order(), "shopify", "lapyme", currencies={"MXN": "PES"})
    notes = {one.field: one.note for one in told.origins}
    assert notes["lines[1].ordered_quantity"] == "unknown: nothing that was tried changes it"
    [interior] = [
        one
        for one in explained(
            shopify_order(shipping_address=shopify_order()["shipping_address"] | {"address2": None}), "shopify", "rayo"
        ).origins
        if one.field == "consumidor_destino.no_interior"
    ]
    assert (interior.value, interior.sources, interior.note) == (None, [], "nothing says it")


def test_order_with_problems_has_no_body_and_tells_the_origins_of_what_there_is() -> None:
    payload = shopify_order()
    payload["shipping_address"] = {**payload["shipping_address"], "city": ""}
    told = explained(payload, "shopify", "rayo")
    assert (told.body, render_problems(told.problems)) == (None, ["Shipping address > city is missing."])
    fields = [one.field for one in told.origins]
    assert "consumidor_destino.calle" in fields
    assert "consumidor_destino.ciudad" not in fields


def test_order_that_cannot_be_read_has_problems_and_no_origins() -> None:
    told = explained({"id": 1}, "shopify", "rayo")
    assert (told.body, told.origins) == (None, [])
    assert "Products are missing." in render_problems(told.problems)


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("name", ["shopify_mx", "tiendanube_ar", "woocommerce_ar"])
def test_every_field_has_one_origin_and_every_source_is_there(name: str, destination: str) -> None:
    payload, before = SAMPLES[name], deepcopy(SAMPLES[name])
    told = explained(payload, storefront_of(name), destination)
    assert payload == before
    if told.body is not None:
        assert {one.field: one.value for one in told.origins} == {
            format_path(path): value for path, value in iter_leaves(told.body)
        }
    there = {format_path(path[:end]) for path, _ in iter_leaves(payload) for end in range(1, len(path) + 1)}
    for one in told.origins:
        assert one.sources or one.note
        for source in [*one.sources, *one.depends_on]:
            if source.part == "order" and "*" not in source.path and ":" not in source.path:
                assert source.path in there


def test_long_order_is_explained_in_time_and_says_nothing_of_what_was_not_looked_into() -> None:
    items = [{**shopify_order()["line_items"][0], "id": n, "sku": f"SKU-{n}"} for n in range(30)]
    found = origins(shopify_order(line_items=items), "shopify", "rayo")
    assert found["productos[0].identificador"][0] == ["line_items[0].sku"]
    assert found["productos[29].identificador"] == ([], ["setting identifier of the account"])


def test_row_of_a_long_table_is_found_in_time() -> None:
    rows = {f"SKU-{n}": f"5b0c7a1e-52d3-4f6a-9e0b-{n:012}" for n in range(20_000)} | {
        "YERBA-1": "5b0c7a1e-52d3-4f6a-9e0b-6d1f0c2a3b4c"
    }
    found = origins(woo_order(), "woocommerce", "lapyme", product_id_by_sku=rows)
    assert found["lines[0].product_id"] == (
        ["setting product_id_by_sku.YERBA-1 of the account"],
        ["line_items[0].sku"],
    )


def test_bodies_differ_field_by_field() -> None:
    old = {"a": {"b": 1, "c": None}, "l": [{"x": 1}, {"x": 2}], "gone": "g", "same": []}
    new = {"a": {"b": 2}, "l": [{"x": 1}], "same": [], "new": {"y": 0}}
    assert diff_bodies(old, new) == [
        FieldDifference(field="a.b", old=1, new=2),
        FieldDifference(field="l[1].x", old=2, new=None),
        FieldDifference(field="gone", old="g", new=None),
        FieldDifference(field="new.y", old=None, new=0),
    ]
    assert diff_bodies(old, old) == []


def test_cancelled_order_that_a_person_let_go_on_is_tried_as_it_would_go() -> None:
    payload = shopify_order(cancelled_at="2026-11-20T11:00:00-06:00")
    store, account = make_store("shopify"), make_account("rayo")
    assert render_problems(dry_run(store, account, payload).problems) == ["The order is cancelled."]
    assert dry_run(store, account, payload, override_cancellation=True).body == RAYO_BODY
