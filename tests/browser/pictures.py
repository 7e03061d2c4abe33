"""Takes the screenshots in `docs/images`. Run as a pytest file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site

HERE = Path(__file__).parents[2] / "docs" / "images"
LOCALES = {"en": "en-GB", "es": "es-MX"}
DESKTOP, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 800}


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
    page = open_page(locale=LOCALES[language], color_scheme=scheme, viewport=viewport)
    page.goto(paths[name.removeprefix("phone-")])
    page.wait_for_load_state("networkidle")
    page.screenshot(path=HERE / f"{name}-{language}-{scheme}.png", full_page=True)
