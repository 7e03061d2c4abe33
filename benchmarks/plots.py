"""Draws the plots of docs/performance.md from the stored results: `python -m benchmarks.plots` draws all of them."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import RESULTS, ROOT, console

PLOTS = ROOT / "docs" / "performance"
BLUE, GREY, RED = "#4c78a8", "#bab0ac", "#e45756"
#: The target of `benchmarks.map`.
MAX_MAP_MULTIPLE = 0.45
COLOURS = (BLUE, "#f58518", "#54a24b", "#eeca3b", "#b279a2", GREY)


def draw_accept(pyplot: Any, figures: Any) -> Any:
    measurements = [measurement for measurement in figures if measurement["case"]["baseline"] == "empty"][::-1]
    plot, axes = pyplot.subplots(figsize=(7.5, 0.4 * len(measurements) + 1))
    for y, measurement in enumerate(measurements):
        shares = [round_["connector"]["per_s"] / round_["baseline"]["per_s"] for round_ in measurement["rounds"]]
        axes.barh(y, measurement["share"], height=0.6, color=BLUE)
        axes.plot([min(shares), max(shares)], [y, y], color="black", linewidth=1)
        if target := measurement["case"]["share"]:
            axes.plot([target["value"]] * 2, [y - 0.4, y + 0.4], color=RED, linewidth=2)
        axes.text(0.01, y, f"{measurement['share']:.2f}", va="center", color="white")
    cases = [measurement["case"] for measurement in measurements]
    axes.set_yticks(range(len(cases)), [f"{case['name']} ({case['processes']})" for case in cases])
    axes.set_xlim(0, 1)
    axes.set_xlabel(
        "orders accepted per second, as a share of an empty Flask view (red: target; in brackets: processes)"
    )
    return plot


def draw_forward(pyplot: Any, figures: Any) -> Any:
    plot, (speeds, profile) = pyplot.subplots(2, figsize=(7.5, 6), height_ratios=[3, 1], layout="constrained")
    measurements = figures["cases"]
    for offset, name, label, colour in ((-0.2, "loop", "bare loop", GREY), (0.2, "connector", "connector", BLUE)):
        values = [median(run["orders"] / run["seconds"] for run in measurement[name]) for measurement in measurements]
        speeds.bar([x + offset for x in range(len(values))], values, width=0.4, label=label, color=colour)
    engine_suffixes = {"sqlite": "", "postgresql": " (PostgreSQL)"}
    labels = [
        f"{case['destination']}{engine_suffixes[case['engine']]}, {case['response_ms']:g} ms, "
        f"{case['in_flight']} in flight" + (f", {case['processes']} processes" if case["processes"] > 1 else "")
        for case in (measurement["case"] for measurement in measurements)
    ]
    speeds.set_xticks(range(len(labels)), labels, rotation=60, ha="right", fontsize=7)
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
    return plot


def draw_drain(pyplot: Any, figures: Any) -> Any:
    plot, axes = pyplot.subplots(figsize=(7.5, 0.35 * len(figures) + 1))
    for y, measurement in enumerate(figures):
        axes.barh(y, measurement["share_of_limit"], height=0.6, color=BLUE)
        axes.text(0.01, y, f"{measurement['share_of_limit']:.2f}", va="center", color="white")
    cases = [measurement["case"] for measurement in figures]
    axes.set_yticks(range(len(cases)), [f"{case['destination']}, {case['round_trip_ms']:g} ms" for case in cases])
    axes.invert_yaxis()
    axes.axvline(0.9, color=RED, linewidth=2)
    axes.set_xlabel("orders per second, as a share of orders in flight / round trip (red: target)")
    return plot


def draw_start(pyplot: Any, figures: Any) -> Any:
    engines = [name for name in figures if name != "map_s"]
    plot, axes = pyplot.subplots(figsize=(7.5, 0.5 * len(engines) * 3 + 1))
    y = 0
    for engine in engines:
        for memory_mb in figures[engine]["memory_mb"].values():
            left = 0.0
            for process, colour in zip(("web process", "worker", "supervisor", "gunicorn"), COLOURS, strict=False):
                axes.barh(y, memory_mb.get(process, 0), left=left, color=colour, label=process if y == 0 else None)
                left += memory_mb.get(process, 0)
            axes.text(left + 2, y, f"{left:.0f}", va="center")
            y += 1
    axes.set_yticks(range(y), [f"{state} ({engine})" for engine in engines for state in figures[engine]["memory_mb"]])
    axes.invert_yaxis()
    axes.set_xlabel("MB of memory (PSS)")
    axes.legend(ncols=4, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.2))
    return plot


def draw_whole(pyplot: Any, figures: Any) -> Any:
    plot, (speeds, ages) = pyplot.subplots(1, 2, figsize=(7.5, 0.35 * len(figures) + 1), sharey=True)
    names = list(figures)[::-1]
    for y, name in enumerate(names):
        colour = BLUE if name.startswith("connector") else GREY
        speeds.barh(y, median(run["burst"]["per_s"] for run in figures[name]), color=colour)
        for key, marker in (("p50_ms", "o"), ("p99_ms", "|")):
            ages.plot([median(run["steady"][key] for run in figures[name])], [y], marker, color=colour, markersize=9)
    speeds.set_yticks(range(len(names)), names)
    speeds.set_xlabel("orders per second, in a burst")
    ages.set_xlabel("ms from webhook to destination (● p50, | p99)")
    ages.set_xscale("log")
    return plot


def draw_growth(pyplot: Any, figures: Any) -> Any:
    plot, both_axes = pyplot.subplots(1, 2, figsize=(7.5, 3), sharey=True, layout="constrained")
    titles = {"accepted": "accepting an order", "sent": "sending it"}
    for axes, (key, title) in zip(both_axes, titles.items(), strict=True):
        for series, colour in zip(figures, COLOURS, strict=False):
            databases = [database for database in series if database["size"]["varied"] != "pruned"]
            costs_ms = [median(cost_ms(run) for run in database[key]) for database in databases]
            counts = [database["size"]["orders"] for database in databases]
            label = f"{series[0]['size']['varied']} orders grow"
            axes.plot(counts, [cost / costs_ms[0] for cost in costs_ms], "o-", color=colour, label=label)
        axes.axhline(1.2, color=RED, linewidth=1)
        axes.set_xscale("log")
        axes.set_ylim(0, 2)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("orders in the database")
    both_axes[0].set_ylabel("processor time, to the smallest")
    both_axes[0].legend(frameon=False)
    return plot


def draw_map(pyplot: Any, figures: Any) -> Any:
    pairs = list(dict.fromkeys(f"{figure['storefront']} to {figure['destination']}" for figure in figures))
    sizes = sorted({figure["lines"] for figure in figures})
    plot, axes = pyplot.subplots(figsize=(7.5, 0.5 * len(pairs) + 1))
    height = 0.8 / len(sizes)
    for index, (lines, colour) in enumerate(zip(sizes, COLOURS, strict=False)):
        multiples = [figure["multiple"] for figure in figures if figure["lines"] == lines]
        label = f"{lines} line{'s' if lines > 1 else ''}"
        axes.barh([y + index * height for y in range(len(pairs))], multiples, height, color=colour, label=label)
    axes.set_yticks([y + 0.4 - height / 2 for y in range(len(pairs))], pairs)
    axes.invert_yaxis()
    axes.axvline(MAX_MAP_MULTIPLE, color=RED, linewidth=2)
    axes.set_xlabel("processor time of mapping an order, as a multiple of a naive load and dump (red: target)")
    axes.legend(frameon=False)
    return plot


def cost_ms(run: Any) -> float:
    return float(run["cpu_ms"] if "cpu_ms" in run else run["cpu_s"] / run["orders"] * 1000)


DRAWINGS: dict[str, Callable[[Any, Any], Any]] = {
    "accept": draw_accept,
    "forward": draw_forward,
    "drain": draw_drain,
    "start": draw_start,
    "whole": draw_whole,
    "growth": draw_growth,
    "map": draw_map,
}


def draw(name: str) -> None:
    """Draw the stored result of benchmark `name` as SVG, if matplotlib is installed."""
    try:
        import matplotlib as mpl  # type: ignore[import-not-found]

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        console.print("[dim]Drew no plot: matplotlib is missing (pip install -r benchmarks/requirements.txt).[/]")
        return
    plain = {"axes.spines.top": False, "axes.spines.right": False}
    mpl.rcParams.update({"svg.hashsalt": "connector", "font.size": 9, **plain})
    figures = json.loads((RESULTS / f"{name}.json").read_bytes())["figures"]
    PLOTS.mkdir(parents=True, exist_ok=True)
    plot = DRAWINGS[name](pyplot, figures)
    file: Path = PLOTS / f"{name}.svg"
    plot.savefig(file, metadata={"Date": None}, bbox_inches="tight", dpi=120)
    console.print(f"[dim]Drew {file.relative_to(ROOT)}.[/]")
    pyplot.close(plot)


if __name__ == "__main__":
    for drawing in DRAWINGS:
        if (RESULTS / f"{drawing}.json").exists():
            draw(drawing)
