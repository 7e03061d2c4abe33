"""The Spanish catalogue is complete, and Spanish pages have no English text."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from sqlalchemy import insert, update
from sqlmodel import col, select

import connector
import mappings
from connector.core import messages
from connector.database.models import Attempt, Circuit, Event, KnownStore, StoreReading, StoreToken, StoreWebhooks
from connector.database.orders import add_alert
from connector.operations import actions
from connector.web.dashboard import auth
from mappings import DESTINATIONS, labels, problems, webhook_api
from mappings.addresses import ambiguity
from tests.support.api_access import PUBLIC_URL, give_api_access
from tests.support.destination_rows import ACCOUNTS, CENTELAR_ACCOUNT, STATES, place_delivery
from tests.support.jobs import process_jobs
from tests.support.orders import shopify_order, woo_order
from tests.support.rows import execute_statements, update_row
from tests.support.scenarios import without_colonia
from tests.support.service import Service
from tests.support.visitor import ANA, PASSWORD, Visitor, visit

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


def spanish_text(text: str) -> str:
    return next((str(message.string) for message in read_catalog() if message.id == text), text)


def test_every_text_has_a_spanish_translation() -> None:
    catalog = read_catalog()
    entries = [message for message in catalog if message.id]
    assert {message.id for message in entries} == extract_messages()
    assert [message.id for message in entries if message.fuzzy] == []
    assert [message.id for message in entries if not all(strings_of(message.string))] == []
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


def is_english(text: str, untranslated: Sequence[re.Pattern[str]]) -> bool:
    return any(pattern.fullmatch(text) for pattern in untranslated) or bool(ENGLISH_WORDS.search(DATA.sub("", text)))


def find_english(visitor: Visitor, pages: Iterable[str]) -> dict[str, str]:
    """Return the English texts on the Spanish pages, each with a page that shows it."""
    untranslated = list(untranslated_messages(read_catalog()))
    visitor.language = "es-MX,es;q=0.9"
    english_texts: dict[str, str] = {}
    for page in pages:
        for text in texts_of(visitor.get(page).text, *(["dl"] if page == "/settings" else [])):
            if is_english(text, untranslated):
                english_texts.setdefault(text, page)
    return english_texts


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
    ana.post("/jobs", choice="selected", id=["1", "2", "3", "4", "5"], note="reintento")
    process_jobs(service)
    ana.post("/jobs", action="discard", state="parked", note="duplicados")
    ana.post("/jobs/2/stop")
    deliveries = [f"/deliveries/{delivery['id']}" for delivery in service.deliveries()]
    events = [f"/events/{event['id']}" for event in service.api("/events").json["items"]]
    return [
        *("/", "/?day=2026-11-20", "/deliveries", "/deliveries?state=parked", "/events", "/events?status=ignored"),
        *("/accounts", "/audit", "/audit?action=alert", "/settings", "/jobs", "/jobs/1", "/jobs/2"),
        *("/jobs/new", "/jobs/new?state=waiting", "/jobs/new/mapping", "/deliveries?job=1", "/audit?action=start-job"),
        *("/stores", "/stores/tienda-mx", "/stores/tienda-ar", "/audit?action=catch-up", "/events?source=catch-up"),
        *deliveries,
        *(f"{path}/preview" for path in deliveries),
        *events,
    ]


def test_spanish_pages_have_no_english_text(service: Service, ana: Visitor) -> None:
    pages = live_through_everything(service, ana)
    assert find_english(ana, pages) == {}


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize(("state", "reason"), STATES)
def test_spanish_advice_has_no_english_text(
    open_service: Callable[..., Service], destination: str, state: str, reason: str | None
) -> None:
    service = open_service(more=CENTELAR_ACCOUNT)
    place_delivery(service, destination, state, reason)
    for account in ACCOUNTS.values():
        actions.pause_account(service.runtime, account, actor="ana")
    circuit = {"opened_at": service.clock(), "reason": messages.build_message("credentials_rejected").to_json()}
    execute_statements(service, update(Circuit).values(**circuit, paused_at=None))
    ana = visit(service, ANA)
    ana.language = "es-MX,es;q=0.9"
    ana.sign_in(PASSWORD, "ana")
    assert find_english(ana, ["/deliveries/1"]) == {}


@pytest.mark.parametrize("public_url", [PUBLIC_URL, None])
def test_spanish_store_pages_have_no_english_text(service: Service, public_url: str | None) -> None:
    give_api_access(service, "tienda-mx", "tienda-ar", public_url=public_url)
    ana = visit(service, ANA)
    ana.language = "es-MX,es;q=0.9"
    ana.sign_in(PASSWORD, "ana")
    now, problem = service.clock(), build_example("connect_failed").to_json()
    reading = {"read_until": now, "orders_read": 0, "orders_missing": 0, "started_at": now, "requested_at": now}
    failed = {"failures": 2, "failed_since": now, "error": problem}
    running: dict[str, Any] = {"failures": 0, "failed_since": None, "error": None}
    problems_of_apis = [build_example(code).to_json() for code in API_CODES]
    webhooks = {"requested_at": now, "checked_at": now, "problems": problems_of_apis, "error": problem}
    service.post_woo(woo_order(1))
    execute_statements(
        service,
        update(Event).values(source="catch-up", source_updated_at=now - timedelta(minutes=10)),
        update(KnownStore).values(first_run_at=now - timedelta(hours=1)),
        insert(StoreReading).values([{"store": "tienda-mx", **reading, **failed}]),
        insert(StoreReading).values([{"store": "tienda-ar", **reading, **running}]),
        insert(StoreWebhooks).values(store="tienda-mx", **webhooks),
        insert(StoreToken).values(store="tienda-mx", token="sealed", obtained_at=now),
        insert(StoreToken).values(store="tienda-ar", token="sealed", obtained_at=now, expires_at=now),
    )
    assert ana.post("/stores/tienda-mx/catch-up").status_code == 302
    assert ana.post("/stores/tienda-mx/webhooks/sync").status_code == (302 if public_url else 409)
    pages = ["/", "/stores/tienda-mx", "/stores/tienda-ar", "/stores", "/audit"]
    assert find_english(ana, pages) == {}


#: The codes of messages that rows hold and pages show.
ERROR_CODES = list(messages.ATTEMPT_ERRORS)
ALERT_CODES = list(messages.ALERTS)
CIRCUIT_CODES = list(messages.CIRCUIT_REASONS)
API_CODES = [*messages.LISTING_ERRORS, *messages.WEBHOOK_ERRORS, *webhook_api.PROBLEM_CODES.values()]
IGNORE_CODES = [
    *messages.IGNORE_REASONS,
    *("topic_without_order", "topic_without_whole_order", "order_not_named", "not_an_order"),
    *(
        "test_notification",
        "customer_erased_at_store",
        "woocommerce_error",
        "woocommerce_cannot_view",
        "draft_order",
        "cancelled_order",
    ),
]


def build_example(code: str) -> problems.Problem:
    """Return a message with params of every name."""
    error = messages.build_message("connect_failed", exception="ConnectError")
    return messages.build_message(
        code, error=error, exception="ReadTimeout", status=502, attempt=1, outcome="not_processed", remote_id="R-1"
    )


def store_every_message(service: Service) -> list[str]:
    """Store every message in its row, and return the pages that show them."""
    service.post_shopify(shopify_order(1))
    service.post_woo(woo_order(2))
    service.drain()
    for code in IGNORE_CODES:
        service.post_shopify(shopify_order(9, note=code), topic="products/create")
    with service.database.read() as session:
        ignored_ids = session.exec(select(Event.id).where(Event.status == "ignored").order_by(col(Event.id))).all()
    now = service.clock()
    attempt = {"delivery_id": 1, "started_at": now, "is_manual": False, "outcome": "not_processed"}
    errors = [
        attempt | {"number": number, "error": build_example(code).to_json()}
        for number, code in enumerate(ERROR_CODES, start=2)
    ]
    open_circuits = [
        update(Circuit)
        .where(col(Circuit.account) == account)
        .values(opened_at=now, reason=build_example(code).to_json())
        for account, code in zip(("bodega", "erp"), CIRCUIT_CODES, strict=True)
    ]
    execute_statements(
        service,
        insert(Attempt).values(errors),
        *open_circuits,
        *(
            update_row(Event, event_id, reason=build_example(code).to_json())
            for event_id, code in zip(ignored_ids, IGNORE_CODES, strict=True)
        ),
    )
    for code in ALERT_CODES:
        service.database.transact(partial(add_alert, delivery_id=1, message=build_example(code)))
    return ["/deliveries/1", "/accounts", "/audit", "/events", *(f"/events/{id_}" for id_ in ignored_ids)]


def test_stored_messages_are_shown_in_spanish(service: Service, ana: Visitor) -> None:
    pages = store_every_message(service)
    assert find_english(ana, pages) == {}
    shown = html.unescape(" ".join(ana.get(page).text for page in pages))
    codes = [*ERROR_CODES, *ALERT_CODES, *CIRCUIT_CODES, *IGNORE_CODES]
    spanish = {code: problems.render_problem(build_example(code), spanish_text) for code in codes}
    assert {code: text for code, text in spanish.items() if text not in shown} == {}


@pytest.mark.parametrize("code", [*ERROR_CODES, *ALERT_CODES, *CIRCUIT_CODES, *IGNORE_CODES])
def test_message_without_a_spanish_template_would_be_noticed(code: str) -> None:
    assert is_english(problems.render_problem(build_example(code)), list(untranslated_messages(read_catalog())))
