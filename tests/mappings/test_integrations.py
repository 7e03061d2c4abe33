"""Tests of every registered storefront and destination. A new integration is covered automatically."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination, TokenExchange
from mappings.order import Order
from mappings.problems import MappingError, Problem, render_problems
from mappings.schema import DestinationSchema
from mappings.settings import Account, Store
from mappings.storefront import CANONICAL_TOPICS, MalformedWebhookError, Storefront
from tests.support.mapping_cases import (
    SAMPLES,
    build_account,
    build_body,
    build_store,
    mapping_problems,
    parse_order,
    sample_webhook,
    storefront_name,
)

#: Text that often breaks encoders, parsers and numbers.
texts = st.one_of(
    st.text(max_size=20),
    st.text(alphabet=",. #\u2060\x00\ud8009CcolKMnNº°/sS", max_size=30),
    st.sampled_from(
        ["", " ", "NaN", "Infinity", "1e999", "-1", "1_000", "1.005", "0001-01-01T00:00:00+14:00", "MX", "AR"]
    ),
)
json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.sampled_from([10**20, -(10**400), 10**13]), st.floats(), texts
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def value_paths(value: Any, path: tuple[Any, ...] = ()) -> list[Any]:
    """Return the path of every value in a payload."""
    paths = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        paths += value_paths(child, (*path, key))
    return paths


def with_value_at(payload: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    payload = deepcopy(payload)
    target = payload
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return payload


def with_unseen_characters(value: Any) -> Any:
    """Return the payload with characters that nobody sees around and inside every text."""
    if isinstance(value, dict):
        return {key: with_unseen_characters(child) for key, child in value.items()}
    if isinstance(value, list):
        return [with_unseen_characters(child) for child in value]
    return f"\u200b{value[0]}\u00ad{value[1:]}\ufeff" if isinstance(value, str) and value else value


SAMPLE_PATHS = [(name, path) for name, payload in SAMPLES.items() for path in value_paths(payload)]
WEBHOOK_PATHS = [(name, path) for name in SAMPLES for path in value_paths(sample_webhook(name))]


def order_or_problems(storefront: str, payload: Any) -> Order | list[str]:
    """Return the order or its problems. Any other result fails the test."""
    try:
        return parse_order(storefront, payload)
    except MappingError as error:
        problems = render_problems(error.problems)
    assert problems
    assert {type(problem) for problem in problems} == {str}
    assert all(problem.endswith(".") for problem in problems)
    return problems


@pytest.mark.parametrize("sample", SAMPLES)
def test_unseen_characters_count_as_nothing_in_every_field(sample: str) -> None:
    storefront = storefront_name(sample)
    assert parse_order(storefront, with_unseen_characters(SAMPLES[sample])) == parse_order(storefront, SAMPLES[sample])


@pytest.mark.parametrize("sample", SAMPLES)
def test_sku_is_only_trimmed(sample: str) -> None:
    payload = SAMPLES[sample]
    for path in value_paths(payload):
        if path[-1] == "sku":
            payload = with_value_at(payload, path, "\tCAJA  12 e\u0301\u00a0")
    skus = {line.sku for line in parse_order(storefront_name(sample), payload).lines}
    assert skus == {"CAJA  12 e\u0301"}


def test_every_storefront_has_a_sample_and_every_destination_an_account() -> None:
    assert {storefront_name(name) for name in SAMPLES} == STOREFRONTS.keys()
    for destination in DESTINATIONS:
        assert build_account(destination).destination == destination


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_add_up(name: str) -> None:
    order = parse_order(storefront_name(name), SAMPLES[name])
    assert order.parts_total == order.total
    assert (order.storefront, order.is_paid, order.unreadable_parts) == (storefront_name(name), True, [])


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_is_identified_as_a_paid_order(name: str) -> None:
    storefront, payload = STOREFRONTS[storefront_name(name)], sample_webhook(name)
    headers = {
        key.lower(): value
        for key, value in storefront.sample.build_headers(
            payload, storefront.sample.topic, build_store(storefront.name)
        ).items()
    }
    identity = storefront.identify(headers, payload, b"{}")
    order = parse_order(storefront.name, SAMPLES[name])
    assert identity.ignore_reason is None
    assert identity.has_order
    assert identity.topics & CANONICAL_TOPICS >= {"paid"}
    assert identity.order_id == order.order_id
    expected = (None, None) if storefront.has_thin_webhooks else (order.number, order.updated_at)
    assert (identity.order_number, identity.source_updated_at) == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_thin_webhook_belongs_to_its_store_and_needs_one_fetch(name: str) -> None:
    storefront, store = STOREFRONTS[storefront_name(name)], build_store(storefront_name(name))
    webhook, order = sample_webhook(name), SAMPLES[name]
    assert storefront.belongs_to_store({}, webhook, store)
    assert list(storefront.required_fetches(order, store, frozenset())) == []
    for fetch in storefront.required_fetches(webhook, store, frozenset()):
        assert fetch.is_order
        assert fetch.path.startswith("/")
        webhook = fetch.merge(webhook, order)
    assert webhook == order


@pytest.mark.parametrize("name", STOREFRONTS)
def test_fetch_headers_can_be_sent(name: str) -> None:
    for value in STOREFRONTS[name].api_headers(build_store(name), "clave:ficha").values():
        assert value.isascii()
        assert value.isprintable()


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_each_storefront_has_a_mappable_sample(destination: str) -> None:
    can_go = {
        storefront_name(name)
        for name, payload in SAMPLES.items()
        if not mapping_problems(parse_order(storefront_name(name), payload), destination)
    }
    assert can_go == STOREFRONTS.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_unreadable_date_is_a_problem_only_where_required(name: str) -> None:
    field = "date_created_gmt" if storefront_name(name) == "woocommerce" else "created_at"
    order = parse_order(storefront_name(name), SAMPLES[name] | {field: "-0001-11-30T00:00:00+0000"})
    dated = {
        destination: "Date of the order is missing." in mapping_problems(order, destination)
        for destination in DESTINATIONS
    }
    assert dated.items() >= {"rayo": False, "lapyme": False, "centelar": True}.items()


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"is_test": True}, "The order is a test."),
        ({"is_draft": True}, "The order is a draft."),
        ({"is_cancelled": True}, "The order is cancelled."),
        ({"unreadable_parts": [Problem(code="draft_order")]}, "The order is a draft."),
    ],
)
def test_order_that_is_not_a_sale_is_a_named_problem(destination: str, changes: dict[str, Any], problem: str) -> None:
    order = parse_order("shopify", SAMPLES["shopify_mx"])
    assert problem in mapping_problems(replace(order, **changes), destination)
    assert problem not in mapping_problems(order, destination)


@pytest.mark.parametrize("name", DESTINATIONS)
@pytest.mark.parametrize("response", [None, [], "x", {"error": "x"}, {"error": {"code": []}}, {"code": {}}])
@pytest.mark.parametrize("status", [200, 400, 401, 409, 500])
def test_any_response_can_be_classified(name: str, status: int, response: Any) -> None:
    DESTINATIONS[name].classify_response(status, response)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(STOREFRONTS)), json_values)
def test_any_payload_yields_an_order_or_problems(storefront: str, payload: Any) -> None:
    order_or_problems(storefront, payload)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLE_PATHS), json_values)
def test_any_value_anywhere_yields_a_body_or_problems(sample_path: tuple[Any, ...], value: Any) -> None:
    name, path = sample_path
    order = order_or_problems(storefront_name(name), with_value_at(SAMPLES[name], path, value))
    if not isinstance(order, Order):
        return
    for destination in DESTINATIONS:
        if not mapping_problems(order, destination):
            request = build_body(order, destination)
            assert "\u2060" not in request.bytes.decode()
            assert json.loads(request.bytes) == request.body


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(WEBHOOK_PATHS),
    json_values,
    st.dictionaries(st.sampled_from(["x-shopify-test", "x-shopify-event-id"]), texts),
)
def test_any_payload_is_identified_or_malformed(
    webhook_path: tuple[Any, ...], value: Any, headers: dict[str, Any]
) -> None:
    name, path = webhook_path
    storefront, payload = STOREFRONTS[storefront_name(name)], with_value_at(sample_webhook(name), path, value)
    sample = storefront.sample.build_headers(SAMPLES[name], storefront.sample.topic, build_store(storefront.name))
    headers = {**{key.lower(): text for key, text in sample.items()}, **headers}
    try:
        identity = storefront.identify(headers, payload, b"{}")
    except MalformedWebhookError:
        return
    assert f"{identity.order_id}{identity.order_number}".encode()
    for values in ({}, {} if storefront.has_thin_webhooks else {"shop_domain": "sample.myshopify.com"}):
        store = build_store(storefront.name, **values)
        assert storefront.belongs_to_store(headers, payload, store) in {True, False}


@pytest.mark.parametrize("name", SAMPLES)
def test_any_value_may_be_null(name: str) -> None:
    for path in value_paths(SAMPLES[name]):
        order_or_problems(storefront_name(name), with_value_at(SAMPLES[name], path, None))


def test_destination_without_a_path_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match=r"^Mensajeria has no order_id_path, path\.$"):

        class Mensajeria(Destination[Account]):
            name = "mensajeria"
            order_schema = DestinationSchema
            contract = DESTINATIONS["rayo"].contract


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWithKey(Account):
    api_key: str | None = None


def test_destination_has_the_contract_of_its_name_and_sends_the_api_key_by_default() -> None:
    class Mensajeria(Destination[AccountWithKey]):
        name = "lapyme"
        order_schema = DestinationSchema
        path = "/pedidos"
        order_id_path = "id"

    class Exchanging(Mensajeria):
        token_exchange = TokenExchange(path="/token", key_header="x", token_path="token")

    account = AccountWithKey(name="a", id="a", destination="lapyme", base_url="https://a.example", api_key="k")
    assert Mensajeria.contract == DESTINATIONS["lapyme"].contract
    assert (Mensajeria().bearer_token(account), Exchanging().bearer_token(account)) == ("k", None)
    assert (Mensajeria().api_key(account), Exchanging().api_key(account)) == ("k", "k")


def test_storefront_without_identify_cannot_be_instantiated() -> None:
    class Tienda(Storefront[Store]):
        name = "tienda"
        order_schema = STOREFRONTS["shopify"].order_schema
        signature = STOREFRONTS["shopify"].signature
        sample = STOREFRONTS["shopify"].sample

    make_storefront: Callable[[], Any] = Tienda
    with pytest.raises(TypeError, match=r"abstract method '?identify"):
        make_storefront()
