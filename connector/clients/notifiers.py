"""Sends alerts to a webhook, to a Slack-compatible webhook, or by e-mail."""

import json
import smtplib
import ssl
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any
from urllib.parse import unquote, urlsplit

from standardwebhooks import Webhook

from connector.clients.http import Client
from connector.core.messages import render_stored
from connector.settings.alerts import Channel, EmailChannel, SlackChannel, WebhookChannel

TIMEOUT_S = 10.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, in the format of each kind of channel."""

    id: str  # the same if the message is sent again
    subject: str
    text: str
    slack: str  # the text, in Slack's markup
    payload: Mapping[str, Any]


def build_notifier(channel: Channel) -> Callable[[Message], str | None]:
    """Return a function that sends a message to the channel. It returns None, or an error that holds no secret."""
    match channel:
        case SlackChannel():
            client = open_notifier_client()
            return lambda message: post(client, channel.url, json.dumps({"text": message.slack}).encode(), {})
        case WebhookChannel():
            client = open_notifier_client()
            return lambda message: send_webhook(client, channel, message)
        case EmailChannel():
            return lambda message: send_email(channel, message)
    raise TypeError(f"unknown kind of channel: {type(channel).__name__}")


def open_notifier_client() -> Client:
    return Client("", headers={}, ssl_context=ssl.create_default_context(), keep_alive=False)


def post(client: Client, url: str, body: bytes, headers: Mapping[str, str]) -> str | None:
    result = client.request(
        "POST", url, body=body, headers={"Content-Type": "application/json", **headers}, timeout_s=TIMEOUT_S
    )
    return None if result.is_success else render_stored(result.failure)


def send_webhook(client: Client, channel: WebhookChannel, message: Message) -> str | None:
    body = json.dumps(message.payload, ensure_ascii=False).encode()
    sent_at = datetime.now(UTC)
    headers = {"Webhook-Id": message.id, "Webhook-Timestamp": str(int(sent_at.timestamp()))}
    if channel.secret is not None:
        headers["Webhook-Signature"] = signer(channel.secret).sign(message.id, sent_at, body.decode())
    return post(client, channel.url, body, headers)


def signer(secret: str) -> Webhook:
    """Return what signs by https://github.com/standard-webhooks/standard-webhooks, read 2026-11-22.

    A secret that begins with `whsec_` is a key in base64; any other is the key itself.
    """
    return Webhook(secret if secret.startswith("whsec_") else secret.encode())


def send_email(channel: EmailChannel, message: Message) -> str | None:
    try:
        with connect_smtp(channel.smtp) as server:
            server.send_message(build_email(channel, message))
    except smtplib.SMTPResponseException as error:  # its text may contain addresses
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
    email = EmailMessage()
    email["From"], email["To"], email["Subject"] = channel.sender, ", ".join(channel.to), message.subject
    email["Date"], email["Message-ID"] = format_datetime(datetime.now(UTC)), make_msgid(message.id, "connector")
    email["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no out-of-office replies
    email.set_content(message.text)
    return email
