"""The mapping benchmark covers every storefront and destination with consistent orders."""

import pytest

from benchmarks.map import lengthen, make_account, make_store, measure, pick_sample
from mappings import DESTINATIONS, STOREFRONTS

PAIRS = [(storefront, destination) for storefront in STOREFRONTS for destination in DESTINATIONS]


@pytest.mark.parametrize(("storefront", "destination"), PAIRS)
def test_benchmark_covers_every_storefront_and_destination(storefront: str, destination: str) -> None:
    timing = measure(STOREFRONTS[storefront], DESTINATIONS[destination], 2, rounds=1, seconds=0)
    assert (timing.storefront, timing.destination, timing.lines) == (storefront, destination, 2)
    assert timing.multiple > 0


@pytest.mark.parametrize(("storefront", "destination"), PAIRS)
def test_long_order_has_the_requested_lines_and_adds_up(storefront: str, destination: str) -> None:
    reads, writes = STOREFRONTS[storefront], DESTINATIONS[destination]
    store, account = make_store(reads), make_account(writes)
    order = reads.parse_order(lengthen(reads, store, pick_sample(reads, store, writes, account), 12), store)
    assert len({line.sku for line in order.lines}) == 12
    assert order.parts_total == order.total
