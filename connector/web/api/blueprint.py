"""flask-smorest for this API: strict request parsing, and the parts of the document that all operations share."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

from flask import Request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser

from connector.core.exceptions import InvalidRequestError
from connector.settings.users import ROLES
from connector.web.row_ids import ID_PATTERN

View = TypeVar("View", bound=Callable[..., Any])

#: What the token of a request may be for: reading, or acting too.
VIEWER, OPERATOR = ROLES
#: The document's names for tokens with a role, and for those of the metrics.
TOKEN_SECURITY, METRICS_SECURITY = "token", "metrics"

#: What an unknown name in a request is called, by location.
NOUNS = {"query": "query parameter", "json": "field"}


class RequestParser(FlaskParser):
    """Rejects unknown names and repeated query parameters. Raises `InvalidRequestError` for all errors at once."""

    DEFAULT_VALIDATION_STATUS = 400
    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}

    def load_querystring(self, req: Request, schema: Schema) -> dict[str, str]:
        for name, values in req.args.lists():
            if len(values) > 1:
                raise InvalidRequestError(f"`{name}` is given {len(values)} times")
        return req.args.to_dict()

    def load_json(self, req: Request, schema: Schema) -> dict[str, Any]:
        """Return the JSON object of any content type; no body counts as an empty object."""
        if not req.get_data():
            return {}
        try:
            body = req.get_json(force=True, silent=True)
        except RecursionError:  # nested too deeply
            body = None
        if not isinstance(body, dict):
            raise InvalidRequestError("the body must be a JSON object")
        return body

    def handle_error(
        self, error: ValidationError, req: Request, schema: Schema, *, error_status_code: Any, error_headers: Any
    ) -> NoReturn:
        """Raise `InvalidRequestError`. webargs passes the messages by location, then by name."""
        [(location, messages)] = error.messages_dict.items()
        raise InvalidRequestError("; ".join(describe_errors(schema, messages, NOUNS.get(location, "field")))) from error


def describe_errors(schema: Schema, messages: dict[str, Any], noun: str) -> Iterable[str]:
    """Yield one sentence for all unknown names, then one for each invalid field."""
    allowed = [field.data_key or name for name, field in schema.fields.items()]
    if unknown := sorted(messages.keys() - set(allowed)):
        yield f"unknown {noun}: {', '.join(unknown)} (allowed: {', '.join(allowed) or 'none'})"
    for name, field_messages in messages.items():
        if name in allowed:
            yield f"`{name}` {first_message(field_messages)}"


def first_message(messages: Any) -> str:
    """Return the first message of a field; of a list, that of its first invalid item."""
    while not isinstance(messages, str):
        messages = next(iter(messages.values())) if isinstance(messages, dict) else messages[0]
    return messages


class ApiBlueprint(Blueprint):
    """A flask-smorest blueprint with this API's parser.

    Args:
        security: The scheme of the document by which its operations are authorized; None if they are public. This
            documents it; the blueprint has to check it.
    """

    ARGUMENTS_PARSER = RequestParser()

    def __init__(self, *args: Any, security: str | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.security = security
        self.roles: dict[str, str] = {}  # by name of the view

    def operation(self, *, role: str = OPERATOR, errors: Iterable[int] = ()) -> Callable[[View], View]:
        """Set which role a token needs for the operation, and document its id, security and error responses.

        Args:
            role: `VIEWER` if it shows something, `OPERATOR` if it changes something or shows who did what.
            errors: Statuses other than those of every operation, and than the 400 that `arguments` documents.
        """
        statuses = {*errors, 405, 503}
        more: dict[str, Any] = {}
        if self.security is not None:
            statuses |= {401, 404, 429}
            more["security"] = [{self.security: []}]
        if self.security == TOKEN_SECURITY:
            statuses |= {403} if role == OPERATOR else set()
            more["security"] = [{self.security: [role]}]
        responses = {status: HTTPStatus(status).name for status in sorted(statuses)}

        def decorator(view: View) -> View:
            self.roles[view.__name__] = role
            documented: View = self.doc(operationId=view.__name__, responses=responses, **more)(view)
            return documented

        return decorator


def row_id_parameter(name: str) -> dict[str, Any]:
    """Document a path parameter that is the id of a row."""
    return {"in": "path", "name": name, "schema": {"type": "string", "pattern": ID_PATTERN}}
