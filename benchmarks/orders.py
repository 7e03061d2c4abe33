"""Makes signed Shopify webhooks, each of an order of its own, and writes them down to be posted. It posts none."""

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
#: An order's number inside this run, which the destination finds again in whatever it is sent.
MARKER = "BM{:08d}"
#: What a webhook of a usual order weighs.
BODY_BYTES = 6_000
_PLACE = "BM99999999"
_ID = 5_500_000_000_000


def order_id(number: int) -> int:
    """The platform's id of order `number`."""
    return _ID + number


def payload_of(sample: str, body_bytes: int) -> dict[str, Any]:
    """A sample order with room for its number, filled up to `body_bytes` with what checkouts note of a visit."""
    order: dict[str, Any] = json.loads((SAMPLES / f"{sample}.json").read_bytes())
    order |= {"id": _ID, "name": f"#{_PLACE}", "test": False}
    for address in ("shipping_address", "billing_address"):
        order[address] = {**order[address], "last_name": f"Prueba {_PLACE}", "name": f"Ximena Prueba {_PLACE}"}
    missing = body_bytes - len(encode(order)) - len('{"name":"utm_campaign","value":""},')
    if missing > 0:
        order["note_attributes"] = [
            {"name": "utm_campaign", "value": "x" * missing},
            *order.get("note_attributes", []),
        ]
    return order


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def bodies(sample: str, first: int, count: int, body_bytes: int) -> Iterator[bytes]:
    """The raw bodies of orders `first`, `first` + 1, …: each with its own id, number and customer's name."""
    template = encode(payload_of(sample, body_bytes))
    for number in range(first, first + count):
        body = template.replace(_PLACE.encode(), MARKER.format(number).encode())
        yield body.replace(str(_ID).encode(), str(order_id(number)).encode())


def requests(
    first: int, count: int, *, sample: str = "shopify", body_bytes: int = BODY_BYTES, path: str = f"/webhooks/{STORE}"
) -> Iterator[bytes]:
    """Whole HTTP requests with the headers that Shopify sends, signed."""
    for number, body in enumerate(bodies(sample, first, count, body_bytes), first):
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


def write_requests(file: Path, made: Iterator[bytes]) -> None:
    with file.open("wb") as out:
        for request in made:
            out.write(struct.pack("<I", len(request)) + request)
