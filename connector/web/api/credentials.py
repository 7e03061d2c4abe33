"""`/api/accounts/<account>/credentials`: which credentials are used, and others in place of the configuration's.

No response has a credential. A request takes no `Idempotency-Key`, since a digest of its body would be kept.
"""

from typing import Any

from marshmallow import fields

from connector.core.fields import StorableText, StrictBoolean
from connector.operations import credentials
from connector.operations.credentials import MAX_LENGTH, list_credentials
from connector.serializers.credentials import CredentialListSchema, ReplacementSchema
from connector.web.api.authorization import authorize, current_actor
from connector.web.api.blueprint import TOKEN_SECURITY, VIEWER, ApiBlueprint
from connector.web.api.requests import NoteBodySchema
from connector.web.context import get_runtime

blueprint = ApiBlueprint(
    "credentials",
    __name__,
    url_prefix="/api/accounts",
    description="Credentials of accounts. Needs a token.",
    security=TOKEN_SECURITY,
)
blueprint.before_request(authorize)

JsonObject = dict[str, Any]


class CredentialsBodySchema(NoteBodySchema):
    credentials = fields.Dict(
        keys=StorableText(),
        values=fields.String(
            error_messages={"invalid": "must have texts"}, metadata={"format": "password", "maxLength": MAX_LENGTH}
        ),
        required=True,
        error_messages={"required": "is missing", "invalid": "must be an object of texts"},
        metadata={"description": 'the new values by setting, as {"api_key": "…"}'},
    )
    keep_untested = StrictBoolean(
        allow_none=True, metadata={"description": "keep them also if the destination cannot be reached for a test"}
    )
    retry_rejected = StrictBoolean(
        allow_none=True,
        metadata={
            "description": "also send the orders that the account refused because of its credentials, while it "
            "accepted others; default true"
        },
    )


@blueprint.get("/<account>/credentials")
@blueprint.response(200, CredentialListSchema)
@blueprint.operation(role=VIEWER, errors=(404,))
def get_account_credentials(account: str) -> JsonObject:
    """List the credentials of an account: where the one in use is from, and who entered it; never its value."""
    return {"items": list_credentials(get_runtime(), account)}


@blueprint.put("/<account>/credentials")
@blueprint.arguments(CredentialsBodySchema)
@blueprint.response(200, ReplacementSchema)
@blueprint.operation(errors=(404, 409))
def put_account_credentials(body: JsonObject, account: str) -> JsonObject:
    """Use other credentials for an account, in place of the configuration's, until these change.

    They are tested with a request that creates nothing: 400 if the destination rejects them, 409 if it cannot be
    reached. They are kept encrypted; 409 without `TOKEN_KEYS`. Workers use them within seconds, and then send the
    orders that wait for the account.
    """
    runtime = get_runtime()
    options = {name: value for name, value in body.items() if name != "credentials"}
    replacement = credentials.replace_credentials(
        runtime, account, body["credentials"], actor=current_actor(), **options
    )
    return {
        "items": list_credentials(runtime, account),
        "test": replacement.verdict,
        "job": replacement.job and str(replacement.job.id),
    }


@blueprint.delete("/<account>/credentials")
@blueprint.response(200, CredentialListSchema)
@blueprint.operation(errors=(404,))
def delete_account_credentials(account: str) -> JsonObject:
    """Withdraw the credentials that a person entered: the configuration's are used again. 404 if nobody did."""
    runtime = get_runtime()
    list_credentials(runtime, account)
    credentials.withdraw_credentials(runtime, account, actor=current_actor())
    return {"items": list_credentials(runtime, account)}
