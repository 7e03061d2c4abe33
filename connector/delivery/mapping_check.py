"""A dry run of many deliveries: how many could be sent now, and what is wrong with the others."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from connector.core.exceptions import StoreUnavailableError
from connector.delivery.preview import preview
from connector.runtime import Runtime
from mappings.problems import Problem

#: Deliveries that one check maps: a person waits for it.
MAX_CHECKED = 200


@dataclass(slots=True, kw_only=True)
class MappingCheck:
    """The results of mapping.

    Args:
        unmappable: deliveries with a problem.
        not_fetched: deliveries whose order has to be fetched from its store first. They are not checked.
        unchecked: deliveries beyond `MAX_CHECKED`.
        problems: by fingerprint, an example and the number of deliveries that have it.
    """

    mappable: int = 0
    unmappable: int = 0
    not_fetched: int = 0
    unchecked: int = 0
    problems: dict[str, tuple[Problem, int]] = field(default_factory=dict)


def check_mapping(runtime: Runtime, ids: Iterable[int]) -> MappingCheck:
    """Map the deliveries as an attempt would, without a request to any store. Sends nothing and changes no row."""
    check = MappingCheck()
    for position, id_ in enumerate(ids):
        if position >= MAX_CHECKED:
            check.unchecked += 1
            continue
        try:
            result = preview(runtime, id_, with_origins=False, may_fetch=False)
        except StoreUnavailableError:
            check.not_fetched += 1
            continue
        if result.body is not None:
            check.mappable += 1
            continue
        check.unmappable += 1
        for fingerprint, problem in {problem.fingerprint: problem for problem in result.problems}.items():
            _, count = check.problems.get(fingerprint, (problem, 0))
            check.problems[fingerprint] = (problem, count + 1)
    return check
