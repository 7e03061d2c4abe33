"""The documents: that they name what there is, and show what works. Prose they cannot judge."""

import re
from pathlib import Path

import pytest

from connector.cli import cli
from connector.settings import load_settings
from connector.settings.environment import EnvironmentSchema
from mappings import DESTINATIONS, STOREFRONTS
from mappings.settings import AccountSchema, StoreSchema

ROOT = Path(__file__).parent.parent
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
}
README = DOCUMENTS["README.md"]


def section(title: str, document: str = README) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = title.split(" ", maxsplit=1)[0]
    _, _, after = document.partition(f"\n{title}\n")
    return re.split(rf"\n#{{1,{len(level)}}} ", after)[0]


def spokes_in(name: str) -> dict[str, str]:
    """What a document says under each heading that is a storefront or a destination, by the spoke's own name."""
    titles = re.findall(r"^## (.+)", DOCUMENTS[name], re.MULTILINE)
    return {
        title.lower(): section(f"## {title}", DOCUMENTS[name])
        for title in titles
        if title.lower() in STOREFRONTS.keys() | DESTINATIONS.keys()
    }


def words(text: str) -> set[str]:
    """What stands in code's letters and may be a setting's name."""
    return set(re.findall(r"`([a-z_]+)\b", text))


def test_readme_names_every_command_and_no_other() -> None:
    named = re.findall(r"^\| `([a-z]+)[` ]", section("## Commands"), re.MULTILINE)
    assert sorted(named) == sorted(cli.commands)


def test_readme_names_every_variable_of_the_environment_and_no_other() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \|", section("## Configure it"), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"[A-Z_]+", row)]
    known = [field.data_key for field in EnvironmentSchema().fields.values()]
    assert sorted(named) == sorted([*known, "CONNECTOR_CONFIG"])


def test_configuration_in_readme_has_no_fault(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "connector.toml"
    path.write_text(example, encoding="utf-8")
    names = re.findall(r"\$\{(\w+)\}", example)
    variables = dict.fromkeys(names, "6f1c8a52-0d4e-4b7e-9a53-3f6f2d6f1a01")
    settings = load_settings(path, variables)
    assert (sorted(settings.stores), sorted(settings.accounts)) == (["tienda-ar", "tienda-mx"], ["bodega", "erp"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_of_a_document_lead_to_files_and_headings_that_exist(name: str) -> None:
    for path, heading in re.findall(r"\]\(([^)#:]*)(?:#([\w-]+))?\)", DOCUMENTS[name]):
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), f"{name} links to {path}"
        if heading:
            titles = re.findall(r"^#+ (.+)", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {title.lower().replace(" ", "-") for title in titles}, f"{name} links to {path}#{heading}"


@pytest.mark.parametrize(("name", "text"), spokes_in("docs/destinations.md").items())
def test_reading_of_a_destinations_page_names_all_its_settings_and_no_other(name: str, text: str) -> None:
    rows = re.findall(r"^\| [A-Z]\d+ \|.*\| (.+) \|$", text, re.MULTILINE)
    own = DESTINATIONS[name].settings_schema_class().fields.keys()
    assert {word for row in rows for word in words(row)} <= own | StoreSchema().fields.keys()
    assert own - AccountSchema().fields.keys() <= words(text)


@pytest.mark.parametrize(("name", "text"), spokes_in("docs/storefronts.md").items())
def test_setting_up_of_a_storefront_names_all_its_settings(name: str, text: str) -> None:
    assert STOREFRONTS[name].settings_schema_class().fields.keys() - StoreSchema().fields.keys() <= words(text)
