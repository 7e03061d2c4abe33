"""How a store's webhooks are listed and changed through the storefront's API, and what is wrong with those it has.

A webhook has one topic and one address. A merchant's other tools have their own webhooks at the same store.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Generic
from urllib.parse import urlsplit

from mappings.app_settings import AppStore
from mappings.labels import N_
from mappings.problems import Problem, register_templates
from mappings.settings import StoreT
from mappings.store_api import ApiRequest, ApiResponse, UnexpectedResponseError

register_templates(
    {
        "webhook_missing": N_("There is no webhook for %(topic)s."),
        "webhook_disabled": N_("The webhook for %(topic)s is disabled."),
        "webhook_paused": N_("The webhook for %(topic)s is paused."),
        "webhook_elsewhere": N_("The webhook for %(topic)s points to %(host)s, not to this connector."),
        "webhook_key_read_only": N_("The key in `api_token` may only read, not change webhooks."),
        "webhook_refused": N_("The storefront refused it: %(error)s"),
        "webhook_secret_missing": N_(
            "Add the app's client secret to `secrets`: it signs the webhooks that are created through the API."
        ),
    }
)


MAX_REFUSAL_LENGTH = 200


class WebhookState(StrEnum):
    OK = "ok"
    MISSING = "missing"
    DISABLED = "disabled"  # the storefront gave it up
    PAUSED = "paused"  # a person stopped it
    ELSEWHERE = "elsewhere"  # it has this store's path on another host
    DUPLICATE = "duplicate"  # there is another with its topic and address
    UNNEEDED = "unneeded"  # it points here, with a topic that no route needs
    FOREIGN = "foreign"  # another tool's


#: States in which orders do not arrive -> the problem.
PROBLEM_CODES = {
    WebhookState.MISSING: "webhook_missing",
    WebhookState.DISABLED: "webhook_disabled",
    WebhookState.PAUSED: "webhook_paused",
    WebhookState.ELSEWHERE: "webhook_elsewhere",
}


class WebhookRefusedError(Exception):
    """The API refused to list or change webhooks. `problem` says why, without a secret."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def refusal(text: str) -> Problem:
    """Return the problem of a request that the API refused, with its message."""
    return Problem(code="webhook_refused", params={"error": " ".join(text.split())[:MAX_REFUSAL_LENGTH]})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredWebhook:
    """A webhook, as the API lists it."""

    id: str
    topic: str  # as routes and events write it: `orders/paid`, `order.updated`
    url: str
    state: WebhookState = WebhookState.OK  # OK, DISABLED or PAUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPage:
    webhooks: list[RegisteredWebhook]
    next_request: ApiRequest | None = None  # None: this is the last page


class WebhookApi(ABC, Generic[StoreT]):
    """Pure functions: `connector` sends the requests."""

    #: The topics without which paid orders, or corrections of orders that were not sent yet, do not arrive.
    base_topics: ClassVar[tuple[str, ...]]
    #: A canonical topic that only some routes need -> the platform's own.
    optional_topics: ClassVar[dict[str, str]] = {}
    #: What the platform's topics of orders look like, for routes that list one by its own name.
    topic_pattern: ClassVar[str]
    #: Which webhooks the API does not list; None: it lists all.
    blind_spot: ClassVar[Problem | None] = None
    #: Whether a disabled webhook is deleted and created anew, because making it active would not last.
    must_replace_disabled: ClassVar[bool] = False

    def needed_topics(self, route_topics: Collection[str]) -> list[str]:
        """Return the platform's topics that the routes of a store need.

        Args:
            route_topics: those that the routes list, canonical and platforms' own. Without a route none is needed.
        """
        if not route_topics:
            return []
        optional = [topic for name, topic in self.optional_topics.items() if name in route_topics]
        listed = sorted(topic for topic in route_topics if re.fullmatch(self.topic_pattern, topic))
        return list(dict.fromkeys([*optional, *self.base_topics, *listed]))

    @abstractmethod
    def list_request(self, store: StoreT) -> ApiRequest:
        """Return the request for the first page of the store's webhooks."""

    @abstractmethod
    def read_page(self, store: StoreT, request: ApiRequest, response: ApiResponse) -> WebhookPage:
        """Return the page in a response. Raises `UnexpectedResponseError` or `WebhookRefusedError`."""

    @abstractmethod
    def create_request(self, store: StoreT, topic: str, url: str) -> ApiRequest:
        """Return the request that creates a webhook."""

    @abstractmethod
    def update_request(self, store: StoreT, webhook: RegisteredWebhook, url: str) -> ApiRequest:
        """Return the request that makes a webhook active, and sets its address."""

    @abstractmethod
    def delete_request(self, store: StoreT, webhook: RegisteredWebhook) -> ApiRequest:
        """Return the request that deletes a webhook."""

    def find_obstacle(self, store: StoreT) -> Problem | None:
        """Return why webhooks that are made by the API would be rejected here; None if they would not."""
        if not isinstance(store, AppStore) or store.client_secret in (None, *store.secrets):
            return None
        return Problem(code="webhook_secret_missing")

    def check_change(self, response: ApiResponse) -> None:
        """Check the response to one of the three requests that change something.

        Raises:
            WebhookRefusedError: the API says why it did not.
            UnexpectedResponseError: any other response.
        """
        if not response.is_success:
            raise UnexpectedResponseError


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStatus:
    """A webhook that a store has or lacks."""

    topic: str
    state: WebhookState
    webhook: RegisteredWebhook | None = None  # None: it is missing

    @property
    def problem(self) -> Problem | None:
        """What is wrong, if orders do not arrive."""
        code = PROBLEM_CODES.get(self.state)
        if code is None:
            return None
        params = {"topic": self.topic}
        if self.webhook is not None and self.state is WebhookState.ELSEWHERE:
            params["host"] = host_of(self.webhook.url)
        return Problem(code=code, params=params)


class ChangeKind(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"  # create it anew, then delete the old one: so that none is missing in between
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChange:
    """What has to be done to a webhook."""

    kind: ChangeKind
    topic: str
    webhook: RegisteredWebhook | None = None  # None: there is none yet


def compare_webhooks(
    registered: Sequence[RegisteredWebhook], *, needed_topics: Sequence[str], url: str, store_path: str
) -> list[WebhookStatus]:
    """Return the state of each needed and each registered webhook, the needed ones first.

    Args:
        url: the address at which this connector receives the store's webhooks.
        store_path: its path, `/webhooks/<store>`, by which a webhook is recognized whose host is another.
    """
    statuses: list[WebhookStatus] = []
    seen: set[str] = set()
    here = [webhook for webhook in registered if is_same_url(webhook.url, url)]
    elsewhere = [webhook for webhook in registered if webhook not in here and path_of(webhook.url).endswith(store_path)]
    for topic in needed_topics:
        candidates = sorted((item for item in here if item.topic == topic), key=_usefulness)
        candidates = candidates or sorted((item for item in elsewhere if item.topic == topic), key=_usefulness)[:1]
        if not candidates:
            statuses.append(WebhookStatus(topic=topic, state=WebhookState.MISSING))
            continue
        best, *others = candidates
        seen.update(item.id for item in candidates)
        state = best.state if best in here else WebhookState.ELSEWHERE
        statuses.append(WebhookStatus(topic=topic, state=state, webhook=best))
        statuses += [WebhookStatus(topic=topic, state=WebhookState.DUPLICATE, webhook=item) for item in others]
    for webhook in registered:
        if webhook.id not in seen:
            state = WebhookState.UNNEEDED if webhook in here else WebhookState.FOREIGN
            statuses.append(WebhookStatus(topic=webhook.topic, state=state, webhook=webhook))
    return statuses


def plan_sync(statuses: Sequence[WebhookStatus], api: WebhookApi[StoreT]) -> list[WebhookChange]:
    """Return what makes every needed webhook arrive, once. A foreign webhook is never changed."""
    changes = []
    for status in statuses:
        kind: ChangeKind | None = None
        match status.state:
            case WebhookState.MISSING:
                kind = ChangeKind.CREATE
            case WebhookState.DISABLED | WebhookState.PAUSED | WebhookState.ELSEWHERE:
                is_active = status.webhook is not None and status.webhook.state is WebhookState.OK
                kind = ChangeKind.REPLACE if api.must_replace_disabled and not is_active else ChangeKind.UPDATE
            case WebhookState.DUPLICATE:
                kind = ChangeKind.DELETE
        if kind is not None:
            changes.append(WebhookChange(kind=kind, topic=status.topic, webhook=status.webhook))
    return changes


def plan_repair(statuses: Sequence[WebhookStatus], api: WebhookApi[StoreT], *, is_managed: bool) -> list[WebhookChange]:
    """Return what is repaired without being asked.

    What a person may have decided stays: a webhook that is paused, and one that was never made.

    Args:
        is_managed: whether `sync` made all webhooks once, so that one that is missing was removed by the storefront.
    """
    repairable = {WebhookState.DISABLED, WebhookState.ELSEWHERE} | ({WebhookState.MISSING} if is_managed else set())
    leftovers = [
        status
        for status in statuses
        if status.state is WebhookState.DUPLICATE
        and status.webhook is not None
        and status.webhook.state is WebhookState.DISABLED
    ]
    return plan_sync([status for status in statuses if status.state in repairable] + leftovers, api)


def plan_removal(registered: Sequence[RegisteredWebhook], url: str) -> list[WebhookChange]:
    """Return the deletion of every webhook that points to `url`, whatever its topic."""
    return [
        WebhookChange(kind=ChangeKind.DELETE, topic=webhook.topic, webhook=webhook)
        for webhook in registered
        if is_same_url(webhook.url, url)
    ]


def is_same_url(first: str, second: str) -> bool:
    """Compare without the case of the host and without a trailing slash."""
    return _normalize(first) == _normalize(second)


def host_of(url: str) -> str:
    """Return the host of an address. The rest may be a secret."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower() or "…"
    except ValueError:
        return "…"


def public_address(status: WebhookStatus) -> str:
    """Return the address of a webhook as it may be shown: the path of another tool's may be a secret."""
    if status.webhook is None:
        return ""
    url = status.webhook.url
    return f"https://{host_of(url)}/…" if status.state is WebhookState.FOREIGN else url.partition("?")[0]


def path_of(url: str) -> str:
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""


def _normalize(url: str) -> tuple[str, ...]:
    try:
        parts = urlsplit(url.strip())
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return (url,)
    return (parts.scheme, parts.hostname or "", str(port), parts.path.rstrip("/"), parts.query)


def _usefulness(webhook: RegisteredWebhook) -> int:
    return [WebhookState.OK, WebhookState.PAUSED, WebhookState.DISABLED].index(webhook.state)
