"""Takes the pictures of `docs/images`: every page in both languages and both colour schemes. Run as a pytest file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site

HERE = Path(__file__).parents[2] / "docs" / "images"
LOCALES = {"en": "en-GB", "es": "es-MX"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", LOCALES)
def test_pictures_are_taken(site: Site, open_page: Callable[..., Page], language: str, scheme: str) -> None:
    HERE.mkdir(exist_ok=True)
    options = {"locale": LOCALES[language], "color_scheme": scheme, "viewport": {"width": 1200, "height": 800}}
    ids = {order: site.wait_for(order, "parked", "delivered")["id"] for order in ("#1001", "#1003", "#1005")}

    def take(page: Page, name: str, path: str) -> None:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=HERE / f"{name}-{language}-{scheme}.png", full_page=True)

    take(open_page(None, **options), "sign-in", "/login")
    page = open_page(**options)
    for name, path in {
        "overview": "/",
        "deliveries": "/deliveries",
        "stuck": f"/deliveries/{ids['#1001']}",
        "uncertain": f"/deliveries/{ids['#1003']}",
        "delivered": f"/deliveries/{ids['#1005']}",
        "preview": f"/deliveries/{ids['#1005']}/preview",
        "events": "/events",
        "event": "/events/1",
        "accounts": "/accounts",
        "audit": "/audit",
        "settings": "/settings",
    }.items():
        take(page, name, path)
    phone = open_page(**{**options, "viewport": {"width": 390, "height": 800}})
    take(phone, "phone-overview", "/")
    take(phone, "phone-stuck", f"/deliveries/{ids['#1001']}")
