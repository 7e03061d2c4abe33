"""The API's lines of orders and their ids at the destination."""

from typing import Any

import pytest

from tests.support.service import Service

pytestmark = pytest.mark.sqlite  # tests/database/test_remote_ids.py runs on both engines


@pytest.mark.parametrize(
    ("remote_ids", "status"),
    [([3], 400), ([None], 400), ([[]], 400), ([{"order": "7"}], 400), ([{"order": "7", "remote_id": "L-7"}], 409)],
)
def test_lines_that_are_not_objects_or_fit_no_order_are_refused(
    service: Service, remote_ids: list[Any], status: int
) -> None:
    body = {"ids": ["1"], "action": "mark-delivered", "remote_ids": remote_ids}
    for path in ("/jobs", "/job-preview"):
        assert service.api(path, json=body).status_code == status
    assert service.api("/jobs").json["items"] == []
