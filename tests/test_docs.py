"""Checks the documents against the code: names, settings, links, examples. It cannot check prose."""

import dataclasses
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.cli import cli
from connector.database.models import Reason, State
from connector.settings import Retention, load_settings
from connector.settings.alerts import CHANNELS, KINDS, AlertSettingsSchema
from connector.settings.environment import EnvironmentSchema
from connector.settings.loader import ConfigurationSchema
from connector.settings.routes import RouteFilterSchema, RouteSchema
from connector.settings.users import UserSchema
from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination
from mappings.settings import AccountSchema, StoreSchema
from mappings.storefront import Storefront

ROOT = Path(__file__).parent.parent
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md")))
}
README, CLI, CONFIGURATION = (DOCUMENTS[name] for name in ("README.md", "docs/cli.md", "docs/configuration.md"))
MAX_README_LINES = 130
#: The one Spanish page whose bold words are its own.
SPANISH_HOME = "docs/es/README.md"


def section(title: str, document: str) -> str:
    """Return the text under a heading, up to the next one of its level or above."""
    level = title.split(" ", maxsplit=1)[0]
    _, _, after = document.partition(f"\n{title}\n")
    return re.split(rf"\n#{{1,{len(level)}}} ", after)[0]


def integrations_in(name: str) -> dict[str, str]:
    """The sections of a document whose heading is a storefront or a destination, by the integration's own name."""
    titles = re.findall(r"^## (.+)", DOCUMENTS[name], re.MULTILINE)
    return {
        title.lower(): section(f"## {title}", DOCUMENTS[name])
        for title in titles
        if title.lower() in STOREFRONTS.keys() | DESTINATIONS.keys()
    }


def words(text: str) -> set[str]:
    """What is formatted as code and may be a setting's name."""
    return set(re.findall(r"`([a-z_]+)\b", text))


def anchor(title: str) -> str:
    """Return the URL fragment of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= MAX_README_LINES


def test_command_reference_lists_exactly_the_commands() -> None:
    named = re.findall(r"^\| `([a-z-]+)[` ]", section("## Commands", CLI), re.MULTILINE)
    assert sorted(set(named)) == sorted(cli.commands)


def test_configuration_reference_lists_exactly_the_environment_variables() -> None:
    named = re.findall(r"^\| `([A-Z_]+)` \|", section("## Environment variables", CONFIGURATION), re.MULTILINE)
    variables = [field.data_key or name for name, field in EnvironmentSchema().fields.items()]
    assert sorted(named) == sorted([*variables, "CONNECTOR_CONFIG", "CONNECTOR_TOML"])


def test_configuration_reference_lists_every_setting() -> None:
    integrations: list[Storefront[Any] | Destination[Any]] = [*STOREFRONTS.values(), *DESTINATIONS.values()]
    schemas = [
        *(integration.settings_schema() for integration in integrations),
        *(schema() for schema in CHANNELS.values()),
        RouteSchema({}),
        RouteFilterSchema(),
        AlertSettingsSchema(),
        UserSchema(),
    ]
    settings = {field.data_key or name for schema in schemas for name, field in schema.fields.items()} - {"name"}
    assert settings - words(CONFIGURATION) == set()


#: What the configuration reference calls the type of a setting, by the class of its field.
FIELD_TYPES = {
    "ChargeTableField": "lookup table",
    "Days": "whole number",
    "Dict": "table",
    "DomainList": "text or list",
    "Float": "number",
    "HeaderValue": "text",
    "IdReference": "text",
    "Instant": "date and time",
    "Integer": "whole number",
    "KeyAndSecret": "text",
    "List": "list of texts",
    "LookupTableField": "lookup table",
    "Nested": "table",
    "Number": "text",
    "PasswordHash": "text",
    "PathList": "path",
    "SchemaClassField": "class",
    "ServiceUrl": "address",
    "String": "text",
    "Template": "template",
}
#: The reference's tables of settings: heading, schema, and a section that has the settings in common.
SETTING_TABLES = {
    "## Top-level settings": ConfigurationSchema(),
    "## Stores": StoreSchema(),
    "### Shopify": STOREFRONTS["shopify"].settings_schema(),
    "### Tiendanube": STOREFRONTS["tiendanube"].settings_schema(),
    "### WooCommerce": STOREFRONTS["woocommerce"].settings_schema(),
    "## Accounts": AccountSchema(),
    "### Rayo": DESTINATIONS["rayo"].settings_schema(),
    "### LaPyme": DESTINATIONS["lapyme"].settings_schema(),
    "### Centelar": DESTINATIONS["centelar"].settings_schema(),
    "## Routes": RouteSchema({}),
    "## Alerts": AlertSettingsSchema(),
    "## Users": UserSchema(),
}


def setting_rows(title: str) -> dict[str, tuple[str, str, str]]:
    """Return type, default and example of the settings in the section's own table."""
    text = re.split(r"\n###+ ", section(title, CONFIGURATION))[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|`]+) \| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)
    return {name: (kind, default, example) for name, kind, default, example in rows}


@pytest.mark.parametrize("title", SETTING_TABLES)
def test_configuration_reference_has_the_types_and_defaults_of_the_code(title: str) -> None:
    schema, rows = SETTING_TABLES[title], setting_rows(title)
    assert rows
    fields = {field.data_key or name: field for name, field in schema.fields.items()}
    assert {name: kind for name, (kind, _, _) in rows.items()} == {
        name: FIELD_TYPES[type(fields[name]).__name__] for name in rows
    }
    model = Retention if title == "## Top-level settings" else getattr(schema, "model", None)
    values = {field.name: field for field in dataclasses.fields(model)} if model else {}
    for name, (_, default, _) in rows.items():
        if not re.match(r'`["\d\[{]', default) or name not in values:
            continue
        value = tomllib.loads(f"value = {default.split('`')[1]}", parse_float=Decimal)["value"]
        field = values[name]
        expected = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if isinstance(expected, dict):
            expected = {str(key): item for key, item in expected.items()}
        assert value == expected, name


@pytest.mark.parametrize("title", sorted(SETTING_TABLES.keys() - {"## Routes"}))  # which refer to stores and accounts
def test_configuration_reference_has_valid_examples(title: str) -> None:
    fields = {field.data_key or name: field for name, field in SETTING_TABLES[title].fields.items()}
    for name, (kind, _, example) in setting_rows(title).items():
        value = tomllib.loads(f"value = {example.strip('`')}")["value"]
        if kind == "lookup table" and isinstance(value, str):
            continue  # the name of a file
        if kind == "class" or "${" in example:
            continue
        fields[name].deserialize(value)


@pytest.mark.parametrize(
    ("name", "stores", "accounts"),
    [
        ("README.md", ["tienda-mx"], ["bodega"]),
        ("docs/configuration.md", ["tienda-ar", "tienda-mx"], ["bodega", "erp"]),
    ],
)
def test_documented_configuration_is_valid(name: str, stores: list[str], accounts: list[str], tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", DOCUMENTS[name], re.DOTALL)
    path = tmp_path / "connector.toml"
    path.write_text(example, encoding="utf-8")
    names = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example))
    variables = {name: f"6f1c8a52-0d4e-4b7e-9a53-3f6f2d6f1a{index:02}" for index, name in enumerate(names)}
    settings = load_settings(path, variables)
    assert (sorted(settings.stores), sorted(settings.accounts)) == (stores, accounts)


def test_example_environment_satisfies_the_example_configuration() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    variables = dict(line.split("=", maxsplit=1) for line in lines if line and not line.startswith("#"))
    assert load_settings(ROOT / "connector.example.toml", variables).environment.admin_token is None


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_links_resolve(name: str) -> None:
    for path, heading in re.findall(r"\]\(([^)#:]*)(?:#([\w-]+))?\)", DOCUMENTS[name]):
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), f"{name} links to {path}"
        if heading:
            titles = re.findall(r"^#+ (.+)", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {anchor(title) for title in titles}, f"{name} links to {path}#{heading}"


def test_index_lists_every_page() -> None:
    listed = set(re.findall(r"^- \[[^\]]+\]\(([^)]+)\)", DOCUMENTS["docs/README.md"], re.MULTILINE))
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= listed


def test_site_has_every_page() -> None:
    pages = {path for path in DOCUMENTS if Path(path).parent.name != "adr"} | {"docs/adr/README.md"}
    assert set(re.findall(r'= "([\w./-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8"))) >= pages


def test_site_has_every_file_that_a_page_links_to() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [paths] = re.findall(r"^SITE := (.*(?:(?<=\\)\n.*)*)", makefile, re.MULTILINE)
    copied = [path for pattern in paths.replace("\\", "").split() for path in ROOT.glob(pattern)]
    linked = {
        (ROOT / name).parent.joinpath(path).resolve()
        for name, text in DOCUMENTS.items()
        for path in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", text)
    }
    assert {path for path in linked if not any(path.is_relative_to(parent) for parent in copied)} == set()


def test_evidence_page_lists_exactly_the_files_with_guesses() -> None:
    files = [path for package in ("connector", "mappings") for path in (ROOT / package).rglob("*.py")]
    guesses = {str(path.relative_to(ROOT)) for path in files if "Unverified" in path.read_text(encoding="utf-8")}
    assert set(re.findall(r"`((?:connector|mappings)/[\w/]+\.py)`", DOCUMENTS["docs/evidence.md"])) == guesses


def test_troubleshooting_covers_every_kind_of_alert() -> None:
    text = section("## An alert came", DOCUMENTS["docs/troubleshooting.md"])
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(KINDS)


def test_spanish_pages_have_an_english_page_each() -> None:
    spanish = [name for name in DOCUMENTS if name.startswith("docs/es/")]
    assert spanish
    assert {name for name in spanish if name.replace("docs/es/", "docs/") not in DOCUMENTS} == set()


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.startswith("docs/es/") and name != SPANISH_HOME])
def test_spanish_pages_use_the_words_of_the_dashboard(name: str) -> None:
    catalog = (ROOT / "connector/web/dashboard/translations/es/LC_MESSAGES/messages.po").read_text(encoding="utf-8")
    texts = re.findall(r'^msgstr(?:\[\d\])? ((?:"[^\n]*"\n)+)', catalog, re.MULTILINE)
    translations = {"".join(re.findall(r'"(.*)"', text)) for text in texts}
    bold = {" ".join(word.split()) for word in re.findall(r"\*\*([^*]+)\*\*", DOCUMENTS[name])}
    assert bold - translations == set()


def test_monitoring_page_lists_exactly_the_kinds_of_alert() -> None:
    text = section("## Alerts", DOCUMENTS["docs/monitoring.md"])
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(KINDS)


def test_delivery_page_lists_exactly_the_states_and_reasons() -> None:
    text = section("## States", DOCUMENTS["docs/deliveries.md"])
    rows = re.findall(r"^\| `(\w+)`(?:: `([\w ]+)`)? \|", text, re.MULTILINE)
    assert {state for state, _ in rows} == set(State)
    assert {reason for _, reason in rows if reason} == set(Reason)


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if "quickstart/" in name and "README" not in name])
def test_quick_starts_name_the_webhooks_that_the_connector_creates(name: str) -> None:
    storefront = STOREFRONTS[Path(name).stem]
    assert storefront.webhook_api is not None
    topics = set(re.findall(r"`(orders?[/.]\w+)`", DOCUMENTS[name]))
    assert topics == set(storefront.webhook_api.needed_topics(["paid"]))


def test_every_picture_is_used() -> None:
    used = set(re.findall(r"images/([\w-]+\.png)", "".join(DOCUMENTS.values())))
    assert {path.name for path in (ROOT / "docs" / "images").iterdir()} == used


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_files_named_in_documents_exist(name: str) -> None:
    named = set(re.findall(r"`((?:connector|mappings|tests|docs)/[\w./-]+)`", DOCUMENTS[name]))
    assert named
    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize(("name", "text"), integrations_in("docs/destinations.md").items())
def test_destination_page_lists_exactly_its_settings(name: str, text: str) -> None:
    items = re.findall(r"^- \*\*[A-Z]\d+\. .*?\*Settings?(?: of a store)?:\*(.*?)(?=\n- |\n\n)", text, re.M | re.S)
    own = DESTINATIONS[name].settings_schema().fields.keys()
    assert items
    assert {word for item in items for word in words(item)} <= own | StoreSchema().fields.keys()
    assert own - AccountSchema().fields.keys() <= words(text)


@pytest.mark.parametrize(("name", "text"), integrations_in("docs/storefronts.md").items())
def test_storefront_page_lists_all_its_settings(name: str, text: str) -> None:
    assert STOREFRONTS[name].settings_schema().fields.keys() - StoreSchema().fields.keys() <= words(text)
