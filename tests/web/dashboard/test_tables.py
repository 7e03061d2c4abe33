"""The dashboard's pages of lookup tables, and the form for a missing row on a delivery's page."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.operations import tables
from tests.support.orders import woo_order
from tests.support.service import CONFIGURATION, Service
from tests.support.visitor import ANA, PASSWORD, VERA, Visitor, text_of, visit

ID, OTHER_ID = "0b9f4f0e-6a3c-4f65-8f0e-2f7d1c9a5b11", "1c8e3d1f-5b2d-4e54-9e1f-3a6e2b8b4c22"
REQUIRED = 'required_tables = ["product_id_by_sku"]\n'
PRODUCTS = "/tables/erp/product_id_by_sku"
HUB = """
[accounts.hub]
destination = "centelar"
base_url = "http://127.0.0.1:9"
connection_id = 1

[[routes]]
"""
OpenService = Callable[..., Service]


def sign_in(service: Service, name: str = "ana", language: str = "en") -> Visitor:
    visitor = visit(service, ANA, VERA)
    visitor.language = language
    visitor.sign_in(PASSWORD, name)
    return visitor


@pytest.fixture
def stuck(open_service: OpenService) -> Service:
    """A service with two orders that lack a row for YERBA-1."""
    service = open_service(more=REQUIRED)
    for number in (1, 2):
        service.post_woo(woo_order(number))
    service.drain()
    return service


def test_row_is_entered_on_the_page_of_the_order_and_sends_all_that_wait(stuck: Service) -> None:
    ana = sign_in(stuck)
    page = ana.get("/deliveries/1").text
    assert re.search(r'<input name="key" value="YERBA-1"[^>]* readonly>', page)
    assert re.search(r'<input name="column:value" value=""', page)  # no guess
    assert "a row is missing in table product_id_by_sku" in page
    assert "connector table set" not in page  # the form does the same
    response = ana.post(
        f"{PRODUCTS}/set", key="YERBA-1", **{"column:value": ID, "note": "nuevo en el catálogo", "delivery": "1"}
    )
    assert response.headers["Location"] == "/deliveries/1"
    text = text_of(ana.get("/deliveries/1"))
    assert "Row “YERBA-1” is saved. 2 orders that wait for it are retried now." in text
    assert "Row “YERBA-1” exists now." in text
    stuck.drain()
    assert [delivery["state"] for delivery in stuck.deliveries()] == ["delivered", "delivered"]
    assert f"ana table row entered erp Row “YERBA-1” of `product_id_by_sku` is {ID}.: nuevo en el catálogo" in text_of(
        ana.get("/audit")
    )
    assert "row entered by ana" in ana.get("/deliveries/1/preview").text


@pytest.mark.sqlite
def test_refused_row_is_shown_again_with_what_was_typed(stuck: Service) -> None:
    ana = sign_in(stuck, language="es")
    response = ana.post(f"{PRODUCTS}/set", key="YERBA-1", **{"column:value": "x-1", "delivery": "1"})
    assert response.status_code == 400
    assert "La fila no es válida: debe ser un UUID como lo muestra LaPyme." in response.text
    assert re.search(r'<input name="column:value" value="x-1"', response.text)
    response = ana.post(f"{PRODUCTS}/set", key="OTRA", **{"column:value": "x-2"})
    assert response.status_code == 400
    assert re.search(r'<input name="column:value" value="x-2"', response.text)
    assert tables.load_table(stuck.runtime, "erp", "product_id_by_sku").rows == []


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("table", "value", "message"),
    [
        ("delivery_method_by_shipping", "paloma", "La fila no es válida: debe ser uno de: "),
        ("tax_rate_id_by_sku", "77", "da a “YERBA-1” una alícuota sin porcentaje en `tax_rates`."),
        ("tax_rate_id_by_sku", "mucho", "La fila no es válida: debe ser un número entero."),
    ],
)
def test_row_is_refused_in_spanish_with_its_values(service: Service, table: str, value: str, message: str) -> None:
    ana = sign_in(service, language="es")
    response = ana.post(f"/tables/erp/{table}/set", key="YERBA-1", **{"column:value": value})
    assert response.status_code == 400
    assert message in response.text


@pytest.mark.sqlite
def test_broken_file_is_named_in_spanish(open_service: OpenService, tmp_path: Path) -> None:
    file = tmp_path / "productos.csv"
    file.write_text(f"key,value\nTE,{ID}\n", "utf-8")
    service = open_service(more=f'product_id_by_sku = "{file}"')
    ana = sign_in(service, language="es")
    file.write_text(f"key,value\nTE,{ID}\nTE,{OTHER_ID}\n", "utf-8")
    text = text_of(ana.get("/tables"))
    assert f"accounts.erp.product_id_by_sku: {file}, línea 3: tiene la misma clave que la línea 2." in text


def test_table_shows_which_row_wins_and_who_entered_it(open_service: OpenService) -> None:
    service = open_service(more=f'product_id_by_sku = {{ "CAFE" = "{ID}", "TE" = "{ID}" }}')
    ana = sign_in(service)
    ana.post(f"{PRODUCTS}/set", key="TE", **{"column:value": OTHER_ID, "note": "moved"})
    text = text_of(ana.get(PRODUCTS))
    assert f"CAFE {ID} configuration" in text
    assert re.search(f"TE {OTHER_ID} row entered by ana .* moved in the configuration: {ID}", text)
    assert f"The configuration's row will apply again: {ID}" in text
    ana.post(f"{PRODUCTS}/remove", key="TE", note="wrong")
    text = text_of(ana.get(PRODUCTS))
    assert f"TE {ID} configuration" in text
    ana.post(f"{PRODUCTS}/remove", key="TE")
    assert "There is no such row any more." in text_of(ana.get(PRODUCTS))


@pytest.mark.sqlite
def test_inputs_are_typed_as_the_table_requires(open_service: OpenService) -> None:
    service = open_service(text=CONFIGURATION.replace("[[routes]]", HUB, 1))
    ana = sign_in(service)

    def form(path: str) -> str:
        page: str = ana.get(path).text
        return page.partition('class="row-form"')[2].partition("</form>")[0]

    options = re.findall(r'<option value="([^"]*)">', form("/tables/hub/payment_types"))
    assert options == ["", "mercadopago", "creditcard", "promissory"]
    assert re.findall(r'<option value="">|<option value="5">5 \(21\)', form("/tables/erp/tax_rate_id_by_sku")) == [
        '<option value="">',
        '<option value="5">5 (21)',
    ]
    assert re.findall(r"<option>(\w+)", form("/tables/erp/charges")) == ["tip", "fee", "rounding", "duties"]
    pickups = form("/tables/hub/pickups")
    assert re.search(r'name="column:id"[^>]* type="number"', pickups)
    assert 'name="column:name"' in pickups
    ana.post("/tables/hub/pickups/set", key="Centro", **{"column:id": "12"})
    assert "Centro id = 12 row entered by ana" in text_of(ana.get("/tables/hub/pickups"))


@pytest.mark.sqlite
def test_rows_are_searched_without_their_keys_in_the_address(open_service: OpenService) -> None:
    rows = ", ".join(f'"SKU-{number:03}" = "{ID}"' for number in range(60))
    service = open_service(more=f"product_id_by_sku = {{ {rows} }}")
    vera = sign_in(service, "vera")
    first, second = text_of(vera.get(PRODUCTS)), text_of(vera.get(f"{PRODUCTS}?page=2"))
    assert ("SKU-049" in first, "SKU-050" in first, "SKU-050" in second) == (True, False, True)
    found = text_of(vera.post(f"{PRODUCTS}/search", q="sku-05"))
    assert re.findall(r"SKU-\d+", found) == [f"SKU-{number:03}" for number in range(50, 60)]


@pytest.mark.sqlite
def test_tables_page_lists_what_orders_wait_for(stuck: Service) -> None:
    assert "erp · product IDs by SKU: YERBA-1 2 orders" in text_of(sign_in(stuck).get("/tables"))
    assert "erp · ID de producto por SKU: YERBA-1 2 pedidos" in text_of(sign_in(stuck, language="es").get("/tables"))


@pytest.mark.sqlite
def test_viewer_enters_and_removes_nothing(stuck: Service) -> None:
    vera = sign_in(stuck, "vera")
    for page in ("/tables", PRODUCTS, "/deliveries/1"):
        assert 'name="column:value"' not in vera.get(page).text
    assert vera.post(f"{PRODUCTS}/set", key="YERBA-1", **{"column:value": ID}).status_code == 403
    assert vera.post(f"{PRODUCTS}/remove", key="YERBA-1").status_code == 403
