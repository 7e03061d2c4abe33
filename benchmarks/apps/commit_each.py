"""A simple durable webhook: checks the signature, and commits each request in its own transaction.

WAL and `synchronous=FULL`, as in the connector. A transaction takes the write lock when it begins; if it took the lock
later, it would fail under load.
"""

import base64
import hmac
import json
import os
from datetime import UTC, datetime
from typing import Any

from flask import Flask, request
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.dialects.sqlite import insert

from benchmarks.orders import SECRET

metadata = MetaData()
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("store", String, nullable=False),
    Column("event_key", String, nullable=False),
    Column("received_at", DateTime, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("store", "event_key"),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account", String, nullable=False),
    Column("store", String, nullable=False),
    Column("order_id", String, nullable=False),
    Column("event_id", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("due_at", DateTime, nullable=False),
    Column("problems", JSON, nullable=False),
    UniqueConstraint("account", "store", "order_id"),
)

engine = create_engine(os.environ["DATABASE_URL"], pool_size=8, max_overflow=-1)


@event.listens_for(engine, "connect")
def set_up(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    for setting in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 8000"):
        connection.execute(f"PRAGMA {setting}")


@event.listens_for(engine, "begin")
def begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


metadata.create_all(engine)
engine.dispose()
app = Flask(__name__, static_folder=None)


@app.post("/webhooks/<store>")
def receive(store: str) -> tuple[dict[str, str], int]:
    body = request.get_data()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
    if not hmac.compare_digest(signature, request.headers.get("X-Shopify-Hmac-Sha256", "")):
        return {"status": "unsigned"}, 401
    order_id = str(json.loads(body)["id"])
    key = request.headers["X-Shopify-Topic"] + ":" + request.headers["X-Shopify-Event-Id"]
    now = datetime.now(UTC)
    with engine.begin() as connection:
        values = {"store": store, "event_key": key, "received_at": now, "body": body}
        event_id = connection.execute(
            insert(events).values(values).on_conflict_do_nothing().returning(events.c.id)
        ).scalar_one_or_none()
        if event_id is None:
            return {"status": "duplicate"}, 200
        row = {"account": "bodega", "store": store, "order_id": order_id, "event_id": event_id}
        row |= {"state": "waiting", "due_at": now, "problems": []}
        connection.execute(insert(deliveries).values(row).on_conflict_do_nothing())
    return {"status": "accepted", "event": str(event_id)}, 200
