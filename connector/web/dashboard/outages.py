"""What is down: what keeps orders from being received or sent until someone acts."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import url_for
from flask_babel import format_decimal

from connector.database.coordination import is_worker_running
from connector.database.health import CRITICAL_DISK_BYTES
from connector.database.restores import RESTORED, load_status
from connector.database.sqlite import database_file
from connector.operations.store_status import StoreStatus
from connector.runtime import Runtime
from connector.web.dashboard.blocked_accounts import BlockCause, describe_waiting, explain_block, find_blocks
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.i18n import ngettext, translate_problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    text: str
    since: datetime | None = None
    url: str | None = None  # of the page where it is mended
    link: str | None = None  # what to do there


def find_outages(runtime: Runtime, stores: Sequence[StoreStatus]) -> list[Outage]:
    """Return what is down, the worst first, in the reader's language."""
    return [
        *find_service_outages(runtime),
        *find_account_outages(runtime, stores),
        *(outage for status in stores for outage in find_webhook_outages(status)),
    ]


def find_service_outages(runtime: Runtime) -> Iterator[Outage]:
    free_bytes = free_disk_bytes(runtime)
    if free_bytes is not None and free_bytes < CRITICAL_DISK_BYTES:
        free_mib = format_decimal(free_bytes // 1024**2)
        yield Outage(text=_("The database's disk is almost full: %(free)s MiB are left.", free=free_mib))
    status = load_status(runtime.database)
    if status.restore is not None and (held := sum(status.held.values())):
        text = ngettext(
            "The database was restored from a backup. %(num)s order may have been sent before that: it is held until "
            "somebody looks for it at its destination.",
            "The database was restored from a backup. %(num)s orders may have been sent before that: they are held "
            "until somebody looks for them at their destinations.",
            held,
        )
        url = url_for("deliveries.index", state="parked", reason="held", problem=RESTORED.fingerprint)
        yield Outage(text=text, since=status.restore.noticed_at, url=url)
    if not is_worker_running(runtime.database):
        yield Outage(text=_("No worker is running: orders are received but not sent. Start one: connector worker."))


def free_disk_bytes(runtime: Runtime) -> int | None:
    """Return the free space where SQLite's file is; None on PostgreSQL."""
    url = runtime.settings.environment.database_url
    return shutil.disk_usage(database_file(url).absolute().parent).free if url.startswith("sqlite") else None


def find_account_outages(runtime: Runtime, stores: Sequence[StoreStatus]) -> Iterator[Outage]:
    """Accounts and stores' APIs that fail or reject the credentials. What a person paused is not down."""
    store_names = {status.store.id: status.name for status in stores}
    account_ids = {account.id for account in runtime.settings.accounts.values()}
    for (part, id_), block in find_blocks(runtime).items():
        if block.cause is BlockCause.PAUSED or id_ not in (account_ids if part == "account" else store_names):
            continue
        url = url_for("accounts.show") if part == "account" else url_for("stores.show", store_name=store_names[id_])
        text = f"{explain_block(runtime, block)} {describe_waiting(runtime, block)}"
        link = None
        if part == "account" and block.cause is BlockCause.UNAUTHORIZED:
            url, link = url_for("credentials.show", account=id_), _("Replace the key")
        yield Outage(text=text, since=block.since, url=url, link=link)


def find_webhook_outages(status: StoreStatus) -> Iterator[Outage]:
    """An app that is gone from a store, and webhooks that do not arrive, or that carry no order."""
    url = url_for("stores.show", store_name=status.name)
    if status.stop:
        text = f"{status.name}: {translate_problem({'code': status.stop.code})}"
        yield Outage(text=text, since=status.stop.stopped_at, url=url)
        return
    if lost := status.lost_webhooks:
        text = ngettext(
            "Webhooks of %(store)s are lost: catch-up found %(num)s order without a webhook in 24 hours.",
            "Webhooks of %(store)s are lost: catch-up found %(num)s orders without a webhook in 24 hours.",
            lost.orders,
            store=status.name,
        )
        yield Outage(text=text, since=lost.since, url=url)
    if status.webhooks and status.webhooks.problems:
        problem = translate_problem(status.webhooks.problems[0])
        text = _("Webhooks of %(store)s do not arrive: %(problem)s", store=status.name, problem=problem)
        yield Outage(text=text, since=status.webhooks.failed_since, url=url)
    for error in status.errors:
        if not error.is_of_one_order:
            problem = translate_problem({"code": error.code})
            text = _("%(store)s sends errors in place of orders: %(problem)s", store=status.name, problem=problem)
            yield Outage(text=text, since=error.since, url=url)
