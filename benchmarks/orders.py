"""Builds signed Shopify webhooks, each with a different order, and writes them to a file for the load program."""

import base64
import hmac
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[1] / "connector" / "sandbox" / "samples"
SECRET = "benchmark-secret"  # noqa: S105  # of an invented shop
STORE = "tienda"
#: An order's number in this run. The fake destination finds it in the body of a request.
MARKER = "BM{:08d}"
#: The size of a typical webhook.
BODY_BYTES = 6_000
_TEMPLATE_MARKER = "BM99999999"
_FIRST_ID = 5_500_000_000_000


def order_id(number: int) -> int:
    """Return the platform's id of order `number`."""
    return _FIRST_ID + number


def build_payload(sample: str, body_bytes: int) -> dict[str, Any]:
    """Return a sample order with the template's marker, padded to `body_bytes` with a checkout's note attribute."""
    order: dict[str, Any] = json.loads((SAMPLES / f"{sample}.json").read_bytes())
    order |= {"id": _FIRST_ID, "name": f"#{_TEMPLATE_MARKER}", "test": False}
    for address in ("shipping_address", "billing_address"):
        order[address] = {
            **order[address],
            "last_name": f"Prueba {_TEMPLATE_MARKER}",
            "name": f"Ximena Prueba {_TEMPLATE_MARKER}",
        }
    missing = body_bytes - len(encode(order)) - len('{"name":"utm_campaign","value":""},')
    if missing > 0:
        order["note_attributes"] = [
            {"name": "utm_campaign", "value": "x" * missing},
            *order.get("note_attributes", []),
        ]
    return order


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def build_bodies(sample: str, first: int, count: int, body_bytes: int) -> Iterator[bytes]:
    """Yield the raw bodies of orders `first`, `first` + 1, …: each with its own id, number and customer's name."""
    template = encode(build_payload(sample, body_bytes))
    for number in range(first, first + count):
        body = template.replace(_TEMPLATE_MARKER.encode(), MARKER.format(number).encode())
        yield body.replace(str(_FIRST_ID).encode(), str(order_id(number)).encode())


def build_requests(
    first: int, count: int, *, sample: str = "shopify", body_bytes: int = BODY_BYTES, path: str = f"/webhooks/{STORE}"
) -> Iterator[bytes]:
    """Yield complete signed HTTP requests with the headers that Shopify sends."""
    for number, body in enumerate(build_bodies(sample, first, count, body_bytes), first):
        signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Shopify-Captain-Hook\r\nAccept: */*\r\n"
            "Content-Type: application/json\r\nX-Shopify-Topic: orders/paid\r\n"
            "X-Shopify-Shop-Domain: tienda-ejemplo.myshopify.com\r\nX-Shopify-API-Version: 2026-10\r\n"
            f"X-Shopify-Event-Id: event-{number}\r\nX-Shopify-Webhook-Id: webhook-{number}\r\n"
            "X-Shopify-Triggered-At: 2026-11-20T18:25:19Z\r\n"
            f"X-Shopify-Hmac-Sha256: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


def write_requests(file: Path, requests: Iterator[bytes]) -> None:
    """Write each request (or body) after its length in four bytes."""
    with file.open("wb") as out:
        for request in requests:
            out.write(struct.pack("<I", len(request)) + request)
