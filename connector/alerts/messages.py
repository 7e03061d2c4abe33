"""Composes alert messages: what happened, why, what to do, and where to see it. Pure.

Messages hold no personal data: an order is named by its number and store, a problem by its field without the value.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

from connector.clients.notifiers import Message
from connector.core.messages import render_stored
from connector.database.alerts import CONDITION_KINDS
from connector.database.circuits import parse_circuit
from connector.database.models import Alert
from mappings.problems import load_problems, render_cause

RESOLVED_TEXT = "No action needed."
#: Of parked orders that were to be discarded.
EXPIRED_TEXT = "What nobody acted on was discarded: see `connector list --reason expired`."
MAX_CAUSE_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The part of a message that is about one alert."""

    kind: str
    title: str
    lines: list[str]
    to_do: str
    link: str  # a URL, or a command if `public_url` is not configured
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    title: str  # for one order
    plural_title: str  # for several, with {n}
    to_do: str


WORDINGS: Mapping[str, Wording] = {
    "unmappable": Wording(
        title="An order was not sent to {account}: something in it is missing or wrong",
        plural_title="{n} orders were not sent to {account}: something in them is missing or wrong",
        to_do="Correct the order in the store: the connector retries as soon as the store reports the change. If a"
        " connector setting is missing, fix it, then press Retrigger on the page.",
    ),
    "refused": Wording(
        title="{account} refused an order",
        plural_title="{account} refused {n} orders",
        to_do="The page shows the response of {account}. Correct what it names, then press Retrigger there.",
    ),
    "uncertain": Wording(
        title="An order may or may not have arrived at {account}",
        plural_title="{n} orders may or may not have arrived at {account}",
        to_do="Look for it at {account}. If it is there, resolve it on the page as delivered, with its id at {account}."
        " If it is not, retrigger it with force. It is not retried automatically, since that could duplicate it.",
    ),
    "exhausted": Wording(
        title="The connector gave up sending an order to {account}: it did not arrive",
        plural_title="The connector gave up sending {n} orders to {account}: they did not arrive",
        to_do="When {account} accepts orders again, press Retrigger on the page.",
    ),
    "held": Wording(
        title="An order for {account} is held: a person must decide whether to send it",
        plural_title="{n} orders for {account} are held: a person must decide whether to send them",
        to_do="Check it in the store. If it must be sent, press Retrigger on the page. If not, discard it there.",
    ),
    "attention": Wording(
        title="An order at {account} needs attention",
        plural_title="{n} orders at {account} need attention",
        to_do="Compare the order in the store with the one at {account}, and correct it there.",
    ),
    "privacy": Wording(
        title="A request about personal data waits for a person",
        plural_title="{n} requests about personal data wait for a person",
        to_do="Open it on the page, see which orders it is about, and erase or export what is kept of them.",
    ),
    "stopped": Wording(
        title="The app does not work in store {store} any more: orders that must be fetched there are held",
        plural_title="",
        to_do="Nothing is lost. When the app works there again, press Resume on the store's page, or run `connector"
        " resume-store {store}`: the orders that are held are sent then.",
    ),
    "signature": Wording(
        title="Webhooks for store {store} have a wrong signature",
        plural_title="",
        to_do="They were answered with 401 and are not stored. Compare the webhook's secret in the store with `secrets`"
        " of the store in the configuration. Once it is right, send the orders that were missed with `connector"
        " trigger`. If the store's own webhooks arrive, somebody else sends these, and there is nothing to correct.",
    ),
    "store_errors": Wording(
        title="Store {store} sends errors in place of orders",
        plural_title="",
        to_do="Correct the cause in the store. Its orders did not arrive and are not sent again: save each there once"
        " more. This is over when an order arrives and no error came for an hour.",
    ),
    "webhooks": Wording(
        title="Webhooks of store {store} are missing or do not arrive",
        plural_title="",
        to_do="Correct the cause, then press Repair webhooks on the store's page, or run `connector webhooks sync"
        " --store {store}`.",
    ),
    "catch_up": Wording(
        title="The orders of store {store} cannot be read, so an order without a webhook would not be noticed",
        plural_title="",
        to_do="`connector doctor` checks the store's API. The connector keeps trying, and reads what it missed.",
    ),
    "lost_webhooks": Wording(
        title="Some webhooks of store {store} do not arrive",
        plural_title="",
        to_do="Catch-up found the orders in the store, so they are sent, but late. Check the store's webhooks with"
        " `connector webhooks list`, and repair them with `connector webhooks sync`.",
    ),
    "expiring": Wording(
        title="Parked orders for {account} will be discarded soon",
        plural_title="",
        to_do="Send or discard each. Nobody has acted on them for so long that `keep_parked_days` ends, and they have"
        " not been sent. A correction keeps an order, too.",
    ),
    "differences": Wording(
        title="A recent record is inconsistent",
        plural_title="{n} recent records are inconsistent",
        to_do="`connector reconcile` lists them all. An order may be missing: compare with the store.",
    ),
    "circuit": Wording(
        title="{account} is not accepting orders",
        plural_title="",
        to_do="Its orders wait, and none is lost. The connector retries automatically.",
    ),
    "backlog": Wording(
        title="Orders for {account} are overdue and no worker sends them",
        plural_title="",
        to_do="Check that `connector serve` or `connector worker` is running and that its log has no errors. If it is"
        " running, it is too slow: raise the account's `concurrency` or `rate_per_s`.",
    ),
    "worker": Wording(
        title="No worker is running: orders are stored, but not sent",
        plural_title="",
        to_do="Read the log of `connector serve` or `connector worker`: `worker_ended` says how the worker ended."
        " `connector serve` keeps starting it. `connector doctor` says what is wrong with the configuration.",
    ),
    "restored": Wording(
        title="The database was restored from a backup, and orders that may have been sent before are held",
        plural_title="",
        to_do="Look for each at its destination. If it is there, mark it as delivered; if it is not, retrigger it."
        " `connector restored --show` says how many there are, and how to do it for all at once. This is over when none"
        " is left.",
    ),
    "silent": Wording(
        title="Store {store} has not sent a webhook for more than {hours} hours",
        plural_title="",
        to_do="Check in the store that its webhook still exists and is active: platforms remove webhooks that fail for"
        " days. Send orders that were missed with `connector trigger`.",
    ),
}
#: Conditions that may have several causes.
KINDS_WITH_CAUSE = ("signature", "store_errors", "webhooks", "catch_up", "lost_webhooks", "stopped", "expiring")
UNAUTHORIZED_TEXT = "It rejects the credentials: replace the key on the page Accounts, or in the configuration."
STORE_UNAUTHORIZED_TEXT = "It rejects the credentials, or its app has no token: `connector doctor` says what to do."


def build_section(alert: Alert, last_notice: Mapping[str, Any], public_url: str | None) -> Section:
    """Return what is new about an alert since its last notice."""
    wording = WORDINGS[alert.kind]
    new_count = alert.orders - last_notice.get("orders", 0)
    is_over = alert.kind in CONDITION_KINDS and alert.ended_at is not None
    account = account_label(alert.account)
    silent_until = alert.ended_at or alert.last_at
    hours = int((silent_until - alert.since).total_seconds() // 3_600)
    params = {"account": account, "store": alert.store, "n": new_count, "hours": hours}
    title = (wording.title if new_count == 1 or alert.kind in CONDITION_KINDS else wording.plural_title).format(
        **params
    )
    title = f"Resolved: {title}" if is_over else title
    is_unauthorized = any(cause["code"] == "credentials_rejected" for cause in alert.causes)
    to_do = wording.to_do.format(**params)
    if is_unauthorized:
        is_store = parse_circuit(alert.account or "")[0] == "store"
        to_do = STORE_UNAUTHORIZED_TEXT if is_store else UNAUTHORIZED_TEXT
    if is_over:
        to_do = EXPIRED_TEXT if alert.kind == "expiring" else RESOLVED_TEXT
    examples = alert.examples[:new_count]
    link = page_or_command(alert, examples, public_url)
    return Section(
        kind=alert.kind,
        title=title,
        lines=order_lines(alert, examples, new_count, is_first=not last_notice) if examples else period_lines(alert),
        to_do=to_do,
        link=link,
        payload={
            "kind": alert.kind,
            "account": alert.account,
            "store": alert.store,
            "cause": render_causes(alert),
            "is_over": is_over,
            "new_orders": new_count,
            "orders_in_all": alert.orders,
            "since": alert.since.isoformat(),
            "at": alert.last_at.isoformat(),
            "orders": [render_example(example) for example in examples],
            "title": title,
            "to_do": to_do,
            "see": link,
        },
    )


def order_lines(alert: Alert, examples: Sequence[Mapping[str, Any]], new_count: int, *, is_first: bool) -> list[str]:
    cause = render_causes(alert)
    return [
        *([cause] if cause else []),
        *map(example_label, examples),
        *([f"and {new_count - len(examples)} more"] if new_count > len(examples) else []),
        *([] if is_first else [f"{alert.orders} in total since {format_time(alert.since)}."]),
    ]


def render_causes(alert: Alert) -> str:
    return " ".join(map(render_cause, load_problems(alert.causes)))[:MAX_CAUSE_LENGTH]


def period_lines(alert: Alert) -> list[str]:
    cause = render_causes(alert) if alert.kind in KINDS_WITH_CAUSE else ""
    return [*([f"Why: {cause.removesuffix('.')}."] if cause else []), format_period(alert)]


def format_period(alert: Alert) -> str:
    if alert.ended_at is None:
        return f"Since {format_time(alert.since)}."
    return f"From {format_time(alert.since)} to {format_time(alert.ended_at)}."


def account_label(account: str | None) -> str:
    """Return the account's name, or that of the store whose API the circuit is for."""
    kind, id_ = parse_circuit(account or "")
    return f"The API of store {id_}" if kind == "store" else id_


def render_example(example: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example with its message as a sentence."""
    return {**example, "what": render_stored(example["what"])} if "what" in example else dict(example)


def example_label(example: Mapping[str, Any]) -> str:
    """Return what an alert counts: an order, or a request about personal data."""
    if "request" not in example:
        return order_label(example)
    return f"Request {example['request']} of {example['store']}, {example['kind']}, due on {example['due_at'][:10]}"


def order_label(example: Mapping[str, Any]) -> str:
    detail = f": {render_stored(example['what'])}" if example.get("what") else ""
    number = str(example["order"] or "?").removeprefix("#")
    return f"Order #{number} of {example['store']}{detail}"


def format_time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def page_or_command(alert: Alert, examples: Sequence[Mapping[str, Any]], public_url: str | None) -> str:
    """Return the URL of the page about it; without `public_url`, the command that shows the same."""
    delivery_ids = [example["delivery"] for example in examples if example.get("delivery")]
    filters = {"state": "parked", "reason": alert.kind, "account": alert.account or ""}
    match alert.kind:
        case "differences":
            return "connector reconcile"
        case "silent" | "store_errors":
            path, command = (
                f"/events?{urlencode({'store': alert.store})}",
                f"connector list --events --store {alert.store}",
            )
        case "signature":
            path, command = "/accounts", "connector doctor"
        case "privacy" if alert.orders == 1 and examples:
            request_id = examples[0]["request"]
            path, command = f"/privacy/{request_id}", f"connector privacy list --request {request_id}"
        case "privacy":
            path, command = "/privacy", "connector privacy list"
        case "stopped":
            path, command = f"/stores/{quote(alert.store or '')}", "connector doctor"
        case "webhooks":
            path, command = "/stores", f"connector webhooks list --store {alert.store}"
        case "catch_up" | "lost_webhooks":
            path, command = "/stores", "connector doctor"
        case "worker":
            path, command = "/", "connector doctor"
        case "restored":
            path, command = "/deliveries?state=parked&reason=held", "connector restored --show"
        case "expiring":
            path = f"/deliveries?{urlencode({'state': 'parked', 'account': alert.account or ''})}"
            command = f"connector list --state parked --account {alert.account}"
        case "circuit" | "backlog":
            path, command = "/accounts", "connector accounts"
        case _ if (len(delivery_ids) == 1 and alert.orders == 1) or alert.kind == "attention":
            path, command = f"/deliveries/{quote(delivery_ids[0])}", f"connector show {delivery_ids[0]}"
        case _:
            path = f"/deliveries?{urlencode(filters)}"
            command = f"connector list --state parked --reason {alert.kind} --account {alert.account}"
    return f"{public_url}{path}" if public_url else command


def compose_message(sections: Sequence[Section]) -> Message:
    """Return one message with all sections."""
    first = sections[0].title
    subject = first if len(sections) == 1 else f"{first}, and {len(sections) - 1} more"
    texts = [
        "\n".join(
            [section.title + ".", *(f"  {line}" for line in section.lines), section.to_do, f"See: {section.link}"]
        )
        for section in sections
    ]
    slack = [
        "\n".join(
            [
                f"*{escape(section.title)}*",
                *(f"• {escape(line)}" for line in section.lines),
                escape(section.to_do),
                slack_link(section.link),
            ]
        )
        for section in sections
    ]
    payload = {"alerts": [section.payload for section in sections]}
    return Message(
        id=f"alert_{sha256(json.dumps(payload).encode()).hexdigest()[:32]}",
        subject=subject,
        text="\n\n".join(texts) + "\n",
        slack="\n\n".join(slack),
        payload=payload,
    )


def compose_test_message(public_url: str | None, now: datetime) -> Message:
    """Return a message that only shows that messages arrive."""
    title, to_do = "This is a test of the connector's alerts", "Nothing is wrong. Alerts will arrive here."
    target = f"{public_url}/" if public_url else "connector list --state parked"
    payload = {"kind": "trial", "title": title, "to_do": to_do, "see": target, "at": now.isoformat()}
    return compose_message([Section(kind="trial", title=title, lines=[], to_do=to_do, link=target, payload=payload)])


def escape(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping, read 2026-11-22: only these three."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_link(target: str) -> str:
    return f"<{escape(target)}|Open the page>" if target.startswith("http") else f"See: `{escape(target)}`"
