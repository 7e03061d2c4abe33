"""The Spanish catalogue is complete, and Spanish pages have no English text."""

import re
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
from connector.web.dashboard import auth
from mappings import labels, problems
from mappings.addresses import ambiguity

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
