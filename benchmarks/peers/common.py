"""What the peers have in common: they check a webhook, build Rayo's body, and post it.

A peer is the service that a Python team would write on a task queue. It shares no code with the connector, and parses
addresses with a simple function.
"""

import base64
import hashlib
import hmac
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx


class RefusedError(Exception):
    """The destination refused the order. Another attempt would be refused too."""


class NotAcceptedError(Exception):
    """The destination did not accept the order, or did not confirm it. Worth another attempt."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A peer's settings, from its environment."""

    secret: str = field(default_factory=lambda: os.environ["WEBHOOK_SECRET"])
    rayo_url: str = field(default_factory=lambda: os.environ["RAYO_URL"])
    rayo_key: str = field(default_factory=lambda: os.environ["RAYO_API_KEY"])
    timeout_s: float = field(default_factory=lambda: float(os.environ.get("TIMEOUT_S", "20")))
    concurrency: int = field(default_factory=lambda: int(os.environ.get("CONCURRENCY", "4")))
    #: The folder of the peer's files, and the URL of the server that it needs, if any.
    folder: str = field(default_factory=lambda: os.environ.get("PEER_FOLDER", "."))
    server_url: str = field(default_factory=lambda: os.environ.get("SERVER_URL", ""))


@dataclass(frozen=True, kw_only=True)
class Event:
    key: str  # the same when the event is repeated
    order: dict[str, Any]


def read_webhook(settings: Settings, headers: Mapping[str, str], body: bytes) -> Event | None:
    """Return a paid order; None for an event of another kind. Raises `PermissionError` for a wrong signature.

    https://shopify.dev/docs/apps/build/webhooks/subscribe/https, read 2026-11-21.
    """
    digest = hmac.digest(settings.secret.encode(), body, hashlib.sha256)
    if not hmac.compare_digest(base64.b64encode(digest), headers.get("X-Shopify-Hmac-Sha256", "").encode()):
        raise PermissionError("wrong signature")
    if headers.get("X-Shopify-Topic") != "orders/paid":
        return None
    return Event(key=headers["X-Shopify-Event-Id"], order=httpx.Response(200, content=body).json())


def build_rayo_body(order: Mapping[str, Any]) -> dict[str, Any]:
    """https://docs.techrayo.com/operation/operation-createorder, read 2026-11-21."""
    address = order["shipping_address"]
    street, number = split_number(address["address1"])
    inside, district = split_district(address["address2"] or "")
    return {
        "consumidor_destino": {
            "calle": street,
            "ciudad": address["city"],
            "codigo_postal": address["zip"],
            "colonia": district,
            "estado": address["province"],
            "no_exterior": number,
            "no_interior": inside,
            "nombre": address["name"],
            "pais": "mexico",
            "telefono": re.sub("[^0-9]", "", address["phone"])[-10:],
        },
        "productos": [
            {"cantidad": line["current_quantity"], "identificador": line["sku"]}
            for line in order["line_items"]
            if line["requires_shipping"] and line["current_quantity"]
        ],
        "servicio_rayo": "NACIONAL",
    }


def split_number(line: str) -> tuple[str, str]:
    """Shopify puts U+2060 before a part that has its own field in the form."""
    street, _, number = line.rpartition(" ")
    return street.strip(" \u2060"), number.strip(" \u2060")


def split_district(line: str) -> tuple[str | None, str]:
    inside, separator, district = line.partition("\u2060")
    return (inside.strip() or None, district.strip()) if separator else (None, line.strip())


class Rayo:
    """Posts orders, with one HTTP client per thread and a shared token that is fetched again when it has expired."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._local = threading.local()
        self._lock = threading.Lock()
        self._token: str | None = None

    def post(self, order: Mapping[str, Any]) -> str:
        """Return Rayo's id of the order.

        Raises `NotAcceptedError` for another attempt, and `RefusedError` for none.
        """
        try:
            response = self._send(order)
            if is_expired(response):
                self._token = None
                response = self._send(order)
        except httpx.HTTPError as error:
            raise NotAcceptedError(type(error).__name__) from error
        if response.status_code in (400, 404, 409, 413, 422) and not is_expired(response):
            raise RefusedError(f"status {response.status_code}")
        try:
            return str(response.raise_for_status().json()["orden"]["ordenRef"])
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            raise NotAcceptedError(f"status {response.status_code}") from error

    def _send(self, order: Mapping[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._bearer()}"}
        return self._client().post("/api/rest/orders", json=build_rayo_body(order), headers=headers)

    def _bearer(self) -> str:
        with self._lock:
            if self._token is None:
                response = self._client().post("/api/rest/auth", headers={"x-api-key": self._settings.rayo_key})
                self._token = str(response.raise_for_status().json()["AuthWithAPIkey"]["accessToken"])
            return self._token

    def _client(self) -> httpx.Client:
        if not hasattr(self._local, "client"):
            url, timeout_s = self._settings.rayo_url, self._settings.timeout_s
            self._local.client = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)
        client: httpx.Client = self._local.client
        return client


def is_expired(response: httpx.Response) -> bool:
    """Rayo uses Hasura, where an expired token is a 400: github.com/hasura/graphql-engine/issues/8659."""
    return response.status_code == 401 or (response.status_code == 400 and "invalid-jwt" in response.text)
