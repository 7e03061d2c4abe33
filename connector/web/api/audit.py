"""`/api/audit`: who did what, and who looked at what."""

from typing import Any

from marshmallow import fields
from marshmallow.validate import Regexp

from connector.core.fields import StorableText, UTCDateTime
from connector.database.queries.audit import ACTIONS, CURSOR_PATTERN, TrailCursor, TrailFilter, list_trail
from connector.serializers.audit import TrailEntrySchema
from connector.serializers.base import ResponseSchema
from connector.web.api.authorization import authorize
from connector.web.api.blueprint import OPERATOR, TOKEN_SECURITY, ApiBlueprint
from connector.web.api.requests import ChoiceField, LimitQuerySchema
from connector.web.api.responses import next_cursor
from connector.web.context import get_runtime

blueprint = ApiBlueprint(
    "audit", __name__, url_prefix="/api/audit", description="The audit trail.", security=TOKEN_SECURITY
)
blueprint.before_request(authorize)


class TrailQuerySchema(LimitQuerySchema):
    cursor = fields.String(
        validate=Regexp(CURSOR_PATTERN, error="must be the `next` of a list"),
        metadata={"description": "`next` of the previous page"},
    )
    action = ChoiceField(ACTIONS)
    actor = StorableText(metadata={"description": "a user, `token:` and the name of a token, or a system user"})
    since = UTCDateTime(metadata={"description": "at this time or later"})
    until = UTCDateTime(metadata={"description": "before this time"})


class TrailPageSchema(ResponseSchema):
    items = fields.List(fields.Nested(TrailEntrySchema))
    next = next_cursor()


@blueprint.get("")
@blueprint.arguments(TrailQuerySchema, location="query")
@blueprint.response(200, TrailPageSchema)
@blueprint.operation(role=OPERATOR)
def get_audit(query: dict[str, Any]) -> dict[str, Any]:
    """List what people did, who signed in and who looked at personal data, newest first.

    A look at an order is listed once an hour for each reader and network. Failed sign-ins are counted by the hour.
    """
    limit, cursor = query.pop("limit"), query.pop("cursor", None)
    after = TrailCursor.parse(cursor) if cursor else None
    page = list_trail(get_runtime().database, TrailFilter(**query), after=after, limit=limit)
    return {"items": page.entries, "next": str(page.next) if page.next else None}
