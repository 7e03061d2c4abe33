"""Dates and ids at and beyond their limits, in addresses: an error of the sender, never of the service."""

from typing import Any

import pytest

from tests.support.service import ADMIN_TOKEN, Service
from tests.support.visitor import visit

DATES = [
    *("0001-01-01", "9999-12-31", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z"),
    *("10000-01-01", "-0001-01-01", "2026-02-30", "2026-11-21T25:00", "20261121", "2026-W47-6", "2026-11-21T24:00"),
]
IDS = ["0", "-1", str(2**31), str(2**63 - 1), str(2**63), "9" * 19, "9" * 40, "1e3", "²", "٣", "%00", "NaN", "+1"]
DATE_PARAMS = [
    *("/?day={}", "/events?since={}", "/events?until={}", "/deliveries?since={}", "/deliveries?until={}"),
    *("/audit?since={}", "/audit?until={}", "/jobs?since={}", "/api/events?since={}", "/api/events?until={}"),
    *("/api/deliveries?since={}", "/api/deliveries?until={}"),
]
ID_PARAMS = [
    *("/events?before={}", "/events?top={}", "/deliveries?before={}", "/deliveries?top={}", "/events?page={}"),
    *("/audit?cursor={}", "/audit?cursor={0}-{0}-{0}", "/audit?action={}", "/deliveries/{}", "/events/{}"),
    *("/deliveries/{}/preview", "/jobs/{}", "/jobs?before={}", "/api/events/{}", "/api/deliveries/{}"),
    *("/api/events?cursor={}", "/api/deliveries?cursor={}", "/api/events?limit={}", "/api/deliveries?limit={}"),
]


@pytest.fixture
def responses(service: Service) -> Any:
    visitor = visit(service)
    visitor.sign_in()

    def get_status(address: str) -> int:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"} if address.startswith("/api") else {}
        status: int = visitor.client.get(address.replace("+", "%2B"), headers=headers).status_code
        return status

    return get_status


@pytest.mark.parametrize(("addresses", "values"), [(DATE_PARAMS, DATES), (ID_PARAMS, IDS)], ids=["dates", "ids"])
def test_extreme_value_is_no_fault_of_the_service(responses: Any, addresses: list[str], values: list[str]) -> None:
    statuses = {address.format(value): responses(address.format(value)) for address in addresses for value in values}
    assert {address: status for address, status in statuses.items() if status not in {200, 302, 303, 400, 404}} == {}
