"""Sends alerts: to a webhook, to what understands Slack's, and by mail. Says what went wrong without raising."""

import json
import smtplib
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from hashlib import sha256
from hmac import digest
from typing import Any
from urllib.parse import unquote, urlsplit

from connector.clients.http import Client
from connector.settings.alerts import Channel, EmailChannel, SlackChannel, WebhookChannel

TIMEOUT_S = 10.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is told, in the words of each channel."""

    id: str  # the same when it is sent again
    subject: str
    text: str
    slack: str  # the text, in Slack's markup
    payload: Mapping[str, Any]


def build_notifier(channel: Channel) -> Callable[[Message], str | None]:
    """Return what sends to it, and returns what went wrong, in words that hold no secret."""
    match channel:
        case SlackChannel():
            client = open_notifier_client()
            return lambda message: post(client, channel.url, json.dumps({"text": message.slack}).encode(), {})
        case WebhookChannel():
            client = open_notifier_client()
            return lambda message: send_webhook(client, channel, message)
        case EmailChannel():
            return lambda message: send_email(channel, message)
    raise TypeError(f"no such channel: {type(channel).__name__}")


def open_notifier_client() -> Client:
    return Client("", headers={}, ssl_context=ssl.create_default_context(), keep_alive=False)


def post(client: Client, url: str, body: bytes, headers: Mapping[str, str]) -> str | None:
    result = client.request(
        "POST", url, body=body, headers={"Content-Type": "application/json", **headers}, timeout_s=TIMEOUT_S
    )
    if result.status is not None and 200 <= result.status < 300:
        return None
    return result.error or f"status {result.status}"


def send_webhook(client: Client, channel: WebhookChannel, message: Message) -> str | None:
    body = json.dumps(message.payload, ensure_ascii=False).encode()
    headers = {"Webhook-Id": message.id, "Webhook-Timestamp": str(int(time.time()))}
    if channel.secret is not None:
        headers["Webhook-Signature"] = standard_webhooks_signature(channel.secret, headers, body)
    return post(client, channel.url, body, headers)


def standard_webhooks_signature(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """As Standard Webhooks has it: https://github.com/standard-webhooks/standard-webhooks, read 2026-11-22.

    A secret that begins with `whsec_` is a key in base64; any other is the key itself.
    """
    prefix = "whsec_"
    key = b64decode(secret.removeprefix(prefix)) if secret.startswith(prefix) else secret.encode()
    signed_content = b".".join([headers["Webhook-Id"].encode(), headers["Webhook-Timestamp"].encode(), body])
    return f"v1,{b64encode(digest(key, signed_content, sha256)).decode()}"


def send_email(channel: EmailChannel, message: Message) -> str | None:
    try:
        with connect_smtp(channel.smtp) as server:
            server.send_message(build_email(channel, message))
    except smtplib.SMTPResponseException as error:  # its text may quote addresses
        return f"the mail server answered {error.smtp_code}"
    except smtplib.SMTPRecipientsRefused as error:
        return f"the mail server answered {max(code for code, _ in error.recipients.values())}"
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return f"the mail was not sent ({type(error).__name__})"
    return None


def connect_smtp(url: str) -> AbstractContextManager[smtplib.SMTP]:
    parts = urlsplit(url)
    host, context = parts.hostname or "", ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT_S)
        if host not in LOOPBACK:
            server.starttls(context=context)
    if parts.username:
        server.login(unquote(parts.username), unquote(parts.password or ""))
    return server


def build_email(channel: EmailChannel, message: Message) -> EmailMessage:
    from datetime import UTC, datetime

    email = EmailMessage()
    email["From"], email["To"], email["Subject"] = channel.sender, ", ".join(channel.to), message.subject
    email["Date"], email["Message-ID"] = format_datetime(datetime.now(UTC)), make_msgid(message.id, "connector")
    email["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: keeps absence notices from answering it
    email.set_content(message.text)
    return email
