"""Tiendanube's webhooks in its API. Each belongs to the app whose token is used.

https://tiendanube.github.io/api-documentation/resources/webhook and
https://dev.nuvemshop.com.br/es/docs/erp-guide/orders/webhooks, read 2026-11-30.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.store_api import ApiRequest, ApiResponse, UnexpectedResponseError
from mappings.storefronts.tiendanube.store import TiendanubeStore
from mappings.webhook_api import RegisteredWebhook, WebhookApi, WebhookPage, WebhookRefusedError, refusal

#: Unverified for webhooks: the maximum of the API's other lists.
PER_PAGE = 200


class TiendanubeWebhookApi(WebhookApi[TiendanubeStore]):
    base_topics = ("order/paid", "order/updated", "order/edited", "order/cancelled")
    optional_topics = {"created": "order/created"}
    topic_pattern = r"order/[a-z_]+"

    def list_request(self, store: TiendanubeStore) -> ApiRequest:
        return self._list_request(store, page=1)

    def read_page(self, store: TiendanubeStore, request: ApiRequest, response: ApiResponse) -> WebhookPage:
        # A page past the last, and so an empty list, is a 404, "Last page is 0": seen in public integrations of lists
        # of orders. Unverified for webhooks.
        if response.status == 404 and str(get(response.data, "description")).startswith("Last page is"):
            return WebhookPage(webhooks=[])
        if not response.is_success or not isinstance(response.data, list):
            raise UnexpectedResponseError("no list of webhooks")
        is_last = len(response.data) < PER_PAGE
        page = int(request.query["page"])
        return WebhookPage(
            webhooks=[parse_webhook(item) for item in response.data],
            next_request=None if is_last else self._list_request(store, page=page + 1),
        )

    def create_request(self, store: TiendanubeStore, topic: str, url: str) -> ApiRequest:
        return ApiRequest(method="POST", path=f"/{store.store_id}/webhooks", data={"event": topic, "url": url})

    def update_request(self, store: TiendanubeStore, webhook: RegisteredWebhook, url: str) -> ApiRequest:
        data = {"event": webhook.topic, "url": url}
        return ApiRequest(method="PUT", path=f"/{store.store_id}/webhooks/{webhook.id}", data=data)

    def delete_request(self, store: TiendanubeStore, webhook: RegisteredWebhook) -> ApiRequest:
        return ApiRequest(method="DELETE", path=f"/{store.store_id}/webhooks/{webhook.id}")

    def check_change(self, response: ApiResponse) -> None:
        if response.status == 422:
            raise WebhookRefusedError(refusal("; ".join(read_faults(response.data)) or "status 422"))
        super().check_change(response)

    def _list_request(self, store: TiendanubeStore, *, page: int) -> ApiRequest:
        return ApiRequest(path=f"/{store.store_id}/webhooks", query={"per_page": str(PER_PAGE), "page": str(page)})


def parse_webhook(item: Any) -> RegisteredWebhook:
    """The API has no status: a webhook that is listed is sent."""
    try:
        return RegisteredWebhook(id=str(int(item["id"])), topic=str(item["event"]), url=str(item["url"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedResponseError("a webhook lacks a field") from error


def read_faults(data: Any) -> Iterator[str]:
    """Yield what a 422 says: a list of faults for each field.

    https://github.com/TiendaNube/api-docs, README.md, "Unprocessable entity", read 2026-11-30.
    """
    for name, faults in data.items() if isinstance(data, Mapping) else ():
        if isinstance(faults, list):
            yield f"{name}: {', '.join(str(fault) for fault in faults)}"
    if isinstance(description := get(data, "description"), str):
        yield description


def get(data: Any, name: str) -> Any:
    return data.get(name) if isinstance(data, Mapping) else None
