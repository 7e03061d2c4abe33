"""The page on which an operator replaces the key of an account."""

import re
from collections.abc import Callable

import pytest

from connector.settings.setup import generate_token_key
from tests.support.orders import woo_order
from tests.support.service import CONFIGURATION, Service
from tests.support.visitor import ANA, PASSWORD, VERA, Visitor, text_of, visit

pytestmark = pytest.mark.sqlite

PAGE = "/accounts/erp/credentials"
NEW = "clave-nueva-de-lapyme"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "TOKEN_KEYS": generate_token_key()}


def sign_in(service: Service, name: str = "ana", language: str = "en") -> Visitor:
    visitor = visit(service, ANA, VERA)
    visitor.language = language
    visitor.sign_in(PASSWORD, name)
    return visitor


def replace(visitor: Visitor, value: str = NEW, **more: str) -> str:
    """Send the form, follow the redirect, and return the page's text."""
    response = visitor.post(PAGE, **{"credential:api_key": value}, **more)
    assert response.status_code in (302, 400, 409)
    page = visitor.get(response.location) if response.status_code == 302 else response
    assert value not in page.text
    return " ".join(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2]).split())


def test_banner_leads_to_the_form_that_mends_it(service: Service) -> None:
    service.sandbox.inject_fault("lapyme", "reject_key", match="lapyme-key", times=None)
    for number in (1, 2, 3):
        service.post_woo(woo_order(number))
    service.drain()
    ana = sign_in(service, language="es-AR")
    banner = ana.get("/").text.partition('class="banner"')[2].partition("</section>")[0]
    assert f'href="{PAGE}">Reemplazar la clave' in banner
    assert f'href="{PAGE}"' in ana.get("/deliveries/1").text
    page = text_of(ana.get(PAGE))
    assert "La cuenta" in page or "credenciales" in page
    assert "Esperan" in page or "esperan" in page
    text = replace(ana, note="vencida")
    assert "La clave nueva se guardó, y lapyme la acepta. 3 pedidos se envían ahora." in text
    assert "la que ingresó ana" in text
    worker = service.worker()
    worker.reload_settings()
    for claimed in worker.claim_due():
        worker.process(claimed)
    assert {delivery["state"] for delivery in service.deliveries()} == {"delivered"}


def test_entered_key_is_withdrawn(service: Service) -> None:
    ana = sign_in(service)
    replace(ana)
    assert "the one that ana entered" in text_of(ana.get(PAGE))
    ana.post(f"{PAGE}/withdraw")
    page = text_of(ana.get(PAGE))
    assert "the one of the configuration" in page
    assert "Use the key of the configuration again" not in page


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "Enter the new key."),
        ("contraseña", "has characters that no key has"),
        ("x" * 5_000, "The key is too long."),
        ("clave-mala", "lapyme rejects this key (HTTP 401). It was not saved."),
    ],
)
def test_key_that_is_refused_is_not_shown_again(service: Service, value: str, shown: str) -> None:
    service.sandbox.inject_fault("lapyme", "reject_key", match="clave-mala", times=None)
    ana = sign_in(service)
    response = ana.post(PAGE, **{"credential:api_key": value})
    assert response.status_code == 400
    assert shown in response.text
    assert not value or value not in response.text
    assert "the one of the configuration" in text_of(ana.get(PAGE))


def test_untested_key_is_kept_after_a_second_look(open_service: Callable[..., Service]) -> None:
    text = CONFIGURATION.replace('base_url = "{lapyme}"', 'base_url = "http://127.0.0.1:9"')
    ana = sign_in(open_service(text=text))
    assert "Save it without a test" not in ana.get(PAGE).text
    assert "could not be tested: the destination cannot be reached" in replace(ana)
    assert "saved without a test" in replace(ana, keep_untested="on")


def test_viewer_sees_which_key_is_used_and_replaces_none(service: Service) -> None:
    vera = sign_in(service, "vera")
    page = vera.get(PAGE)
    assert "the one of the configuration" in text_of(page)
    assert "credential:api_key" not in page.text
    assert vera.post(PAGE, **{"credential:api_key": NEW}).status_code == 403
    assert vera.post(f"{PAGE}/withdraw").status_code == 403


def test_without_token_keys_one_sentence_says_what_to_set(
    open_service: Callable[..., Service], environ: dict[str, str]
) -> None:
    del environ["TOKEN_KEYS"]
    ana = sign_in(open_service())
    page = ana.get(PAGE)
    assert "set TOKEN_KEYS to what “connector token --key” prints" in text_of(page)
    assert "credential:api_key" not in page.text
    assert ana.post(PAGE, **{"credential:api_key": NEW}).status_code == 409


def test_page_of_an_unknown_account_is_not_found(service: Service) -> None:
    ana = sign_in(service)
    assert ana.get("/accounts/otra/credentials").status_code == 404
    assert ana.post("/accounts/otra/credentials", **{"credential:api_key": NEW}).status_code == 404
