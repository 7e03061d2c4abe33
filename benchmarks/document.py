"""Puts the tables of the stored results into docs/performance.md: `python -m benchmarks.document`."""

import json
import re
from typing import Any

from benchmarks.report import RESULTS, ROOT, console

PAGE = ROOT / "docs" / "performance.md"
#: The part between these two comments is generated; the rest of the page is written by hand.
GENERATED_PART = re.compile(
    r"(?P<begin><!-- made from (?P<name>\w+)\.json -->\n)(?P<content>.*?)(?P<end><!-- end -->)", re.DOTALL
)


def fill_page(page: str, results: dict[str, Any]) -> str:
    """Return the page with the tables of `results`, which are keyed by name. Parts without a result do not change."""

    def fill(part: re.Match[str]) -> str:
        result = results.get(part["name"])
        return part[0] if result is None else part["begin"] + render(result) + part["end"]

    return GENERATED_PART.sub(fill, page)


def render(result: dict[str, Any]) -> str:
    machine, settings = result["machine"], result["settings"]
    tables = [render_table(table) for table in result["tables"]]
    settings_text = ", ".join(f"{name} {value}" for name, value in settings.items())
    date = machine["at"].partition("T")[0]
    source = (
        f"Measured {date} at {machine['commit']}: {machine['cores']} cores, Python {machine['python']}; "
        f"{settings_text}."
    )
    return "\n".join(["", *tables, source, "", ""])


def render_table(table: dict[str, Any]) -> str:
    alignment = [":--", *["--:"] * (len(table["columns"]) - 1)]
    lines = [table["columns"], alignment, *table["rows"]]
    return "\n".join([f"**{table['title']}**", "", *(f"| {' | '.join(line)} |" for line in lines), ""])


if __name__ == "__main__":
    stored = {file.stem: json.loads(file.read_bytes()) for file in RESULTS.glob("*.json")}
    PAGE.write_text(fill_page(PAGE.read_text(), {name: result for name, result in stored.items() if result["tables"]}))
    console.print(f"[dim]Updated {PAGE.relative_to(ROOT)} from {', '.join(sorted(stored))}.[/]")
