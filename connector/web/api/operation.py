"""What a view says of itself, beside its route, for the API's document. Costs nothing until that is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from marshmallow import Schema

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A view, but for what its docstring says: the first line is the summary.

    Args:
        answers: by status, the schema of what goes well; None where it is no JSON of ours.
        problems: the statuses of what does not, beside those that every call of the API may meet.
        needs_body: there is no empty one.
        takes_anything: its body is whatever a platform writes.
        acts: it changes something, once per `Idempotency-Key`.
        is_open: it asks for no token.
        content_type: of what goes well.
    """

    responses: Mapping[int, Schema | None]
    error_statuses: tuple[int, ...] = ()
    query: Schema | None = None
    body: Schema | None = None
    requires_body: bool = False
    accepts_any_body: bool = False
    is_mutation: bool = False
    is_public: bool = False
    content_type: str = "application/json"
    parameters: list[dict[str, Any]] = field(default_factory=list)


def documented(operation: Operation) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        view.description = operation  # type: ignore[attr-defined]
        return view

    return decorate
