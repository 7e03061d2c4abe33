"""What of a WooCommerce order is shipped, collected, or sent already, and where it goes."""

from copy import deepcopy
from typing import Any

import pytest

from mappings.order import Order
from mappings.problems import render_problems
from tests.support.mapping_cases import SAMPLES, build_body, mapping_problems, parse_order, shipping_address

BLANK = dict.fromkeys(
    ["first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country", "phone"],
    "",
)
LAPYME = {"currencies": {"MXN": "PES"}}
BILLING = SAMPLES["woocommerce_mx"]["billing"]
PLACE = {"city": "Coyoacán", "state": "DF", "postcode": "04100", "country": "MX"}


def woo_order(**changes: Any) -> dict[str, Any]:
    """Return an order of the sample's shop: two serums, to the billing address."""
    sample: dict[str, Any] = deepcopy(SAMPLES["woocommerce_mx"])
    return sample | changes


def method(method_id: str, title: str, number: int = 2, **changes: Any) -> dict[str, Any]:
    [sample] = woo_order()["shipping_lines"]
    return {**sample, "id": number, "method_id": method_id, "method_title": title, **changes}


def with_methods(*methods: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return an order whose shipping is free, with these methods."""
    free = [method | {"total": "0.00", "total_tax": "0.00"} for method in methods]
    return woo_order(shipping_lines=free, total="698.00", total_tax="96.28", **changes)


def package(*items: str) -> list[dict[str, Any]]:
    """Return a shipping line's meta data as the classic checkout writes it, in the shop's language."""
    return [{"id": 9, "key": "Artículos", "value": ", ".join(items)}]


def line(number: int, name: str, quantity: int = 1, **changes: Any) -> dict[str, Any]:
    [sample, *_] = woo_order()["line_items"]
    amounts = {"total": "100.00", "total_tax": "0.00", "subtotal": "100.00", "subtotal_tax": "0.00"}
    return {**sample, "id": number, "name": name, "sku": name.upper(), "quantity": quantity, **amounts, **changes}


def sent_by_rayo(order: Order, **account: Any) -> dict[str, int]:
    products = build_body(order, "rayo", **account).body["productos"]
    return {product["identificador"]: product["cantidad"] for product in products}


COMPLETED = (
    "Nothing is left to ship: the order is completed, so the shop has sent it. If “completed” means something else in "
    "this shop, set the store's `completed` to “to_send”."
)


def test_completed_order_was_sent() -> None:
    order = parse_order("woocommerce", woo_order(status="completed"))
    assert mapping_problems(order, "rayo") == [COMPLETED]
    assert [line["ordered_quantity"] for line in build_body(order, "lapyme", **LAPYME).body["lines"]] == [2, 1]


def test_store_says_that_completed_is_to_be_sent() -> None:
    order = parse_order("woocommerce", woo_order(status="completed"), completed="to_send")
    assert sent_by_rayo(order) == {"7503039461000": 2}


@pytest.mark.parametrize(
    ("fulfillment", "problems"),
    [
        ("unfulfilled", []),
        (
            "fulfilled",
            ["Nothing is left to ship: everything was sent already, is collected, or is sent by another service."],
        ),
        (
            "partially_fulfilled",
            ["A part of the order was sent already, and the storefront does not say which products."],
        ),
    ],
)
def test_fulfillments_say_what_was_sent(fulfillment: str, problems: list[str]) -> None:
    meta_data = [{"id": 5, "key": "_fulfillment_status", "value": fulfillment}]
    order = parse_order("woocommerce", woo_order(meta_data=meta_data), completed="to_send")
    assert mapping_problems(order, "rayo") == problems
    assert mapping_problems(order, "lapyme", **LAPYME) == []


@pytest.mark.parametrize(
    "method_id",
    [
        "local_pickup",
        "local_pickup:7",
        "legacy_local_pickup",
        "local_pickup_plus",
        "wc_pickup_store",
        "wc_local_pickup",
    ],
)
def test_methods_of_the_usual_plug_ins_are_collections(method_id: str) -> None:
    order = parse_order("woocommerce", with_methods(method(method_id, "Mostrador")))
    assert (order.is_pickup, order.pickup_name, order.ship_to) == (True, "Mostrador", None)
    assert mapping_problems(order, "rayo") == ["Shipping address is missing: Rayo does not offer collection in store."]
    assert build_body(order, "lapyme", **LAPYME).body["delivery_method"] == "pickup"


@pytest.mark.parametrize("name", ["acme_tiendas", "acme_tiendas:4", "ACME-Tiendas", "Punto Acme"])
def test_store_names_more_methods_of_collection(name: str) -> None:
    payload = with_methods(method("acme_tiendas", "Punto Acme", instance_id="4"))
    assert parse_order("woocommerce", payload, pickup_methods=[name]).is_pickup
    assert parse_order("woocommerce", payload).is_pickup is False


@pytest.mark.parametrize(
    ("method_id", "title", "setting"),
    [
        ("sucursales_acme", "Acme", "sucursales_acme"),
        ("acme", "Retirá en nuestro local", "acme:1"),
        ("flat_rate", "Recoger en tienda", "flat_rate:1"),
        ("acme:12", "Click & Collect", "acme:12"),
        ("free_shipping", "Pasás a buscar por el taller", "free_shipping:1"),
    ],
)
@pytest.mark.parametrize("shipping", [BLANK, BLANK | PLACE], ids=["blank", "place"])
def test_unknown_method_of_collection_is_a_question(
    method_id: str, title: str, setting: str, shipping: dict[str, str]
) -> None:
    payload = with_methods(method(method_id, title), shipping=shipping)
    order = parse_order("woocommerce", payload)
    question = (
        f"Shipping > “{title}” sounds like a collection, and the shipping address is blank. If the customer collects, "
        f"add “{setting}” to the store's `pickup_methods`; if not, enter the shipping address at the store."
    )
    assert mapping_problems(order, "rayo")[0] == question
    assert mapping_problems(order, "lapyme", **LAPYME) == [question]
    assert parse_order("woocommerce", payload, pickup_methods=[setting]).is_pickup


def test_unknown_method_with_an_address_ships_to_it() -> None:
    shipping = {**BILLING, "address_1": "Calle Carranza #40"}
    order = parse_order("woocommerce", with_methods(method("acme", "Envío a sucursal"), shipping=shipping))
    assert build_body(order, "rayo").body["consumidor_destino"]["calle"] == "Calle Carranza"


@pytest.mark.parametrize("key", ["pickup_location", "_pickup_location_name"])
def test_branch_is_in_the_meta_data(key: str) -> None:
    meta_data = [{"id": 3, "key": key, "value": "Sucursal Centro &amp; Sur"}]
    payload = with_methods(method("pickup_location", "Retiro en tienda (Sucursal Centro)", meta_data=meta_data))
    assert parse_order("woocommerce", payload).pickup_name == "Sucursal Centro & Sur"


def split_order(collected: list[str], shipped: list[str], *lines: dict[str, Any]) -> Order:
    methods = [
        method("flat_rate", "Envío estándar", 2, meta_data=package(*shipped)),
        method("local_pickup", "Recoger en tienda", 3, meta_data=package(*collected)),
    ]
    payload = with_methods(*methods, line_items=list(lines))
    return parse_order("woocommerce", payload | {"total": f"{100 * len(lines)}.00", "total_tax": "0.00"})


def test_collected_products_are_not_shipped() -> None:
    order = split_order(
        ["Ramo grande &times; 1", "Vela, blanca &times; 2"],
        ["Florero &times; 2", "Base × 1"],
        line(1, "Ramo grande"),
        line(2, "Vela, blanca", 2),
        line(3, "Florero", 2),
        line(4, "Base"),
        line(5, "Curso"),
    )
    assert (order.is_pickup, order.pickup_name) == (False, None)
    assert sent_by_rayo(order) == {"FLORERO": 2, "BASE": 1}
    assert render_problems(build_body(order, "rayo").warnings)[1:] == [
        "Products > “Ramo grande”: 1 of 1 not shipped: sent already, collected, or sent by another service.",
        "Products > “Vela, blanca”: 2 of 2 not shipped: sent already, collected, or sent by another service.",
        "Products > “Curso” is left out: it is not shipped.",
        "Customer note is not sent: Rayo has no field for it.",
    ]
    assert len(build_body(order, "lapyme", **LAPYME).body["lines"]) == 5


def test_product_of_both_packages_is_divided() -> None:
    order = split_order(["Vela &times; 1"], ["Vela &times; 2"], line(1, "Vela", 3))
    assert sent_by_rayo(order) == {"VELA": 2}


@pytest.mark.parametrize(
    ("collected", "shipped"),
    [([], ["Florero × 2"]), (["Otro nombre × 1"], ["Florero × 2"]), (["Ramo × 1", "Florero × 1"], ["Florero × 2"])],
    ids=["not said", "another name", "not what was sold"],
)
def test_unclear_packages_are_a_problem_where_it_matters(collected: list[str], shipped: list[str]) -> None:
    order = split_order(collected, shipped, line(1, "Ramo"), line(2, "Florero", 2))
    assert mapping_problems(order, "rayo") == [
        "A part of the order is collected (“Recoger en tienda”) and the rest is shipped, and the storefront does not "
        "say which products."
    ]
    assert mapping_problems(order, "lapyme", **LAPYME) == []


@pytest.mark.parametrize(
    ("shipping", "billing", "street"),
    [
        (PLACE, {}, "Calle 5 de Mayo"),
        ({"country": "MX"}, {}, "Calle 5 de Mayo"),
        (PLACE, {"postcode": ""}, None),
        (PLACE | {"first_name": "Irma"}, {}, None),
        (PLACE | {"address_1": "Reforma 10"}, {}, "Reforma"),
    ],
)
def test_address_of_a_place_only_is_blank_if_billing_is_complete(
    shipping: dict[str, str], billing: dict[str, str], street: str | None
) -> None:
    payload = woo_order(shipping=BLANK | shipping, billing=BILLING | billing)
    assert shipping_address(parse_order("woocommerce", payload)).street == street


@pytest.mark.parametrize("created_via", ["checkout", "store-api", "admin"])
@pytest.mark.parametrize("shipping", [BLANK, BILLING], ids=["blank", "address"])
def test_order_without_shipping_is_virtual(created_via: str, shipping: dict[str, str]) -> None:
    payload = with_methods(created_via=created_via, shipping=shipping)
    order = parse_order("woocommerce", payload)
    if created_via == "admin" and shipping == BILLING:  # somebody entered it, and the address is all that says it ships
        assert sent_by_rayo(order) == {"7503039461000": 2}
        return
    assert mapping_problems(order, "rayo") == ["The order has nothing to ship: none of its products is shipped."]
    body = build_body(order, "centelar", currency="MXN", payment_types={order.payments[0].gateway: "creditcard"}).body  # type: ignore[index]
    assert body["shipping_address"] == body["billing_address"]
    assert body["shipping_address"]["street"] == "Calle 5 de Mayo"


def test_numbered_method_finds_its_row() -> None:
    order = parse_order("woocommerce", with_methods(method("express:3", "En el día")))
    assert (
        build_body(order, "rayo", servicio_rayo_by_shipping={"express": "EXPRESS"}).body["servicio_rayo"] == "EXPRESS"
    )
