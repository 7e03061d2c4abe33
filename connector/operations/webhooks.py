"""Lists, creates, repairs and removes the webhooks of stores through their storefronts' APIs.

Changes only webhooks that point to this connector, or to its path for the store on another host. If something else
answers at `public_url`, nothing is changed. If nothing answers, a worker changes nothing, because WooCommerce disables
a failing webhook and repeats no delivery. A person may still create webhooks then, because in many networks a machine
cannot reach its own public address.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic, sleep
from urllib.parse import urlsplit

from connector.clients.http import Client
from connector.clients.storefront_api import StoreApi
from connector.clients.tls import tls_context
from connector.core.http_result import HttpResult
from connector.core.messages import build_message
from connector.core.worker_id import new_worker_id
from connector.database.coordination import acquire_lock, release_lock, release_lock_of_dead_holder
from connector.database.store_requests import record_webhook_action
from connector.database.store_status import load_webhook_checks
from connector.database.store_webhooks import record_webhook_check, set_webhooks_managed
from connector.operations.probe import open_store_apis
from connector.runtime import Runtime, open_store_api, stop_reason
from connector.settings import Settings
from mappings.problems import Problem
from mappings.settings import Store
from mappings.store_api import ApiRequest, ApiResponse, UnexpectedResponseError
from mappings.webhook_api import (
    ChangeKind,
    RegisteredWebhook,
    WebhookApi,
    WebhookChange,
    WebhookRefusedError,
    WebhookState,
    WebhookStatus,
    compare_webhooks,
    is_same_url,
    plan_removal,
    plan_repair,
    plan_sync,
)

HEALTH_PATH = "/health/ready"
HEALTH_TIMEOUT_S = 10.0
#: WooCommerce calls the address before it answers, and waits 5 s for it.
REQUEST_TIMEOUT_S = 30.0
#: A list that does not end is broken.
MAX_PAGES = 50
WEBHOOKS_LOCK = "webhooks"
#: How long the lock outlives a process that died, and how long a command waits for it.
LOCK_TTL_S, LOCK_WAIT_S = 600.0, 30.0
LOCK_CHECK_S = 0.2


class WebhooksUnavailableError(Exception):
    """A store's webhooks cannot be listed or changed. `problem` says why, without a secret."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksReport:
    """What a store's webhooks are, and what was done to them."""

    store: Store
    statuses: list[WebhookStatus] = field(default_factory=list)
    changes: list[WebhookChange] = field(default_factory=list)  # done, or planned in a dry run
    problems: list[Problem] = field(default_factory=list)  # changes that failed
    warnings: list[Problem] = field(default_factory=list)  # what a person should check
    error: Problem | None = None  # why nothing could be listed, or nothing changed
    blind_spot: Problem | None = None  # what the API does not show

    @property
    def is_complete(self) -> bool:
        """Whether every needed webhook is there and active, and nothing failed."""
        return not (self.error or self.problems or any(status.problem for status in self.statuses))

    @property
    def has_own(self) -> bool:
        """Whether the API shows a webhook that points to this connector."""
        return any(status.state not in (WebhookState.MISSING, WebhookState.FOREIGN) for status in self.statuses)

    def problems_to_report(self, *, is_managed: bool) -> list[Problem]:
        """Return what a person must know.

        Where no webhook points here, a person may have removed them, or made them where the API does not show them.

        Args:
            is_managed: whether `sync` made the webhooks.
        """
        is_expected = is_managed or self.has_own
        states = [status.problem for status in self.statuses if status.problem and is_expected]
        return [*states, *self.problems]


def webhook_path(store: Store) -> str:
    return f"/webhooks/{store.name}"


class StoreWebhookClient:
    """The webhooks of one store. Its methods raise `WebhooksUnavailableError`."""

    def __init__(self, settings: Settings, api: StoreApi) -> None:
        self.settings = settings
        self.api = api
        self.store = api.store
        url = settings.webhook_url(api.store)
        if url is None:
            raise WebhooksUnavailableError(build_message("public_url_missing"))
        self.url = url
        if api.storefront.webhook_api is None:
            raise WebhooksUnavailableError(build_message("storefront_without_webhook_api"))
        self.webhook_api: WebhookApi[Store] = api.storefront.webhook_api

    def report(self) -> WebhooksReport:
        statuses = self._compare(self.read())
        return WebhooksReport(store=self.store, statuses=statuses, blind_spot=self.webhook_api.blind_spot)

    def sync(self, *, is_dry_run: bool = False) -> WebhooksReport:
        """Create, repair and delete until every needed webhook is there once."""
        report = self.report()
        changes = plan_sync(report.statuses, self.webhook_api)
        return replace(report, changes=changes) if is_dry_run else self._apply(report, changes, is_requested=True)

    def repair(self, *, is_managed: bool) -> WebhooksReport:
        """Do what `sync` does, except for what a person may have decided.

        A webhook that points to an address where another connector answers is left to that one.
        """
        report = self.report()
        changes = [
            change
            for change in plan_repair(report.statuses, self.webhook_api, is_managed=is_managed)
            if not self._is_of_other_connector(change)
        ]
        return self._apply(report, changes, is_requested=False)

    def remove(self, *, is_dry_run: bool = False) -> WebhooksReport:
        """Delete the webhooks that point to this connector."""
        registered = self.read()
        changes = plan_removal(registered, self.url)
        report = WebhooksReport(store=self.store, statuses=self._compare(registered), changes=changes)
        return report if is_dry_run else self._carry_out(report, changes)

    def read(self) -> list[RegisteredWebhook]:
        """Return all webhooks that the API shows."""
        webhooks: list[RegisteredWebhook] = []
        request: ApiRequest | None = self.webhook_api.list_request(self.store)
        for _ in range(MAX_PAGES):
            if request is None:
                return webhooks
            result = self._send(request)
            if result.status is None or not result.was_sent:  # for lack of a token, for example
                raise WebhooksUnavailableError(build_message("webhooks_not_listed", error=result.failure))
            if result.status in (401, 403):
                raise WebhooksUnavailableError(build_message("webhooks_credentials_rejected", status=result.status))
            try:
                page = self.webhook_api.read_page(self.store, request, to_response(result))
            except WebhookRefusedError as error:
                raise WebhooksUnavailableError(error.problem) from error
            except UnexpectedResponseError as error:
                raise WebhooksUnavailableError(
                    build_message("webhooks_not_listed", error=describe_failure(result))
                ) from error
            webhooks += page.webhooks
            request = page.next_request
        raise WebhooksUnavailableError(
            build_message("webhooks_not_listed", error=build_message("unexpected_response", status=200))
        )

    def _compare(self, registered: Sequence[RegisteredWebhook]) -> list[WebhookStatus]:
        topics = {topic for route in self.settings.routes_of(self.store.id) for topic in route.topics}
        return compare_webhooks(
            registered,
            needed_topics=self.webhook_api.needed_topics(topics),
            url=self.url,
            store_path=webhook_path(self.store),
        )

    def _apply(self, report: WebhooksReport, changes: Sequence[WebhookChange], *, is_requested: bool) -> WebhooksReport:
        """Carry out the changes, unless webhooks that they make would be lost.

        Args:
            is_requested: a person asked for it, so that an address which this machine does not reach is a warning.
        """
        if any(change.kind is not ChangeKind.DELETE for change in changes):
            if obstacle := self.webhook_api.find_obstacle(self.store):
                return replace(report, error=obstacle)
            check = check_address(self.settings.public_url or "")
            params = {"url": f"{self.settings.public_url}{HEALTH_PATH}", "error": check.failure}
            if check.failure is not None and (check.is_answered or not is_requested):
                return replace(report, error=build_message("public_url_unreachable", **params))
            if check.failure is not None:
                report = replace(report, warnings=[build_message("public_url_not_reached", **params)])
        return self._carry_out(report, changes)

    def _carry_out(self, report: WebhooksReport, changes: Sequence[WebhookChange]) -> WebhooksReport:
        if not changes:
            return report
        done: list[WebhookChange] = []
        problems: list[Problem] = []
        for change in changes:
            try:
                for request, is_deletion in self._requests(change):
                    self._change(request, is_deletion=is_deletion)
            except WebhooksUnavailableError as error:
                problems.append(build_message("webhook_not_changed", topic=change.topic, error=error.problem))
            else:
                done.append(change)
        report = replace(report, changes=done, problems=problems)
        try:  # what was really changed: a request without a response may have been carried out
            return replace(report, statuses=self._compare(self.read()))
        except WebhooksUnavailableError as error:
            return replace(report, error=error.problem)

    def _requests(self, change: WebhookChange) -> Iterator[tuple[ApiRequest, bool]]:
        """Yield the requests of a change, each with whether it deletes. One that fails is the last."""
        webhook = change.webhook
        if change.kind in (ChangeKind.CREATE, ChangeKind.REPLACE):
            yield self.webhook_api.create_request(self.store, change.topic, self.url), False
        if webhook is not None and change.kind is ChangeKind.UPDATE:
            yield self.webhook_api.update_request(self.store, webhook, self.url), False
        if webhook is not None and change.kind in (ChangeKind.REPLACE, ChangeKind.DELETE):
            yield self.webhook_api.delete_request(self.store, webhook), True

    def _change(self, request: ApiRequest, *, is_deletion: bool) -> None:
        result = self._send(request)
        if result.status is None:
            raise WebhooksUnavailableError(result.failure)
        if is_deletion and result.status == 404:  # it is gone already
            return
        try:
            self.webhook_api.check_change(to_response(result))
        except WebhookRefusedError as error:
            raise WebhooksUnavailableError(error.problem) from error
        except UnexpectedResponseError as error:
            raise WebhooksUnavailableError(describe_failure(result)) from error

    def _send(self, request: ApiRequest) -> HttpResult:
        return self.api.request(
            request.method, request.path, timeout_s=REQUEST_TIMEOUT_S, query=request.query, data=request.data
        )

    def _is_of_other_connector(self, change: WebhookChange) -> bool:
        if change.webhook is None or is_same_url(change.webhook.url, self.url):
            return False
        base_url = change.webhook.url.rstrip("/").removesuffix(webhook_path(self.store))
        return urlsplit(base_url).hostname is not None and check_address(base_url).failure is None


def to_response(result: HttpResult) -> ApiResponse:
    return ApiResponse(status=result.status or 0, headers=result.headers, data=result.parse_json())


def describe_failure(result: HttpResult) -> Problem:
    return result.failure if not result.is_success else build_message("unexpected_response", status=result.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressCheck:
    failure: Problem | None  # why no connector answers there; None: one does
    is_answered: bool  # something answers


def check_address(base_url: str) -> AddressCheck:
    """Return whether a connector answers below an address.

    A redirect is a failure, too: storefronts do not follow it, and WooCommerce even counts it as delivered. Seen on
    WooCommerce 10.0.2 and 10.5.0, 2026-11-30.
    """
    client = Client(base_url, headers={}, ssl_context=tls_context(), keep_alive=False)
    try:
        result = client.request("GET", HEALTH_PATH, timeout_s=HEALTH_TIMEOUT_S)
    finally:
        client.close()
    is_answered = result.status is not None
    if result.status != 200 or result.error is not None:
        return AddressCheck(failure=result.failure, is_answered=is_answered)
    data = result.parse_json()
    is_connector = isinstance(data, dict) and data.get("status") == "ok" and "worker" in data
    failure = None if is_connector else build_message("not_the_connector")
    return AddressCheck(failure=failure, is_answered=is_answered)


def check_webhooks(settings: Settings, api: StoreApi) -> WebhooksReport:
    """List a store's webhooks, and change nothing. Opens no database."""
    try:
        return StoreWebhookClient(settings, api).report()
    except WebhooksUnavailableError as error:
        return WebhooksReport(store=api.store, error=error.problem)


def probe_webhooks(settings: Settings) -> list[WebhooksReport]:
    """List the webhooks of every store whose API can, if `public_url` says where they point."""
    if settings.public_url is None:
        return []
    with open_store_apis(settings) as store_apis:
        return [check_webhooks(settings, api) for api in store_apis if api.storefront.webhook_api is not None]


def list_webhooks(runtime: Runtime, store: Store) -> WebhooksReport:
    """List a store's webhooks, and change nothing."""
    if stop := stop_reason(runtime.database, store):
        return WebhooksReport(store=store, error=stop)
    with open_store_api(runtime, store) as api:
        return _without_api(store) if api is None else check_webhooks(runtime.settings, api)


def sync_webhooks(
    runtime: Runtime, store: Store, *, is_dry_run: bool = False, actor: str | None = None
) -> WebhooksReport:
    """Create every webhook that the store's routes need, and repair those that do not arrive.

    From then on, a worker recreates those that the storefront removes.

    Args:
        actor: who is recorded to have asked for it; None if that is on record.
    """
    if stop := stop_reason(runtime.database, store):
        return WebhooksReport(store=store, error=stop)
    if is_dry_run:
        return _run(runtime, store, lambda client: client.sync(is_dry_run=True))
    with _webhooks_lock(runtime) as has_lock:
        if not has_lock:
            return WebhooksReport(store=store, error=build_message("webhooks_being_changed"))
        if actor is not None:
            record_webhook_action(runtime.database, store.id, "sync-webhooks", actor)
        report = _run(runtime, store, lambda client: client.sync())
        if report.error is None:
            set_webhooks_managed(runtime.database, store.id, is_managed=True)
        _record(runtime, report, is_managed=True)
        return report


def repair_webhooks(runtime: Runtime, store: Store) -> WebhooksReport | None:
    """Repair a store's webhooks, except for what a person may have decided. None: another process is at it."""
    with _webhooks_lock(runtime, wait_s=0.0) as has_lock:
        if not has_lock:
            return None
        row = load_webhook_checks(runtime.database).get(store.id)
        is_managed = row is not None and row.managed_since is not None
        report = _run(runtime, store, lambda client: client.repair(is_managed=is_managed))
        _record(runtime, report, is_managed=is_managed)
        return report


def remove_webhooks(runtime: Runtime, store: Store, *, actor: str, is_dry_run: bool = False) -> WebhooksReport:
    """Delete the store's webhooks that point to this connector. A worker does not make them again."""
    if stop := stop_reason(runtime.database, store):
        return WebhooksReport(store=store, error=stop)
    if is_dry_run:
        return _run(runtime, store, lambda client: client.remove(is_dry_run=True))
    with _webhooks_lock(runtime) as has_lock:
        if not has_lock:
            return WebhooksReport(store=store, error=build_message("webhooks_being_changed"))
        record_webhook_action(runtime.database, store.id, "remove-webhooks", actor)
        set_webhooks_managed(runtime.database, store.id, is_managed=False)
        return _run(runtime, store, lambda client: client.remove())


def _run(runtime: Runtime, store: Store, operation: Callable[[StoreWebhookClient], WebhooksReport]) -> WebhooksReport:
    with open_store_api(runtime, store) as api:
        if api is None:
            return _without_api(store)
        try:
            return operation(StoreWebhookClient(runtime.settings, api))
        except WebhooksUnavailableError as error:
            return WebhooksReport(store=store, error=error.problem)


def _without_api(store: Store) -> WebhooksReport:
    return WebhooksReport(store=store, error=build_message("store_without_api"))


def _record(runtime: Runtime, report: WebhooksReport, *, is_managed: bool) -> None:
    problems = report.problems_to_report(is_managed=is_managed)
    # Where a person makes the webhooks, the key need not be one that may read them.
    is_failing = bool(problems) or (report.error is not None and (is_managed or report.has_own))
    record_webhook_check(
        runtime.database, report.store.id, problems=problems, error=report.error, is_failing=is_failing
    )


@contextmanager
def _webhooks_lock(runtime: Runtime, *, wait_s: float = LOCK_WAIT_S) -> Iterator[bool]:
    """Let one process at a time change webhooks: two would make each of them twice."""
    holder, deadline = new_worker_id(), monotonic() + wait_s
    while True:
        release_lock_of_dead_holder(runtime.database, WEBHOOKS_LOCK)
        has_lock = acquire_lock(runtime.database, WEBHOOKS_LOCK, holder, lease_s=LOCK_TTL_S)
        if has_lock or monotonic() >= deadline:
            break
        sleep(LOCK_CHECK_S)
    try:
        yield has_lock
    finally:
        if has_lock:
            release_lock(runtime.database, WEBHOOKS_LOCK, holder)
