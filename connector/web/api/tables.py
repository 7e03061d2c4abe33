"""`/api/tables`: the accounts' lookup tables, and the rows that people enter in them.

Keys are in bodies, not in addresses: one may be a customer's tax document.
"""

from typing import Any

from flask import Response
from marshmallow import fields

from connector.core.fields import StorableText
from connector.operations import tables
from connector.operations.tables import find_missing_rows, list_table_summaries, load_table
from connector.serializers.base import ResponseSchema
from connector.serializers.tables import EnteredRowSchema, MissingRowSchema, TableRowSchema, TableSummarySchema
from connector.web.api.authorization import authorize, current_actor
from connector.web.api.blueprint import TOKEN_SECURITY, VIEWER, ApiBlueprint
from connector.web.api.idempotency import REPLAYED_HEADERS, run_idempotent
from connector.web.api.requests import IdempotencyHeaderSchema, NoteBodySchema, PageQuerySchema
from connector.web.api.responses import next_cursor
from connector.web.context import get_runtime

blueprint = ApiBlueprint(
    "tables",
    __name__,
    url_prefix="/api/tables",
    description="Lookup tables, and the rows that people enter in them.",
    security=TOKEN_SECURITY,
)
blueprint.before_request(authorize)

JsonObject = dict[str, Any]


class TableListSchema(ResponseSchema):
    items = fields.List(fields.Nested(TableSummarySchema))
    missing = fields.List(fields.Nested(MissingRowSchema), metadata={"description": "rows that deliveries wait for"})


class TablePageSchema(ResponseSchema):
    items = fields.List(fields.Nested(TableRowSchema))
    next = next_cursor()


class RowKeyBodySchema(NoteBodySchema):
    key = StorableText(required=True, error_messages={"required": "is missing"})


class RowBodySchema(RowKeyBodySchema):
    value = fields.Raw(
        required=True,
        error_messages={"required": "is missing"},
        metadata={"description": 'as in the configuration: a text, a number, false, or an object such as {"id": 12}'},
    )


@blueprint.get("")
@blueprint.response(200, TableListSchema)
@blueprint.operation(role=VIEWER)
def get_tables() -> JsonObject:
    """List the tables that the accounts have or may have, and the rows that deliveries wait for."""
    runtime = get_runtime()
    return {"items": list_table_summaries(runtime), "missing": find_missing_rows(runtime)}


@blueprint.get("/<account>/<table>")
@blueprint.arguments(PageQuerySchema, location="query")
@blueprint.response(200, TablePageSchema)
@blueprint.operation(role=VIEWER, errors=(404,))
def get_table(query: JsonObject, account: str, table: str) -> JsonObject:
    """List the rows of a table that apply, by key.

    An entered row is used instead of the configuration's row, which `configured_value` shows.
    """
    rows = load_table(get_runtime(), account, table).rows
    start, end = query.get("before", 0), query.get("before", 0) + query["limit"]
    return {"items": rows[start:end], "next": str(end) if len(rows) > end else None}


@blueprint.post("/<account>/<table>/set-row")
@blueprint.arguments(RowBodySchema)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, EnteredRowSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 422))
def post_table_set_row(body: JsonObject, headers: JsonObject, account: str, table: str) -> Response:
    """Enter a row, instead of any other with this key. It applies to all orders of the account from then on.

    The row is stored in the database. Workers use it within seconds, and then send the orders that waited for it.
    """
    runtime = get_runtime()
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: tables.set_row(
            runtime, account, table, actor=current_actor(), **body, idempotency=idempotency
        ),
        EnteredRowSchema().dump,
    )


@blueprint.post("/<account>/<table>/remove-row")
@blueprint.arguments(RowKeyBodySchema)
@blueprint.arguments(IdempotencyHeaderSchema, location="headers")
@blueprint.response(200, EnteredRowSchema, headers=REPLAYED_HEADERS)
@blueprint.operation(errors=(404, 422))
def post_table_remove_row(body: JsonObject, headers: JsonObject, account: str, table: str) -> Response:
    """Remove a row that a person entered, and return what it was. The configuration's row applies again, if any.

    404 if nobody entered such a row.
    """
    runtime = get_runtime()
    return run_idempotent(
        200,
        headers,
        body,
        lambda idempotency: tables.remove_row(
            runtime, account, table, actor=current_actor(), **body, idempotency=idempotency
        ),
        EnteredRowSchema().dump,
    )
