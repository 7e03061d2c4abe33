"""WooCommerce's webhooks by its REST API. A key with the permission Read lists them; Read/Write changes them.

https://woocommerce.github.io/woocommerce-rest-api-docs/#webhooks, read 2026-11-30.
"""

from collections.abc import Mapping
from typing import Any

from mappings.problems import Problem
from mappings.store_api import ApiRequest, ApiResponse, UnexpectedResponseError
from mappings.storefronts.woocommerce.store import WooStore
from mappings.storefronts.woocommerce.webhook import TOPICS
from mappings.webhook_api import RegisteredWebhook, WebhookApi, WebhookPage, WebhookRefusedError, WebhookState, refusal

PATH = "/wp-json/wc/v3/webhooks"
PER_PAGE = 100  # the maximum
STATES = {"active": WebhookState.OK, "paused": WebhookState.PAUSED, "disabled": WebhookState.DISABLED}
#: What a key that may read gets when it writes. Seen on WooCommerce 10.0.2 and 10.5.0, 2026-11-30. A wrong key cannot
#: list the webhooks in the first place, so here these mean that the key may only read.
READ_ONLY_STATUSES = (401, 403)


class WooWebhookApi(WebhookApi[WooStore]):
    base_topics = tuple(TOPICS)  # one webhook per topic
    topic_pattern = r"(?!)"  # no other topic carries an order
    # Making a disabled webhook active keeps its count of failures, so the next failure disables it again. Seen on
    # WooCommerce 10.0.2 and 10.5.0, 2026-11-30.
    must_replace_disabled = True

    def list_request(self, store: WooStore) -> ApiRequest:
        return self._list_request(page=1)

    def read_page(self, store: WooStore, request: ApiRequest, response: ApiResponse) -> WebhookPage:
        if not response.is_success or not isinstance(response.data, list):
            raise UnexpectedResponseError("no list of webhooks")
        page = int(request.query["page"])
        # Webhooks that the key's user may not read are left out of a page, so a short one need not be the last.
        page_count = response.headers.get("x-wp-totalpages", "")
        is_last = not page_count.isascii() or not page_count.isdigit() or page >= int(page_count)
        return WebhookPage(
            webhooks=[parse_webhook(item) for item in response.data],
            next_request=None if is_last else self._list_request(page=page + 1),
        )

    def create_request(self, store: WooStore, topic: str, url: str) -> ApiRequest:
        data = {
            "name": f"connector {topic}",
            "topic": topic,
            "delivery_url": url,
            "secret": store.secrets[0],  # cannot be read afterwards
            "status": "active",
        }
        return ApiRequest(method="POST", path=PATH, data=data)

    def update_request(self, store: WooStore, webhook: RegisteredWebhook, url: str) -> ApiRequest:
        data = {"delivery_url": url, "secret": store.secrets[0], "status": "active"}
        return ApiRequest(method="PUT", path=f"{PATH}/{webhook.id}", data=data)

    def delete_request(self, store: WooStore, webhook: RegisteredWebhook) -> ApiRequest:
        # Without `force` the API answers 501: webhooks have no trash.
        return ApiRequest(method="DELETE", path=f"{PATH}/{webhook.id}", query={"force": "true"})

    def check_change(self, response: ApiResponse) -> None:
        if response.status in READ_ONLY_STATUSES:
            raise WebhookRefusedError(Problem(code="webhook_key_read_only"))
        code = response.data.get("code") if isinstance(response.data, Mapping) else None
        if 400 <= response.status < 500 and isinstance(code, str) and code.isascii() and code.isidentifier():
            raise WebhookRefusedError(refusal(code))
        super().check_change(response)

    def _list_request(self, *, page: int) -> ApiRequest:
        return ApiRequest(path=PATH, query={"per_page": str(PER_PAGE), "page": str(page)})


def parse_webhook(item: Any) -> RegisteredWebhook:
    try:
        return RegisteredWebhook(
            id=str(int(item["id"])),
            topic=str(item["topic"]),
            url=str(item["delivery_url"]),
            state=STATES.get(item["status"], WebhookState.DISABLED),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedResponseError("a webhook lacks a field") from error
