"""Measures what mapping an order costs, as a multiple of the simplest marshmallow schemas.

That baseline declares a field for each key of the storefront's payload, creates its schemas for each order, loads the
payload, and dumps the destination's body. It computes and validates nothing in between.
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

from benchmarks.plots import MAX_MAP_MULTIPLE, draw
from benchmarks.report import ROOT, Target, console, describe_machine, format_figure, median, print_table, write_result
from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination
from mappings.problems import MappingError
from mappings.settings import Account, Store
from mappings.storefront import Storefront

MAX_MULTIPLE = Target(value=MAX_MAP_MULTIPLE, at_most=True)
SAMPLES = ROOT / "tests" / "samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    storefront: str
    destination: str
    lines: int
    payload_bytes: int
    connector_us: list[float]  # per order, for each round: parse, build and validate, as for a delivery
    baseline_us: list[float]

    @property
    def multiple(self) -> float:
        return median(ours / base for ours, base in zip(self.connector_us, self.baseline_us, strict=True))


def measure(
    storefront: Storefront[Any], destination: Destination[Any], lines: int, *, rounds: int, seconds: float
) -> Timing:
    """Time the connector and the baseline in turns, on an order with this number of lines."""
    store, account = make_store(storefront), make_account(destination)
    payload = lengthen(storefront, store, pick_sample(storefront, store, destination, account), lines)
    body = destination.build_request(storefront.parse_order(payload, store), account, store).body
    read_schema, write_schema = build_baseline_schema(payload), build_baseline_schema(body)
    loaded_body = write_schema().load(body)

    def map_order() -> None:
        destination.build_request(storefront.parse_order(payload, store), account, store)

    def load_and_dump() -> None:
        read_schema().load(payload)
        write_schema().dump(loaded_body)

    connector_us, baseline_us = time_in_turns(map_order, load_and_dump, rounds=rounds, seconds=seconds)
    return Timing(
        storefront=storefront.name,
        destination=destination.name,
        lines=lines,
        payload_bytes=len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()),
        connector_us=connector_us,
        baseline_us=baseline_us,
    )


def time_in_turns(*calls: Callable[[], None], rounds: int, seconds: float) -> list[list[float]]:
    """Return microseconds of processor time per call, for each of `calls` and each round.

    The calls take turns, so that other load on the machine affects all of them equally.
    """
    repeats = []
    for call in calls:
        call()  # warm up
        repeats.append(max(1, round(seconds * 1e6 / time_us(call, 3))))
    times_us: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call_times_us, call, repeat in zip(times_us, calls, repeats, strict=True):
            call_times_us.append(round(time_us(call, repeat), 1))
    return times_us


def time_us(call: Callable[[], None], repeat: int) -> float:
    started_ns = process_time_ns()
    for _ in range(repeat):
        call()
    return (process_time_ns() - started_ns) / 1000 / repeat


# --- orders ---


def pick_sample(
    storefront: Storefront[Any], store: Store, destination: Destination[Any], account: Account
) -> dict[str, Any]:
    """Return the storefront's first sample that the destination accepts."""
    for path in sorted(SAMPLES.glob(f"{storefront.name}_*.json")):
        payload: dict[str, Any] = json.loads(path.read_text("utf-8"))
        try:
            destination.build_request(storefront.parse_order(payload, store), account, store)
        except MappingError:
            continue
        return payload
    raise LookupError(f"{destination.name} accepts no sample of {storefront.name}.")


def lengthen(storefront: Storefront[Any], store: Store, sample: dict[str, Any], lines: int) -> dict[str, Any]:
    """Return the sample with copies of its first line, each with a different SKU, and the resulting total."""
    wire_names = {field.attribute or name: field.data_key or name for name, field in storefront.schema.fields.items()}
    totals = [wire_names[path] for path in ("total", "current_total") if path in wire_names]

    def with_total(payload: dict[str, Any], total: Decimal) -> dict[str, Any]:
        return {**payload, **dict.fromkeys(totals, str(total))}

    def sum_parts(payload: dict[str, Any]) -> Decimal:
        """Sum with a total of zero, so that discounts of the whole order are not distributed over the lines."""
        return storefront.parse_order(with_total(payload, Decimal(0)), store).parts_total

    discount = sum_parts(sample) - storefront.parse_order(sample, store).total
    key = wire_names["lines"]
    first = sample[key][0]
    longer = {
        **sample,
        key: [{**first, "id": first["id"] + number, "sku": f"{first['sku']}-{number}"} for number in range(lines)],
    }
    return with_total(longer, sum_parts(longer) - discount)


def make_store(storefront: Storefront[Any]) -> Store:
    table = {"name": "tienda", "id": "tienda", "storefront": storefront.name, "secrets": ["secreto"]}
    store: Store = storefront.settings_schema().load({**table, **storefront.sample.settings})
    return store


def make_account(destination: Destination[Any]) -> Account:
    table = {"name": "cuenta", "id": "cuenta", "destination": destination.name}
    url = {"base_url": "https://destination.example"}
    account: Account = destination.settings_schema().load({**table, **url, **destination.sample.settings})
    return account


# --- the baseline ---


class BaselineSchema(Schema):
    """Excludes unknown fields, because the fields of a list's items are those of its first item."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE


def build_baseline_schema(example: Mapping[str, Any]) -> type[Schema]:
    """Return a schema with a field for each key of `example`, of its value's type."""
    return BaselineSchema.from_dict({name: build_baseline_field(value) for name, value in example.items()})


def build_baseline_field(value: Any) -> fields.Field[Any]:
    match value:
        case bool():
            return fields.Boolean()
        case int():
            return fields.Integer()
        case float() | Decimal():
            return fields.Float()
        case str():
            return fields.DateTime() if is_datetime(value) else fields.String()
        case dict() if value:
            return fields.Nested(build_baseline_schema(value))
        case [first, *_]:
            return fields.List(build_baseline_field(first))
    return fields.Raw(allow_none=True)


def is_datetime(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text


@click.command()
@click.option("--lines", "sizes", multiple=True, type=click.IntRange(1), default=[1, 10, 250], show_default=True)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=0.1, show_default=True, help="Duration of each timing.")
@click.option("--quick", is_flag=True, help="Run one short round, and store nothing.")
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
            f"{timing.storefront} to {timing.destination}",
            str(timing.lines),
            f"{timing.payload_bytes / 1000:.1f}",
            f"{median(timing.connector_us):.0f}",
            f"{median(timing.baseline_us):.0f}",
            format_figure(timing.multiple, MAX_MULTIPLE),
        ]
        for timing in timings
    ]
    columns = ["", "lines", "payload, kB", "µs per order", "a naive load and dump, µs", "multiple"]
    table = print_table("Processor time of mapping an order", columns, rows)
    if quick:
        console.print("[dim]Nothing is stored.[/]")
        return
    figures = [{**asdict(timing), "multiple": round(timing.multiple, 3)} for timing in timings]
    write_result("map", figures, machine, tables=[table], rounds=rounds, seconds=seconds)
    draw("map")


if __name__ == "__main__":
    main()
