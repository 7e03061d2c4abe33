"""`/api/privacy`: what is kept about a person, exported and erased. The e-mail address is in the body, never in a URL.

There is no `Idempotency-Key`: a repeat does no harm, and a digest of so short a body could be guessed.
"""

import json
from typing import Any

from flask import Response

from connector.privacy.erase import ErasureResult, erase
from connector.privacy.export import export_criterion
from connector.privacy.records import Criterion
from connector.serializers.privacy import ErasureSchema, PersonalDataSchema
from connector.web.api.authorization import authorize, current_actor
from connector.web.api.blueprint import TOKEN_SECURITY, ApiBlueprint
from connector.web.api.requests import ErasureBodySchema, PersonalDataBodySchema
from connector.web.context import get_runtime

blueprint = ApiBlueprint(
    "privacy_data",
    __name__,
    url_prefix="/api/privacy",
    description="What is kept about a person's orders: export it, or erase it.",
    security=TOKEN_SECURITY,
)
blueprint.before_request(authorize)

#: The name of the file that a browser saves.
DOWNLOAD_HEADERS = {
    "Content-Disposition": 'attachment; filename="personal-data.json"',
    "Cache-Control": "no-store",
}


@blueprint.post("/export")
@blueprint.arguments(PersonalDataBodySchema)
@blueprint.response(200, PersonalDataSchema)
@blueprint.operation(errors=(404,))
def post_privacy_export(body: dict[str, Any]) -> Response:
    """Return everything that is kept about an order, or about all orders with an e-mail address.

    The document is for the merchant. 404 if nothing is kept.
    """
    return download(Criterion(**body), actor=current_actor())


@blueprint.post("/erase")
@blueprint.arguments(ErasureBodySchema)
@blueprint.response(200, ErasureSchema)
@blueprint.operation(errors=(404, 409))
def post_privacy_erase(body: dict[str, Any]) -> ErasureResult:
    """Erase the personal data of an order, or of all orders with an e-mail address.

    Ids, order numbers, states and times stay, and nothing of these orders is sent any more. An order with a delivery
    that has not ended is `pending`, and erased once it has. On SQLite, the database is written anew, and webhooks wait
    meanwhile. 404 if nothing is kept. 409 if several orders have this number: then name the `store`.
    """
    discards_parked = body.pop("discard_parked", False)
    return erase(get_runtime(), Criterion(**body), actor=current_actor(), discards_parked=discards_parked)


def download(criterion: Criterion, *, actor: str) -> Response:
    """Return what is kept as a file. Raises `InvalidRequestError`, `NotFoundError`."""
    document = export_criterion(get_runtime(), criterion, actor=actor)
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return Response(text + "\n", headers=DOWNLOAD_HEADERS, content_type="application/json")
