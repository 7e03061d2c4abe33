"""Draws the plots of docs/performance.md from the results that were kept: `python -m benchmarks.plots` draws all."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import RESULTS, ROOT, console

PLOTS = ROOT / "docs" / "performance"
BLUE, GREY, RED = "#4c78a8", "#bab0ac", "#e45756"
COLOURS = (BLUE, "#f58518", "#54a24b", "#eeca3b", "#b279a2", GREY)


def draw_accept(pyplot: Any, figures: Any) -> Any:
    shown = [one for one in figures if one["case"]["against"] == "empty"][::-1]
    figure, axes = pyplot.subplots(figsize=(7.5, 0.4 * len(shown) + 1))
    for y, one in enumerate(shown):
        shares = [of["connector"]["per_s"] / of["other"]["per_s"] for of in one["rounds"]]
        axes.barh(y, one["share"], height=0.6, color=BLUE)
        axes.plot([min(shares), max(shares)], [y, y], color="black", linewidth=1)
        if target := one["case"]["share"]:
            axes.plot([target["value"]] * 2, [y - 0.4, y + 0.4], color=RED, linewidth=2)
        axes.text(0.01, y, f"{one['share']:.2f}", va="center", color="white")
    axes.set_yticks(range(len(shown)), [f"{one['case']['name']} ({one['case']['processes']})" for one in shown])
    axes.set_xlim(0, 1)
    axes.set_xlabel("orders taken per second, as a share of an empty Flask view (red: wanted; in brackets: processes)")
    return figure


def draw_forward(pyplot: Any, figures: Any) -> Any:
    figure, (speeds, profile) = pyplot.subplots(2, figsize=(7.5, 6), height_ratios=[3, 1], layout="constrained")
    cases = figures["cases"]
    for offset, name, label, colour in ((-0.2, "loop", "bare loop", GREY), (0.2, "connector", "connector", BLUE)):
        values = [median(run["orders"] / run["seconds"] for run in one[name]) for one in cases]
        speeds.bar([x + offset for x in range(len(cases))], values, width=0.4, label=label, color=colour)
    of_engine = {"sqlite": "", "postgresql": " (PostgreSQL)"}
    labels = [
        f"{case['destination']}{of_engine[case['engine']]}, {case['answer_ms']:g} ms, {case['in_flight']} in flight"
        + (f", {case['forwarders']} processes" if case["forwarders"] > 1 else "")
        for case in (one["case"] for one in cases)
    ]
    speeds.set_xticks(range(len(cases)), labels, rotation=60, ha="right", fontsize=7)
    speeds.set_ylabel("orders per second")
    speeds.legend(frameon=False)
    for y, shares in enumerate(figures["profile"].values()):
        left = 0.0
        for (part, share), colour in zip(shares.items(), COLOURS, strict=True):
            profile.barh(y, share, left=left, color=colour, label=part if y == 0 else None)
            left += share
    profile.set_yticks(range(len(figures["profile"])), list(figures["profile"]))
    profile.set_xlabel("where the interpreter's time goes")
    profile.legend(ncols=6, frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 1.4))
    return figure


def draw_start(pyplot: Any, figures: Any) -> Any:
    engines = [name for name in figures if name != "map_s"]
    figure, axes = pyplot.subplots(figsize=(7.5, 0.5 * len(engines) * 3 + 1))
    y = 0
    for engine in engines:
        for parts in figures[engine]["memory_mb"].values():
            left = 0.0
            for part, colour in zip(("web process", "forwarder", "supervisor", "gunicorn"), COLOURS, strict=False):
                axes.barh(y, parts.get(part, 0), left=left, color=colour, label=part if y == 0 else None)
                left += parts.get(part, 0)
            axes.text(left + 2, y, f"{left:.0f}", va="center")
            y += 1
    axes.set_yticks(range(y), [f"{when} ({engine})" for engine in engines for when in figures[engine]["memory_mb"]])
    axes.invert_yaxis()
    axes.set_xlabel("MB of memory (PSS)")
    axes.legend(ncols=4, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.2))
    return figure


def draw_whole(pyplot: Any, figures: Any) -> Any:
    figure, (speeds, ages) = pyplot.subplots(1, 2, figsize=(7.5, 0.35 * len(figures) + 1), sharey=True)
    names = list(figures)[::-1]
    for y, name in enumerate(names):
        colour = BLUE if name.startswith("connector") else GREY
        speeds.barh(y, median(run["burst"]["per_s"] for run in figures[name]), color=colour)
        for what, marker in (("p50_ms", "o"), ("p99_ms", "|")):
            ages.plot([median(run["steady"][what] for run in figures[name])], [y], marker, color=colour, markersize=9)
    speeds.set_yticks(range(len(names)), names)
    speeds.set_xlabel("orders per second, in a burst")
    ages.set_xlabel("ms from webhook to destination (● p50, | p99)")
    ages.set_xscale("log")
    return figure


def draw_growth(pyplot: Any, figures: Any) -> Any:
    figure, both = pyplot.subplots(1, 2, figsize=(7.5, 3), sharey=True, layout="constrained")
    for axes, what, title in zip(both, ("taken", "forwarded"), ("taking an order", "forwarding it"), strict=True):
        for series, colour in zip(figures, COLOURS, strict=False):
            costs = [median(cost_ms(run) for run in one[what]) for one in series if one["size"]["grows"] != "pruned"]
            counts = [one["size"]["orders"] for one in series if one["size"]["grows"] != "pruned"]
            label = f"{series[0]['size']['grows']} orders grow"
            axes.plot(counts, [cost / costs[0] for cost in costs], "o-", color=colour, label=label)
        axes.axhline(1.2, color=RED, linewidth=1)
        axes.set_xscale("log")
        axes.set_ylim(0, 2)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("orders in the database")
    both[0].set_ylabel("processor time, to the smallest")
    both[0].legend(frameon=False)
    return figure


def cost_ms(run: Any) -> float:
    return float(run["cpu_ms"] if "cpu_ms" in run else run["cpu_s"] / run["orders"] * 1000)


DRAWINGS: dict[str, Callable[[Any, Any], Any]] = {
    "accept": draw_accept,
    "forward": draw_forward,
    "start": draw_start,
    "whole": draw_whole,
    "growth": draw_growth,
}


def draw(name: str) -> None:
    """Draw what benchmark `name` kept, as SVG and PNG. Without matplotlib, only say so."""
    try:
        import matplotlib as mpl  # type: ignore[import-not-found]

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        console.print("[dim]No plot: pip install -r benchmarks/requirements.txt brings matplotlib.[/]")
        return
    plain = {"axes.spines.top": False, "axes.spines.right": False}
    mpl.rcParams.update({"svg.hashsalt": "connector", "font.size": 9, **plain})
    figures = json.loads((RESULTS / f"{name}.json").read_bytes())["figures"]
    PLOTS.mkdir(parents=True, exist_ok=True)
    figure = DRAWINGS[name](pyplot, figures)
    for kind, metadata in (("svg", {"Date": None}), ("png", {})):
        file: Path = PLOTS / f"{name}.{kind}"
        figure.savefig(file, metadata=metadata, bbox_inches="tight", dpi=120)
        console.print(f"[dim]{file.relative_to(ROOT)} is drawn.[/]")
    pyplot.close(figure)


if __name__ == "__main__":
    for drawn in DRAWINGS:
        if (RESULTS / f"{drawn}.json").exists():
            draw(drawn)
