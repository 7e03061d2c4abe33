"""Puts the tables of the results that were kept into docs/performance.md; `python -m benchmarks.document` does it."""

import json
import re
from typing import Any

from benchmarks.report import RESULTS, ROOT, console

PAGE = ROOT / "docs" / "performance.md"
#: Between these two comments stands what is made; all else on the page is written by hand.
PLACE = re.compile(r"(?P<begin><!-- made from (?P<name>\w+)\.json -->\n)(?P<made>.*?)(?P<end><!-- end -->)", re.DOTALL)


def fill_page(page: str, results: dict[str, Any]) -> str:
    """Return the page with the tables of `results`, by name, at their places. What has no result stays."""

    def fill(place: re.Match[str]) -> str:
        result = results.get(place["name"])
        return place[0] if result is None else place["begin"] + render(result) + place["end"]

    return PLACE.sub(fill, page)


def render(result: dict[str, Any]) -> str:
    machine, settings = result["machine"], result["settings"]
    parts = [render_table(table) for table in result["tables"]]
    chosen = ", ".join(f"{name} {value}" for name, value in settings.items())
    at = machine["at"].partition("T")[0]
    source = f"Measured {at} at {machine['commit']}: {machine['cores']} cores, Python {machine['python']}; {chosen}."
    return "\n".join(["", *parts, source, "", ""])


def render_table(table: dict[str, Any]) -> str:
    rules = [":--", *["--:"] * (len(table["columns"]) - 1)]
    lines = [table["columns"], rules, *table["rows"]]
    return "\n".join([f"**{table['title']}**", "", *(f"| {' | '.join(line)} |" for line in lines), ""])


if __name__ == "__main__":
    kept = {file.stem: json.loads(file.read_bytes()) for file in RESULTS.glob("*.json")}
    PAGE.write_text(fill_page(PAGE.read_text(), {name: of for name, of in kept.items() if of.get("tables")}))
    console.print(f"[dim]{PAGE.relative_to(ROOT)} has the tables of {', '.join(sorted(kept))}.[/]")
