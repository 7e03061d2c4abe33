"""Routes: which orders of a store go to which accounts."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from marshmallow import ValidationError, post_load
from marshmallow.validate import Length, Regexp

from connector.core.messages import build_message
from connector.settings.errors import add_suggestion
from mappings import setting_fields as fields
from mappings.order import Order
from mappings.problems import Problem
from mappings.settings import SettingsSchema
from mappings.storefront import CANONICAL_TOPICS
from mappings.text import casefold_ascii


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFilter:
    """A route's `only`: which orders it takes. A filter that is not set takes every order."""

    country: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    currency: tuple[str, ...] = ()
    pickup: bool | None = None

    def exclusion_reason(self, order: Order) -> Problem | None:
        """Return None if the order passes, or else why not. An order without the value does not pass its filter."""
        addresses = (address for address in (order.ship_to, order.bill_to) if address)
        values = {
            "country": order.country,
            "state": next((address.state for address in addresses if address.state), None),
            "currency": order.currency,
        }
        for name, value in values.items():
            allowed: tuple[str, ...] = getattr(self, name)
            if allowed and not value:
                return build_message("filter_value_missing", field=name, allowed=", ".join(allowed))
            if allowed and value and casefold_ascii(value) not in map(casefold_ascii, allowed):
                return build_message("filter_value_excluded", field=name, value=value, allowed=", ".join(allowed))
        if self.pickup is not None and order.is_pickup is not self.pickup:
            if order.is_pickup is None:
                return build_message("filter_pickup_unknown", pickup=str(self.pickup).lower())
            return build_message("filter_pickup_required" if self.pickup else "filter_pickup_excluded")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route from a store to accounts."""

    store: str  # id
    accounts: tuple[str, ...]  # ids
    topics: frozenset[str] = frozenset({"paid"})  # canonical topics and platforms' own
    only: RouteFilter = RouteFilter()

    @property
    def takes_only_paid(self) -> bool:
        return all(is_paid_topic(topic) for topic in self.topics)

    def accepts_topics(self, topics: Collection[str]) -> bool:
        """Whether an event with these topics creates deliveries on this route.

        A platform's own topic for paid orders matches all paid orders, because the order may come under another topic.
        """
        return not self.topics.isdisjoint(topics) or ("paid" in topics and any(map(is_paid_topic, self.topics)))


def is_paid_topic(topic: str) -> bool:
    """Return whether it is "paid", `orders/paid` or the like."""
    return topic == "paid" or topic.endswith("/paid")


class IdReference(fields.String):
    """The name of a store or account, loaded as its id."""

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, *args, **kwargs)
        ids = cast(RouteSchema, self.root).ids[self.kind]
        if name not in ids:
            raise ValidationError(add_suggestion(f"there is no {self.kind.removesuffix('s')} “{name}”.", name, ids))
        return ids[name]


def _refuse_unknown_topic(topic: str) -> None:
    """Accept canonical topics, and words that look like a platform's own: `orders/paid` or `order.updated`."""
    if topic not in CANONICAL_TOPICS and not re.search(r"[/.]", topic):
        words = ", ".join(sorted(CANONICAL_TOPICS))
        raise ValidationError(f"“{topic}” is not a topic; use one of {words}, or a platform's own, as orders/paid.")


def _refuse_duplicates(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ValidationError("names an account twice.")


AT_LEAST_ONE = Length(min=1, error="needs at least one.")


def _string_list(pattern: str, error: str) -> fields.List[Any]:
    return fields.List(fields.String(validate=Regexp(pattern, error=error)), validate=AT_LEAST_ONE)


class RouteFilterSchema(SettingsSchema):
    country = _string_list(r"[A-Za-z]{2}\Z", "must be a two-letter country code, such as MX.")
    state = _string_list(r"\s*\S", "must not be empty.")
    currency = _string_list(r"[A-Za-z]{3}\Z", "must be a three-letter currency code, such as MXN.")
    pickup = fields.Boolean(truthy={True}, falsy={False})

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> RouteFilter:
        return RouteFilter(**data | {name: tuple(value) for name, value in data.items() if isinstance(value, list)})


class RouteSchema(SettingsSchema):
    store = IdReference("stores", data_key="from", required=True)
    accounts = fields.List(
        IdReference("accounts"), data_key="to", required=True, validate=[AT_LEAST_ONE, _refuse_duplicates]
    )
    topics = fields.List(fields.String(validate=_refuse_unknown_topic), validate=AT_LEAST_ONE)
    orders = fields.Nested(RouteFilterSchema, data_key="only", attribute="only")

    def __init__(self, ids: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__()
        self.ids = ids  # by kind ("stores", "accounts"), then by name

    @post_load
    def build_model(self, data: dict[str, Any], **_: Any) -> Route:
        data["accounts"] = tuple(data["accounts"])
        if "topics" in data:
            data["topics"] = frozenset(data["topics"])
        return Route(**data)
