"""Takes the screenshots in `docs/images`. Run as a pytest file."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.support.orders import woo_order

HERE = Path(__file__).parents[2] / "docs" / "images"
LOCALES = {"en": "en-GB", "es": "es-MX"}
TIMEZONE = "America/Mexico_City"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 800}


@pytest.fixture(scope="module", autouse=True)
def account_with_rejected_credentials(site: Site) -> None:
    """Let LaPyme reject the credentials, so that the overview has something that is down."""
    site.sandbox.inject_fault("lapyme", "status", status=401, times=50)
    for number in (731, 732, 733):
        site.post_woo(woo_order(number))
    give_up_at = time.monotonic() + 30
    while site.service.get("/api/accounts")["items"][1]["state"] != "circuit open":
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "language", "scheme"),
    [
        ("overview", "en", "light"),
        ("overview", "en", "dark"),
        ("store", "es", "light"),
        ("deliveries", "en", "light"),
        ("stuck", "en", "light"),
        ("stuck", "es", "light"),
        ("preview", "en", "light"),
        ("phone-stuck", "es", "light"),
    ],
)
def test_pictures_are_taken(site: Site, open_page: Callable[..., Page], name: str, language: str, scheme: str) -> None:
    HERE.mkdir(exist_ok=True)
    ids = {order: site.wait_for(order, "parked", "delivered")["id"] for order in ("#1001", "#1005")}
    paths = {
        "overview": "/",
        "deliveries": "/deliveries",
        "store": "/stores/tienda-ar",
        "stuck": f"/deliveries/{ids['#1001']}",
        "preview": f"/deliveries/{ids['#1005']}/preview",
    }
    viewport = PHONE if name.startswith("phone-") else DESKTOP
    page = open_page(locale=LOCALES[language], color_scheme=scheme, viewport=viewport, timezone_id=TIMEZONE)
    page.goto(paths[name.removeprefix("phone-")])
    page.wait_for_load_state("networkidle")
    # As high as the page: a bar that stays in view would lie across it.
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": viewport["width"], "height": height})
    page.screenshot(path=HERE / f"{name}-{language}-{scheme}.png", full_page=True)
