"""The filters of the list of deliveries. The pages that it leads to keep them in their addresses, to go back there."""

from collections.abc import Mapping
from typing import Any

FILTERS = ("q", "state", "reason", "account", "store", "problem", "error", "job", "job_result", "since", "until")


def list_filters(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the filters among the values of a query or a form, as parameters for `url_for`."""
    return {name: values[name] for name in FILTERS if values.get(name)}
