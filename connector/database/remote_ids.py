"""The ids that orders have at their destination, which a person enters for many orders at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connector.core.exceptions import ConflictError
from connector.core.messages import build_message
from mappings.problems import ParamValue, Problem, render_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteId:
    """A line that a person entered.

    Args:
        line: its number, from 1.
        order: an order's number or id.
        remote_id: the order's id at the destination.
    """

    line: int
    order: str
    remote_id: str


class InvalidRemoteIdsError(ConflictError):
    """Lines that cannot be read, or that do not fit the orders as they are now. `problems` say why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(render_problems(problems)))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A delivery that a line may name.

    Args:
        refusal: why it cannot be marked as delivered; None if it can.
    """

    id: int
    order_id: str
    order_number: str | None
    refusal: Problem | None

    @property
    def names(self) -> set[str]:
        return {self.order_id, *({self.order_number, self.order_number.removeprefix("#")} if self.order_number else ())}


def assign_remote_ids(
    lines: Iterable[RemoteId], candidates: Iterable[Candidate], *, others_without_id: bool
) -> dict[int, str]:
    """Return the remote ids by delivery id. Raises `InvalidRemoteIdsError` with the problems of all lines.

    Args:
        others_without_id: orders that no line names may have no id.
    """
    candidates_by_name: Mapping[str, list[Candidate]] = defaultdict(list)
    unnamed = set()
    for candidate in candidates:
        if candidate.refusal is None:
            unnamed.add(candidate.id)
        for name in candidate.names:
            candidates_by_name[name].append(candidate)
    remote_ids: dict[int, str] = {}
    problems = []
    for line in lines:
        matching = candidates_by_name.get(line.order) or candidates_by_name.get(line.order.removeprefix("#")) or []
        if problem := find_line_problem(line, matching, remote_ids):
            problems.append(problem)
        for candidate in matching:
            remote_ids[candidate.id] = line.remote_id
            unnamed.discard(candidate.id)
    if unnamed and not others_without_id:
        problems.append(build_message("remote_ids_missing", count=len(unnamed)))
    if problems:
        raise InvalidRemoteIdsError(problems)
    return remote_ids


def find_line_problem(line: RemoteId, matching: Sequence[Candidate], remote_ids: Mapping[int, str]) -> Problem | None:
    params: dict[str, ParamValue] = {"line": line.line, "order": line.order}
    if not (line.order and line.remote_id):
        return build_message("line_unreadable", line=line.line)
    if not matching:
        return build_message("line_without_order", **params)
    if len(matching) > 1:
        return build_message("line_of_several", **params)
    [candidate] = matching
    if candidate.refusal is not None:
        return build_message("line_left_alone", **params, why=candidate.refusal)
    return build_message("line_repeated", **params) if candidate.id in remote_ids else None
