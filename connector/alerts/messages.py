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
from connector.database.alerts import STATES
from connector.database.models import Alert

CLOSED_AGAIN = "It is over."


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What is told of one alert."""

    kind: str
    title: str
    lines: list[str]
    to_do: str
    link: str  # an address, or a command where the service's own is not configured
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    title: str  # of one order
    titles: str  # of several: {n} of them
    to_do: str


WORDS: Mapping[str, Words] = {
    "unmappable": Words(
        title="An order was not sent to {account}: something in it is missing or wrong",
        titles="{n} orders were not sent to {account}: something in them is missing or wrong",
        to_do="Correct the order in the store: as soon as the store tells of the change, it goes on by itself. If a"
        " setting of the connector is what lacks, correct that, then press Retrigger on the page.",
    ),
    "refused": Words(
        title="{account} refused an order",
        titles="{account} refused {n} orders",
        to_do="The page shows what {account} answered. Correct what it names, then press Retrigger there.",
    ),
    "uncertain": Words(
        title="An order may or may not have arrived at {account}",
        titles="{n} orders may or may not have arrived at {account}",
        to_do="Look for it at {account}. If it is there, resolve it on the page as delivered, with the id that it has"
        " there. If it is not, retrigger it with force. It is not sent again by itself: that could double it.",
    ),
    "exhausted": Words(
        title="The connector gave up sending an order to {account}: it surely did not arrive",
        titles="The connector gave up sending {n} orders to {account}: they surely did not arrive",
        to_do="When {account} takes orders again, press Retrigger on the page.",
    ),
    "attention": Words(
        title="An order at {account} needs a look",
        titles="{n} orders at {account} need a look",
        to_do="Compare the order in the store with the one at {account}, and correct it there.",
    ),
    "differences": Words(
        title="One thing on record does not add up",
        titles="{n} things on record do not add up",
        to_do="`connector reconcile` lists them all. An order may be missing: compare with the store.",
    ),
    "circuit": Words(
        title="{account} takes no orders at present",
        titles="",
        to_do="Its orders wait, and none is lost. It is tried again by itself every now and then.",
    ),
    "backlog": Words(
        title="Orders for {account} are waiting and nothing takes them",
        titles="",
        to_do="See that `connector serve` or `connector worker` runs and that its log has no errors. If it does, it is"
        " too slow: raise the account's `concurrency` or `rate_per_s`.",
    ),
    "silent": Words(
        title="Store {store} has sent no webhook for long",
        titles="",
        to_do="See in the store that its webhook is still there and active: platforms remove one that failed for days."
        " Orders that were missed can be brought in with `connector trigger`.",
    ),
}
UNAUTHORIZED = "It refuses the credentials: correct the key in the configuration and start the service again."


def describe(alert: Alert, told: Mapping[str, Any], public_url: str | None) -> Section:
    """What there is to tell of an alert since it was told last."""
    words = WORDS[alert.kind]
    new = alert.orders - told.get("orders", 0)
    is_over = alert.kind in STATES and alert.ended_at is not None
    account = name_account(alert.account)
    named = {"account": account, "store": alert.store, "n": new}
    title = (words.title if new == 1 or alert.kind in STATES else words.titles).format(**named)
    title = f"Over: {title}" if is_over else title
    to_do = UNAUTHORIZED if alert.cause == "unauthorized" else words.to_do.format(**named)
    to_do = CLOSED_AGAIN if is_over else to_do
    examples = alert.examples[:new]
    link = locate(alert, examples, public_url)
    return Section(
        kind=alert.kind,
        title=title,
        lines=list_orders(alert, examples, new, is_first=not told) if examples else [show_time(alert)],
        to_do=to_do,
        link=link,
        data={
            "kind": alert.kind,
            "account": alert.account,
            "store": alert.store,
            "cause": alert.cause,
            "is_over": is_over,
            "new_orders": new,
            "orders_in_all": alert.orders,
            "since": alert.since.isoformat(),
            "at": alert.last_at.isoformat(),
            "orders": examples,
            "title": title,
            "to_do": to_do,
            "see": link,
        },
    )


def list_orders(alert: Alert, examples: Sequence[Mapping[str, Any]], new: int, *, is_first: bool) -> list[str]:
    return [
        *([alert.cause] if alert.cause else []),
        *map(name_order, examples),
        *([f"and {new - len(examples)} more"] if new > len(examples) else []),
        *([] if is_first else [f"{alert.orders} in all since {show(alert.since)}."]),
    ]


def show_time(alert: Alert) -> str:
    if alert.ended_at is None:
        return f"Since {show(alert.since)}."
    return f"From {show(alert.since)} to {show(alert.ended_at)}."


def name_account(account: str | None) -> str:
    """As people know it; a store's API has a circuit too."""
    if account is not None and account.startswith("store:"):
        return f"The API of store {account.removeprefix('store:')}"
    return account or ""


def name_order(one: Mapping[str, Any]) -> str:
    what = f": {one['what']}" if one.get("what") else ""
    number = str(one["order"] or "?").removeprefix("#")
    return f"Order #{number} of {one['store']}{what}"


def show(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def locate(alert: Alert, examples: Sequence[Mapping[str, Any]], public_url: str | None) -> str:
    """The page about it; without an address of ours, the command that shows the same."""
    deliveries = [one["delivery"] for one in examples if one.get("delivery")]
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
        case _ if (len(deliveries) == 1 and alert.orders == 1) or alert.kind == "attention":
            path, command = f"/deliveries/{quote(deliveries[0])}", f"connector show {deliveries[0]}"
        case _:
            path = f"/deliveries?{urlencode(filters)}"
            command = f"connector list --state parked --reason {alert.kind} --account {alert.account}"
    return f"{public_url}{path}" if public_url else command


def compose(sections: Sequence[Section]) -> Message:
    """One message for all that is told at once."""
    first = sections[0].title
    subject = first if len(sections) == 1 else f"{first}, and {len(sections) - 1} more"
    texts = [
        "\n".join([one.title + ".", *(f"  {line}" for line in one.lines), one.to_do, f"See: {one.link}"])
        for one in sections
    ]
    slack = [
        "\n".join(
            [f"*{escape(one.title)}*", *(f"• {escape(line)}" for line in one.lines), escape(one.to_do), link(one.link)]
        )
        for one in sections
    ]
    data = {"alerts": [one.data for one in sections]}
    return Message(
        id=f"alert_{sha256(json.dumps(data).encode()).hexdigest()[:32]}",
        subject=subject,
        text="\n\n".join(texts) + "\n",
        slack="\n\n".join(slack),
        data=data,
    )


def compose_trial(public_url: str | None, now: datetime) -> Message:
    """A message that says only that messages arrive."""
    title, to_do = "This is a trial of the connector's alerts", "Nothing is wrong. Alerts will come to this place."
    where = f"{public_url}/" if public_url else "connector list --state parked"
    data = {"kind": "trial", "title": title, "to_do": to_do, "see": where, "at": now.isoformat()}
    return compose([Section(kind="trial", title=title, lines=[], to_do=to_do, link=where, data=data)])


def escape(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping, read 2026-11-22: these three alone."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(where: str) -> str:
    return f"<{escape(where)}|Open the page>" if where.startswith("http") else f"See: `{escape(where)}`"
