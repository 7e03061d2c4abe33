"""Says what people are told: what happened, why, what to do, and where to see it. Pure; holds nobody's data.

An order is named by its number and its store. Of its problems only the fields are named, never what stands in them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

from connector.clients.notifiers import Message
from connector.database.alerts import CONDITION_KINDS
from connector.database.circuits import parse_circuit
from connector.database.models import Alert

OVER_TEXT = "It is over."


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What is told of one alert."""

    kind: str
    title: str
    lines: list[str]
    to_do: str
    link: str  # an address, or a command where the service's own is not configured
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    title: str  # of one order
    plural_title: str  # of several: {n} of them
    to_do: str


WORDINGS: Mapping[str, Wording] = {
    "unmappable": Wording(
        title="An order was not sent to {account}: something in it is missing or wrong",
        plural_title="{n} orders were not sent to {account}: something in them is missing or wrong",
        to_do="Correct the order in the store: as soon as the store tells of the change, it goes on by itself. If a"
        " setting of the connector is what lacks, correct that, then press Retrigger on the page.",
    ),
    "refused": Wording(
        title="{account} refused an order",
        plural_title="{account} refused {n} orders",
        to_do="The page shows what {account} answered. Correct what it names, then press Retrigger there.",
    ),
    "uncertain": Wording(
        title="An order may or may not have arrived at {account}",
        plural_title="{n} orders may or may not have arrived at {account}",
        to_do="Look for it at {account}. If it is there, resolve it on the page as delivered, with the id that it has"
        " there. If it is not, retrigger it with force. It is not sent again by itself: that could double it.",
    ),
    "exhausted": Wording(
        title="The connector gave up sending an order to {account}: it surely did not arrive",
        plural_title="The connector gave up sending {n} orders to {account}: they surely did not arrive",
        to_do="When {account} takes orders again, press Retrigger on the page.",
    ),
    "attention": Wording(
        title="An order at {account} needs a look",
        plural_title="{n} orders at {account} need a look",
        to_do="Compare the order in the store with the one at {account}, and correct it there.",
    ),
    "differences": Wording(
        title="One thing on record does not add up",
        plural_title="{n} things on record do not add up",
        to_do="`connector reconcile` lists them all. An order may be missing: compare with the store.",
    ),
    "circuit": Wording(
        title="{account} takes no orders at present",
        plural_title="",
        to_do="Its orders wait, and none is lost. It is tried again by itself every now and then.",
    ),
    "backlog": Wording(
        title="Orders for {account} are waiting and nothing takes them",
        plural_title="",
        to_do="See that `connector serve` or `connector worker` runs and that its log has no errors. If it does, it is"
        " too slow: raise the account's `concurrency` or `rate_per_s`.",
    ),
    "silent": Wording(
        title="Store {store} has sent no webhook for long",
        plural_title="",
        to_do="See in the store that its webhook is still there and active: platforms remove one that failed for days."
        " Orders that were missed can be brought in with `connector trigger`.",
    ),
}
UNAUTHORIZED_TEXT = "It refuses the credentials: correct the key in the configuration and start the service again."


def build_section(alert: Alert, last_notice: Mapping[str, Any], public_url: str | None) -> Section:
    """What there is to tell of an alert since it was told last."""
    wording = WORDINGS[alert.kind]
    new_count = alert.orders - last_notice.get("orders", 0)
    is_over = alert.kind in CONDITION_KINDS and alert.ended_at is not None
    account = account_label(alert.account)
    params = {"account": account, "store": alert.store, "n": new_count}
    title = (wording.title if new_count == 1 or alert.kind in CONDITION_KINDS else wording.plural_title).format(
        **params
    )
    title = f"Over: {title}" if is_over else title
    to_do = UNAUTHORIZED_TEXT if alert.cause == "unauthorized" else wording.to_do.format(**params)
    to_do = OVER_TEXT if is_over else to_do
    examples = alert.examples[:new_count]
    link = page_or_command(alert, examples, public_url)
    return Section(
        kind=alert.kind,
        title=title,
        lines=order_lines(alert, examples, new_count, is_first=not last_notice) if examples else [format_period(alert)],
        to_do=to_do,
        link=link,
        payload={
            "kind": alert.kind,
            "account": alert.account,
            "store": alert.store,
            "cause": alert.cause,
            "is_over": is_over,
            "new_orders": new_count,
            "orders_in_all": alert.orders,
            "since": alert.since.isoformat(),
            "at": alert.last_at.isoformat(),
            "orders": examples,
            "title": title,
            "to_do": to_do,
            "see": link,
        },
    )


def order_lines(alert: Alert, examples: Sequence[Mapping[str, Any]], new_count: int, *, is_first: bool) -> list[str]:
    return [
        *([alert.cause] if alert.cause else []),
        *map(order_label, examples),
        *([f"and {new_count - len(examples)} more"] if new_count > len(examples) else []),
        *([] if is_first else [f"{alert.orders} in all since {format_time(alert.since)}."]),
    ]


def format_period(alert: Alert) -> str:
    if alert.ended_at is None:
        return f"Since {format_time(alert.since)}."
    return f"From {format_time(alert.since)} to {format_time(alert.ended_at)}."


def account_label(account: str | None) -> str:
    """As people know it; a store's API has a circuit too."""
    kind, id_ = parse_circuit(account or "")
    return f"The API of store {id_}" if kind == "store" else id_


def order_label(example: Mapping[str, Any]) -> str:
    detail = f": {example['what']}" if example.get("what") else ""
    number = str(example["order"] or "?").removeprefix("#")
    return f"Order #{number} of {example['store']}{detail}"


def format_time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def page_or_command(alert: Alert, examples: Sequence[Mapping[str, Any]], public_url: str | None) -> str:
    """The page about it; without an address of ours, the command that shows the same."""
    delivery_ids = [example["delivery"] for example in examples if example.get("delivery")]
    filters = {"state": "parked", "reason": alert.kind, "account": alert.account or ""}
    match alert.kind:
        case "differences":
            return "connector reconcile"
        case "silent":
            path, command = (
                f"/events?{urlencode({'store': alert.store})}",
                f"connector list --events --store {alert.store}",
            )
        case "circuit" | "backlog":
            path, command = "/accounts", "connector accounts"
        case _ if (len(delivery_ids) == 1 and alert.orders == 1) or alert.kind == "attention":
            path, command = f"/deliveries/{quote(delivery_ids[0])}", f"connector show {delivery_ids[0]}"
        case _:
            path = f"/deliveries?{urlencode(filters)}"
            command = f"connector list --state parked --reason {alert.kind} --account {alert.account}"
    return f"{public_url}{path}" if public_url else command


def compose_message(sections: Sequence[Section]) -> Message:
    """One message for all that is told at once."""
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
    """A message that says only that messages arrive."""
    title, to_do = "This is a trial of the connector's alerts", "Nothing is wrong. Alerts will come to this place."
    target = f"{public_url}/" if public_url else "connector list --state parked"
    payload = {"kind": "trial", "title": title, "to_do": to_do, "see": target, "at": now.isoformat()}
    return compose_message([Section(kind="trial", title=title, lines=[], to_do=to_do, link=target, payload=payload)])


def escape(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping, read 2026-11-22: these three alone."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_link(target: str) -> str:
    return f"<{escape(target)}|Open the page>" if target.startswith("http") else f"See: `{escape(target)}`"
