"""THIRD_PARTY.md lists every file that others wrote, with the licence beside it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
VENDORED = ("connector/web/dashboard/static/vendor", "connector/web/static/docs")
#: Our own file among them.
OWN = {"connector/web/static/docs/show.js"}


def listed_paths() -> set[str]:
    return set(re.findall(r"`(connector/[^`]+)`", (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")))


def test_every_vendored_file_is_listed_and_nothing_else() -> None:
    files = {str(path.relative_to(ROOT)) for folder in VENDORED for path in (ROOT / folder).iterdir()}
    assert listed_paths() == files - OWN


def test_minified_files_are_vendored() -> None:
    minified = {str(path.relative_to(ROOT)) for path in (ROOT / "connector").rglob("*.min.*")}
    assert {path for path in minified if not path.startswith(VENDORED)} == set()


def test_versions_are_those_in_the_files_names() -> None:
    text = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `connector/")]
    for row in rows:
        for version in re.findall(r"-(\d+\.\d+\.\d+)\.min", row):
            assert f"| {version} |" in row
