"""`/api/accounts/<account>/credentials`: who may use it, and what it answers. No answer has a credential."""

from collections.abc import Callable
from typing import Any

import pytest

from connector.settings.setup import generate_token_key
from tests.support.service import ADMIN_TOKEN, Service

pytestmark = pytest.mark.sqlite

NEW = "clave-nueva-de-la-bodega"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "TOKEN_KEYS": generate_token_key()}


def call(service: Service, method: str, account: str = "bodega", **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    return service.client.open(f"/api/accounts/{account}/credentials", method=method, headers=headers, **more)


def put(service: Service, account: str = "bodega", value: Any = NEW, setting: str = "api_key", **more: Any) -> Any:
    return call(service, "PUT", account, json={"credentials": {setting: value}, **more})


def test_credentials_are_replaced_and_withdrawn(service: Service) -> None:
    configured = call(service, "GET").json["items"]
    assert [(item["setting"], item["source"], item["use"]) for item in configured] == [
        ("api_key", "configuration", None)
    ]
    response = put(service, note="rotated")
    [item] = response.json["items"]
    assert (response.status_code, response.json["test"], response.json["job"]) == (200, "accepted", None)
    assert (item["source"], item["use"], item["entered_by"], item["is_verified"]) == (
        "entered",
        "in use",
        "token:admin",
        True,
    )
    assert NEW not in response.text
    assert call(service, "DELETE").json["items"] == configured
    assert call(service, "DELETE").status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"account": "otra"}, 404, "no such account"),
        ({"setting": "access_token"}, 400, "the account has no credential access_token: it has api_key"),
        ({"value": "contraseña-mala"}, 400, "`api_key` must be printable ASCII text"),
        ({"value": 5}, 400, "`credentials` must have texts"),
        ({"value": "clave-mala"}, 400, "the destination rejects these credentials"),
    ],
)
def test_what_cannot_be_kept_is_refused_without_repeating_it(
    service: Service, change: dict[str, Any], status: int, detail: str
) -> None:
    service.sandbox.inject_fault("rayo", "reject_key", match="clave-mala", times=None)
    response = put(service, **change)
    assert (response.status_code, detail in response.json["detail"]) == (status, True), response.text
    assert "mala" not in response.text
    assert call(service, "GET").json["items"][0]["source"] == "configuration"


def test_without_token_keys_the_answer_says_what_to_set(
    open_service: Callable[..., Service], environ: dict[str, str]
) -> None:
    del environ["TOKEN_KEYS"]
    response = put(open_service())
    assert response.status_code == 409
    assert "TOKEN_KEYS" in response.json["detail"]
