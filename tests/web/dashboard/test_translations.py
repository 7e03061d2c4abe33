"""The Spanish catalogue is complete, and Spanish pages have no English text."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import connector
import mappings
from connector.operations import actions
from connector.operations.actions import advance_bulk_retries
from connector.web.dashboard import auth
from mappings import labels, problems
from mappings.addresses import ambiguity
from tests.support.orders import shopify_order, woo_order
from tests.support.scenarios import without_colonia
from tests.support.service import Service
from tests.support.visitor import Visitor

pytestmark = pytest.mark.sqlite

CATALOG = Path(auth.__file__).parent / "translations" / "es" / "LC_MESSAGES"
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy_gettext": None}
TEMPLATES = "web/dashboard/templates/**.html"
METHODS = [("**.py", "python"), (TEMPLATES, "jinja2")]
OPTIONS = {TEMPLATES: {"trim_blocks": "true", "lstrip_blocks": "true"}}
#: Topics, keys, paths and URLs.
DATA = re.compile(r"\S*\w[/.:=]\w\S*")
#: Words that English sentences have and Spanish ones do not.
ENGLISH_WORDS = re.compile(
    r"\b(the|is|are|was|were|be|been|has|have|of|it|its|this|that|to|by|with|without|from|not|and|or|for|at|an|"
    r"order|orders|delivery|store|account|attempt|failed|failures|unauthorized|status|row|rows|missing)\b"
)


def read_catalog() -> Catalog:
    return read_po(BytesIO((CATALOG / "messages.po").read_bytes()))


def extract_messages() -> set[Any]:
    directories = (Path(connector.__file__).parent, Path(mappings.__file__).parent)
    return {
        text
        for directory in directories
        for _, _, text, _, _ in extract_from_dir(directory, METHODS, OPTIONS, KEYWORDS)
        if text
    }


def test_every_text_has_a_spanish_translation() -> None:
    catalog = read_catalog()
    messages = [message for message in catalog if message.id]
    assert {message.id for message in messages} == extract_messages()
    assert [message.id for message in messages if message.fuzzy] == []
    assert [message.id for message in messages if not all(strings_of(message.string))] == []
    assert not catalog.obsolete


def test_translations_keep_their_placeholders() -> None:
    assert [(message.id, error) for message, error in read_catalog().check()] == []


def strings_of(string: Any) -> tuple[str, ...]:
    return (string,) if isinstance(string, str) else string


def test_the_catalog_is_compiled() -> None:
    compiled = BytesIO()
    write_mo(compiled, read_catalog())
    assert (CATALOG / "messages.mo").read_bytes() == compiled.getvalue()


def test_every_problem_and_label_is_translated() -> None:
    catalog = read_catalog()
    texts = {*problems.TEMPLATES.values(), *problems.CAUSE_TEMPLATES.values(), *labels.LABELS.values()}
    texts |= {*labels.WORDS.values(), labels.ORDER_LABEL, *labels.PATH_PHRASES, *labels.LINE_PHRASES}
    texts |= {*ambiguity.REASONS.values(), *ambiguity.READING_TEMPLATES}
    texts -= {problems.TEMPLATES["text"]}  # the words of a merchant's own class
    assert [text for text in texts if text not in catalog] == []


def test_rendered_problem_has_no_part_of_its_english_template() -> None:
    translations: dict[Any, Any] = {message.id: message.string for message in read_catalog()}
    for code in problems.TEMPLATES.keys() - {"text"}:
        problem = problems.Problem(code=code, path=("ship_to", "phone"))
        spanish = problems.render_cause(problem, lambda text: translations.get(text, text))
        template = problems.CAUSE_TEMPLATES.get(code, problems.TEMPLATES[code])
        parts = [part.strip() for part in re.split(r"%\(\w+\)s", template)]
        assert [part for part in parts if len(part.split()) > 1 and part in spanish] == [], spanish


class TextCollector(HTMLParser):
    """Collects the texts and labels of a page, without code and bodies."""

    ATTRIBUTES = ("aria-label", "placeholder", "data-label")

    def __init__(self, *skipped: str) -> None:
        super().__init__()
        self.skipped = {"script", "style", "pre", "code", *skipped}
        self.texts: list[str] = []
        self._skipped: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.skipped:
            self._skipped.append(tag)
        self.texts += [value for name, value in attrs if name in self.ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        if self._skipped and tag == self._skipped[-1]:
            self._skipped.pop()

    def handle_data(self, data: str) -> None:
        if not self._skipped and data.strip():
            self.texts.append(" ".join(data.split()))


def texts_of(html: str, *skipped: str) -> list[str]:
    collector = TextCollector(*skipped)
    collector.feed(html)
    return collector.texts


def untranslated_messages(catalog: Catalog) -> Iterator[re.Pattern[str]]:
    """Yield a pattern for each English text of several words. Single words may be data."""
    spanish = {text for message in catalog for text in strings_of(message.string)}
    for message in catalog:
        for text in strings_of(message.id):
            if " " in text and text not in spanish and not text.startswith("%"):
                parts = re.split(r"%\(\w+\)s", text)
                yield re.compile(".+".join(map(re.escape, parts)))


def live_through_everything(service: Service, ana: Visitor) -> list[str]:
    """Bring orders into every state, and return the pages that show them."""
    service.post_shopify(without_colonia(1))
    service.post_shopify(shopify_order(2), event_id="e-2")
    service.post_shopify(shopify_order(2), event_id="e-2")
    service.post_shopify(shopify_order(3, test=True), **{"X-Shopify-Test": "true"})
    service.post_shopify({"id": 4}, topic="products/create")
    service.post_woo(woo_order(5))
    service.drain()
    for number, fault in (
        (10, {"fault": "status", "status": 422}),
        (11, {"fault": "process_then_drop"}),
        (12, {"fault": "status", "status": 401}),
        (13, {"fault": "status", "status": 503}),
        (14, {"fault": "drop_unread"}),
    ):
        service.sandbox.inject_fault("rayo", **fault)
        service.post_shopify(shopify_order(number))
        service.deliver_due()
    service.post_shopify(
        shopify_order(2, cancelled_at="2026-11-20T12:00:00-06:00", updated_at="2026-11-20T12:00:00-06:00"),
        topic="orders/cancelled",
    )
    service.post_shopify(
        shopify_order(1, cancelled_at="2026-11-20T12:00:00-06:00", updated_at="2026-11-20T12:00:00-06:00"),
        topic="orders/cancelled",
    )
    service.drain()
    actions.pause_account(service.runtime, "erp", actor="ana", note="inventario")
    ana.post("/deliveries/retrigger", id=["1", "2", "3", "4", "5"], note="reintento")
    while advance_bulk_retries(service.runtime):
        pass
    deliveries = [f"/deliveries/{delivery['id']}" for delivery in service.deliveries()]
    events = [f"/events/{event['id']}" for event in service.api("/events").json["items"]]
    return [
        *("/", "/?day=2026-11-20", "/deliveries", "/deliveries?state=parked", "/events", "/events?status=ignored"),
        *("/accounts", "/audit", "/audit?kind=alert", "/settings", "/retriggers/1"),
        *deliveries,
        *(f"{path}/preview" for path in deliveries),
        *events,
    ]


def test_spanish_pages_have_no_english_text(service: Service, ana: Visitor) -> None:
    pages = live_through_everything(service, ana)
    english = list(untranslated_messages(read_catalog()))
    ana.language = "es-MX,es;q=0.9"
    english_texts: dict[str, str] = {}
    for page in pages:
        for text in texts_of(ana.get(page).text, *(["dl"] if page == "/settings" else [])):
            if any(pattern.fullmatch(text) for pattern in english) or ENGLISH_WORDS.search(DATA.sub("", text)):
                english_texts.setdefault(text, page)
    assert english_texts == {}
