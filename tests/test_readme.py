"""The README: that it names what there is, and shows what works. Prose it cannot judge."""

import re
from pathlib import Path

from connector.cli import cli
from connector.settings import load_settings
from connector.settings.environment import EnvironmentSchema

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = title.split(" ", maxsplit=1)[0]
    _, _, after = README.partition(f"\n{title}\n")
    return re.split(rf"\n#{{1,{len(level)}}} ", after)[0]


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


def test_links_in_documents_lead_to_files_that_exist() -> None:
    for document in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / document).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{document} links to {target}"
