"""What mapping an order costs, as a multiple of the marshmallow that a team would write first. It sends nothing.

That yardstick declares a field for each key of the storefront's payload, makes its schemas anew for each order, loads
the payload, and dumps the destination's body. It computes nothing between the two, and judges nothing after.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from itertools import product
from time import process_time_ns
from typing import Any

import click
from marshmallow import EXCLUDE, Schema, fields

from benchmarks.plots import COLOURS, DRAWINGS, RED, draw
from benchmarks.report import ROOT, Target, console, describe_machine, median, print_table, show, write_result
from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination
from mappings.problems import MappingError
from mappings.settings import Account, Store
from mappings.storefront import Storefront

MULTIPLE = Target(value=0.45, at_most=True)
SAMPLES = ROOT / "tests" / "samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    storefront: str
    destination: str
    lines: int
    payload_bytes: int
    ours_us: list[float]  # per order, one for each round: read, write and judge, as a delivery does
    yardstick_us: list[float]

    @property
    def multiple(self) -> float:
        return median(ours / other for ours, other in zip(self.ours_us, self.yardstick_us, strict=True))


def measure(
    storefront: Storefront[Any], destination: Destination[Any], lines: int, *, rounds: int, seconds: float
) -> Timing:
    """Time both in turns, on an order with so many lines."""
    store, account = make_store(storefront), make_account(destination)
    payload = lengthen(storefront, store, pick_sample(storefront, store, destination, account), lines)
    body = destination.build_request(storefront.parse_order(payload, store), account, store).body
    read_schema, write_schema = declare(payload), declare(body)
    to_dump = write_schema().load(body)

    def map_order() -> None:
        destination.build_request(storefront.parse_order(payload, store), account, store)

    def load_and_dump() -> None:
        read_schema().load(payload)
        write_schema().dump(to_dump)

    ours_us, yardstick_us = time_in_turns(map_order, load_and_dump, rounds=rounds, seconds=seconds)
    return Timing(
        storefront=storefront.name,
        destination=destination.name,
        lines=lines,
        payload_bytes=len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()),
        ours_us=ours_us,
        yardstick_us=yardstick_us,
    )


def time_in_turns(*calls: Callable[[], None], rounds: int, seconds: float) -> list[list[float]]:
    """Return microseconds per call, for each of `calls` one per round.

    Processor time, and in turns: what else runs on the machine then weighs on all of them alike.
    """
    repeats = []
    for call in calls:
        call()  # what is made once is not timed
        repeats.append(max(1, round(seconds * 1e6 / time_us(call, 3))))
    timed: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for into, call, repeat in zip(timed, calls, repeats, strict=True):
            into.append(round(time_us(call, repeat), 1))
    return timed


def time_us(call: Callable[[], None], repeat: int) -> float:
    started_ns = process_time_ns()
    for _ in range(repeat):
        call()
    return (process_time_ns() - started_ns) / 1000 / repeat


# --- orders ---


def pick_sample(
    storefront: Storefront[Any], store: Store, destination: Destination[Any], account: Account
) -> dict[str, Any]:
    """Return the first sample of the storefront that the destination takes."""
    for path in sorted(SAMPLES.glob(f"{storefront.name}_*.json")):
        payload: dict[str, Any] = json.loads(path.read_text("utf-8"))
        try:
            destination.build_request(storefront.parse_order(payload, store), account, store)
        except MappingError:
            continue
        return payload
    raise LookupError(f"{destination.name} takes no sample of {storefront.name}.")


def lengthen(storefront: Storefront[Any], store: Store, sample: dict[str, Any], lines: int) -> dict[str, Any]:
    """Return the sample with so many lines like its first, each of another SKU, and the total that they then make."""
    wire_names = {field.attribute or name: field.data_key or name for name, field in storefront.schema.fields.items()}
    totals = [wire_names[path] for path in ("total", "current_total") if path in wire_names]

    def with_total(payload: dict[str, Any], total: Decimal) -> dict[str, Any]:
        return {**payload, **dict.fromkeys(totals, str(total))}

    def sum_up(payload: dict[str, Any]) -> Decimal:
        """A total that does not fit keeps discounts of the whole order off the lines."""
        return storefront.parse_order(with_total(payload, Decimal(0)), store).parts_total

    taken_off = sum_up(sample) - storefront.parse_order(sample, store).total
    key = wire_names["lines"]
    first = sample[key][0]
    longer = {
        **sample,
        key: [{**first, "id": first["id"] + number, "sku": f"{first['sku']}-{number}"} for number in range(lines)],
    }
    return with_total(longer, sum_up(longer) - taken_off)


def make_store(storefront: Storefront[Any]) -> Store:
    table = {"name": "tienda", "id": "tienda", "storefront": storefront.name, "secrets": ["secreto"]}
    store: Store = storefront.settings_schema().load({**table, **storefront.sample.settings})
    return store


def make_account(destination: Destination[Any]) -> Account:
    table = {"name": "cuenta", "id": "cuenta", "destination": destination.name}
    where = {"base_url": "https://destination.example"}
    account: Account = destination.settings_schema().load({**table, **where, **destination.sample.settings})
    return account


# --- the yardstick ---


class Declared(Schema):
    """A list's first item need not hold every key that the others do."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE


def declare(example: Mapping[str, Any]) -> type[Schema]:
    """Return the schema with a field for every key of `example`, of the type that its value has."""
    return Declared.from_dict({name: declare_field(value) for name, value in example.items()})


def declare_field(value: Any) -> fields.Field[Any]:
    match value:
        case bool():
            return fields.Boolean()
        case int():
            return fields.Integer()
        case float() | Decimal():
            return fields.Float()
        case str():
            return fields.DateTime() if is_moment(value) else fields.String()
        case dict() if value:
            return fields.Nested(declare(value))
        case [first, *_]:
            return fields.List(declare_field(first))
    return fields.Raw(allow_none=True)


def is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text


# --- what is shown ---


def draw_map(pyplot: Any, figures: Any) -> Any:
    pairs = list(dict.fromkeys(f"{one['storefront']} to {one['destination']}" for one in figures))
    sizes = sorted({one["lines"] for one in figures})
    figure, axes = pyplot.subplots(figsize=(7.5, 0.5 * len(pairs) + 1))
    height = 0.8 / len(sizes)
    for place, (lines, colour) in enumerate(zip(sizes, COLOURS, strict=False)):
        multiples = [one["multiple"] for one in figures if one["lines"] == lines]
        label = f"{lines} line{'s' if lines > 1 else ''}"
        axes.barh([y + place * height for y in range(len(pairs))], multiples, height, color=colour, label=label)
    axes.set_yticks([y + 0.4 - height / 2 for y in range(len(pairs))], pairs)
    axes.invert_yaxis()
    axes.axvline(MULTIPLE.value, color=RED, linewidth=2)
    axes.set_xlabel("processor time of mapping an order, as a multiple of a naive load and dump (red: wanted at most)")
    axes.legend(frameon=False)
    return figure


@click.command()
@click.option("--lines", "sizes", multiple=True, type=click.IntRange(1), default=[1, 10, 250], show_default=True)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=0.1, show_default=True, help="Of work, in each timing.")
@click.option("--quick", is_flag=True, help="One round: only to see that it runs.")
def main(sizes: tuple[int, ...], rounds: int, seconds: float, quick: bool) -> None:
    """Measure what mapping an order costs, for every storefront and destination."""
    if quick:
        rounds, seconds = 1, 0.01
    machine = describe_machine()
    timings = [
        measure(storefront, destination, lines, rounds=rounds, seconds=seconds)
        for storefront, destination, lines in product(STOREFRONTS.values(), DESTINATIONS.values(), sizes)
    ]
    rows = [
        [
            f"{one.storefront} to {one.destination}",
            str(one.lines),
            f"{one.payload_bytes / 1000:.1f}",
            f"{median(one.ours_us):.0f}",
            f"{median(one.yardstick_us):.0f}",
            show(one.multiple, MULTIPLE),
        ]
        for one in timings
    ]
    columns = ["", "lines", "payload, kB", "µs per order", "a naive load and dump, µs", "multiple"]
    table = print_table("Processor time of mapping an order", columns, rows)
    if quick:
        console.print("[dim]Nothing is kept.[/]")
        return
    figures = [{**asdict(one), "multiple": round(one.multiple, 3)} for one in timings]
    write_result("map", figures, machine, tables=[table], rounds=rounds, seconds=seconds)
    DRAWINGS["map"] = draw_map
    draw("map")


if __name__ == "__main__":
    main()
