"""What a person enters for an order: which problem it solves, and where it ends up."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mappings import STOREFRONTS
from mappings.correctable_fields import clean_value, is_correctable, render_field
from mappings.corrections import Correction, apply_corrections
from mappings.order import Order
from mappings.preview.provenance import explain_mapping
from mappings.problems import MappingError, Problem, dump_problems, load_problems, render_problems
from tests.support.mapping_cases import build_account, build_body, build_store, mapping_problems, parse_order
from tests.support.orders import shopify_order, woo_order

Payload = dict[str, Any]


def mexican(address: Mapping[str, Any] | None = None, line: Mapping[str, Any] | None = None, **changes: Any) -> Payload:
    order = shopify_order(**changes)
    order["shipping_address"] |= address or {}
    order["line_items"][0] |= line or {}
    return order


def argentine(
    address: Mapping[str, Any] | None = None, line: Mapping[str, Any] | None = None, **changes: Any
) -> Payload:
    order = woo_order(**changes)
    order["shipping"] = order["shipping"] | (address or {})
    order["billing"] = order["billing"] | (address or {})
    order["line_items"][0] |= line or {}
    return order


def correct(order: Order, values: Mapping[str, str]) -> Order:
    return apply_corrections(
        order, [Correction(field=field, value=value, entered_by="ana") for field, value in values.items()]
    )


def problems_of(order: Order, destination: str, **account: Any) -> list[Problem]:
    try:
        build_body(order, destination, **account)
    except MappingError as error:
        return error.problems
    return []


def consignee(name: str) -> Callable[[Any], Any]:
    return lambda body: body["consumidor_destino"].get(name)


NO_NAME = {"first_name": "", "last_name": "", "name": "", "company": None}

#: Storefront, payload, destination and its settings, what is entered, and where the body has it.
CASES: dict[str, tuple[str, Payload, str, dict[str, Any], dict[str, str], Callable[[Any], Any]]] = {
    "colonia": (
        "shopify",
        mexican({"address2": "Depto 4 \u2060"}),
        "rayo",
        {},
        {"ship_to.district": "Roma Norte"},
        consignee("colonia"),
    ),
    "door number": (
        "shopify",
        mexican({"address1": "Av. Álvaro Obregón"}),
        "rayo",
        {},
        {"ship_to.number": "151"},
        consignee("no_exterior"),
    ),
    "street": (
        "shopify",
        mexican({"address1": ""}),
        "rayo",
        {},
        {"ship_to.street": "Orizaba", "ship_to.number": "8"},
        consignee("calle"),
    ),
    "postcode": (
        "shopify",
        mexican({"zip": "67"}),
        "rayo",
        {},
        {"ship_to.postal_code": "06700"},
        consignee("codigo_postal"),
    ),
    "city": ("shopify", mexican({"city": ""}), "rayo", {}, {"ship_to.city": "Cuauhtémoc"}, consignee("ciudad")),
    "state": (
        "shopify",
        mexican({"province": None, "province_code": None}),
        "rayo",
        {},
        {"ship_to.state": "Jalisco"},
        consignee("estado"),
    ),
    "phone": ("shopify", mexican({"phone": "123"}), "rayo", {}, {"phone": "5512345678"}, consignee("telefono")),
    "recipient": (
        "shopify",
        mexican(NO_NAME, billing_address=None),
        "rayo",
        {},
        {"ship_to.name": "Ximena Prueba"},
        consignee("nombre"),
    ),
    "SKU": (
        "shopify",
        mexican(line={"sku": None}),
        "rayo",
        {},
        {"lines[11].sku": "CAFE-500"},
        lambda body: body["productos"][0]["identificador"],
    ),
    "barcode": (
        "shopify",
        mexican(),
        "rayo",
        {"identifier": "barcode"},
        {"lines[11].barcode": "7501"},
        lambda body: body["productos"][0]["identificador"],
    ),
    "SKU of an invoice": (
        "woocommerce",
        argentine(line={"sku": ""}),
        "lapyme",
        {},
        {"lines[1].sku": "YERBA-1"},
        lambda body: body["lines"][0]["sku_snapshot"],
    ),
    "document without a row": (
        "woocommerce",
        argentine(meta_data=[{"key": "_billing_dni", "value": "30111222"}]),
        "lapyme",
        {
            "required_tables": ["customer_id_by_document"],
            "customer_id_by_document": {"30111223": "6f1c8a52-0d4e-4b7e-9a53-3f6f2d6f1a01"},
        },
        {"document": "30111223"},
        lambda body: "30111223" if body["customer_id"].startswith("6f1c8a52") else None,
    ),
    "last name": (
        "woocommerce",
        argentine({"last_name": ""}),
        "centelar",
        {},
        {"customer.last_name": "Ensayo"},
        lambda body: body["customer"]["last_name"],
    ),
    "street at an ERP": (
        "woocommerce",
        argentine({"address_1": ""}),
        "centelar",
        {},
        {"ship_to.street": "Av. Corrientes"},
        lambda body: body["shipping_address"]["street"],
    ),
    "SKU at an ERP": (
        "woocommerce",
        argentine(line={"sku": ""}),
        "centelar",
        {},
        {"lines[1].sku": "YERBA-1"},
        lambda body: body["items"][0]["product_code"],
    ),
    "payment type": (
        "woocommerce",
        argentine(payment_method="cuenta-dni", payment_method_title="Cuenta DNI"),
        "centelar",
        {},
        {"payments[cuenta-dni].gateway": "promissory"},
        lambda body: body["payments"][0]["type"],
    ),
    "branch": (
        "woocommerce",
        argentine(
            shipping_lines=[
                {"method_id": "local_pickup", "method_title": "Local", "total": "50.00", "total_tax": "10.50"}
            ]
        ),
        "centelar",
        {"pickups": {"Centro": {"name": "Sucursal Centro"}}},
        {"pickup_name": "Centro"},
        lambda body: "Centro" if body["shipping_address"].get("name") == "Sucursal Centro" else None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_problem_names_the_field_and_its_value_is_sent(case: str) -> None:
    storefront, payload, destination, settings, values, find_value = CASES[case]
    order = parse_order(storefront, payload)
    fields = {field for problem in problems_of(order, destination, **settings) for field in problem.fields}
    assert values.keys() <= fields
    body = build_body(correct(order, values), destination, **settings).body
    assert find_value(body) == next(iter(values.values()))


def test_ambiguous_address_is_settled_by_either_reading() -> None:
    order = parse_order("shopify", mexican({"address1": "Paseo de los 12 40", "address2": "Int. 2 \u2060Roma Norte"}))
    [problem] = [problem for problem in problems_of(order, "rayo") if problem.code == "ambiguous_address"]
    bodies = [build_body(correct(order, dict(reading)), "rayo").body for reading in problem.readings]
    names = ("calle", "no_exterior", "no_interior")
    assert [tuple(body["consumidor_destino"][name] for name in names) for body in bodies] == [
        ("Paseo de los", "12", "40, Int. 2"),
        ("Paseo de los 12", "40", "Int. 2"),
    ]


def test_reading_without_a_number_says_so() -> None:
    order = parse_order("shopify", mexican({"address1": "Rancho Los Fresnos"}))
    [problem] = [problem for problem in problems_of(order, "rayo") if problem.code == "ambiguous_address"]
    assert problem.readings == ((("ship_to.street", "Rancho Los Fresnos"), ("ship_to.number", "S/N")),)


def test_number_settles_an_ambiguous_street() -> None:
    order = parse_order("shopify", mexican({"address1": "Paseo de los 12 40"}))
    body = build_body(correct(order, {"ship_to.number": "40"}), "rayo").body["consumidor_destino"]
    assert (body["calle"], body["no_exterior"]) == ("Paseo de los 12", "40")


def test_whole_address_is_entered_where_there_is_none() -> None:
    order = parse_order("shopify", mexican() | {"shipping_address": None})
    [problem] = [problem for problem in problems_of(order, "rayo") if problem.code == "rayo_pickup"]
    values = {
        "ship_to.name": "Ximena Prueba",
        "ship_to.street": "Orizaba",
        "ship_to.number": "8",
        "ship_to.district": "Roma Norte",
        "ship_to.postal_code": "6700",
        "ship_to.city": "Cuauhtémoc",
        "ship_to.state": "cdmx",
        "ship_to.country": "México",
    }
    assert set(problem.fields) == (values.keys() | {"ship_to.unit"}) - {"ship_to.name"}
    consignee = build_body(correct(order, values), "rayo").body["consumidor_destino"]
    assert (consignee["codigo_postal"], consignee["estado"], consignee["pais"]) == (
        "06700",
        "Ciudad de México",
        "mexico",
    )


def test_entered_address_answers_whether_the_customer_collects() -> None:
    payload = woo_order()
    payload["shipping"] = dict.fromkeys(payload["shipping"], "")
    payload["shipping_lines"][0] |= {"method_id": "flat_rate", "method_title": "Retiro en sucursal"}
    order = parse_order("woocommerce", payload)
    [problem] = [problem for problem in problems_of(order, "centelar") if problem.code == "unclear_pickup"]
    assert "ship_to.street" in problem.fields
    body = build_body(correct(order, {"ship_to.street": "Lavalle", "ship_to.number": "5"}), "centelar").body
    assert (body["shipping_address"]["disposition"], body["shipping_address"]["street"]) == ("residential", "Lavalle")


def test_product_without_a_row_is_no_matter_of_the_order() -> None:
    order = parse_order("shopify", mexican())
    [problem] = problems_of(order, "rayo", required_tables=["identifiers"], identifiers={"X": "1"})
    assert (problem.table, problem.fields) == ("identifiers", ())


def test_invalid_value_has_the_problem_of_the_mapping() -> None:
    order = parse_order("shopify", mexican({"phone": "1"}, {"sku": None}))
    assert mapping_problems(correct(order, {"phone": "55123", "lines[11].sku": "X"}), "rayo") == [
        "Shipping address > phone has 5 digits; 10 are needed."
    ]


def test_billing_address_that_equals_the_shipping_address_is_corrected_with_it() -> None:
    order = correct(parse_order("woocommerce", argentine()), {"ship_to.number": "77"})
    body = build_body(order, "centelar").body
    assert [body[name]["number"] for name in ("shipping_address", "billing_address")] == ["77", "77"]


def test_other_billing_address_stays() -> None:
    payload = argentine()
    payload["billing"] = payload["billing"] | {"address_1": "Lavalle 5"}
    body = build_body(correct(parse_order("woocommerce", payload), {"ship_to.number": "77"}), "centelar").body
    assert [body[name]["number"] for name in ("shipping_address", "billing_address")] == ["77", "5"]


def test_product_that_left_the_order_is_no_longer_corrected() -> None:
    order = parse_order("shopify", mexican())
    assert correct(order, {"lines[12].sku": "OTRO", "payments[otro].gateway": "promissory"}) == order


def test_problem_keeps_its_fields_in_storage() -> None:
    problems = problems_of(parse_order("shopify", mexican({"address1": "Paseo de los 12 40"}, {"sku": None})), "rayo")
    stored = load_problems(dump_problems(problems))
    assert [(problem.fields, problem.readings) for problem in stored] == [
        (problem.fields, problem.readings) for problem in problems
    ]


def test_explanation_names_who_entered_a_field() -> None:
    entered = [Correction(field="ship_to.district", value="Roma Sur", entered_by="ana")]
    payload = mexican({"address2": "Depto 4 \u2060"})
    explained = explain_mapping(build_store("shopify"), build_account("rayo"), payload, corrections=entered)
    sources = {origin.field: list(map(str, origin.sources)) for origin in explained.origins}
    assert sources["consumidor_destino.colonia"] == ["entered by ana"]
    assert sources["consumidor_destino.calle"] == ["shipping_address.address1"]


@pytest.mark.parametrize(
    ("field", "is_known", "label"),
    [
        ("ship_to.district", True, "Shipping address > neighbourhood"),
        ("customer.last_name", True, "Customer > last name"),
        ("lines[11].sku", True, "Products > SKU (11)"),
        ("payments[a].b].gateway", True, "Payments > type of payment (a].b)"),
        ("lines[11].gateway", False, "lines[11].gateway"),
        ("total", False, "total"),
    ],
)
def test_field_has_a_label(field: str, is_known: bool, label: str) -> None:
    assert (is_correctable(field), render_field(field)) == (is_known, label)


def test_values_are_cleaned_and_skus_stay_as_they_are() -> None:
    assert clean_value("ship_to.city", "  San \u200b Ángel ") == "San Ángel"
    assert clean_value("lines[1].sku", " A  1 ") == "A  1"
    assert clean_value("phone", " \u200b") is None


def test_orders_without_corrections_are_not_copied() -> None:
    order = STOREFRONTS["shopify"].parse_order(mexican(), build_store("shopify"))
    assert apply_corrections(order, ()) is order
    assert render_problems([]) == []
