"""`[alerts]`: loading, errors, and `connector alerts test`."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.core.exceptions import SettingsError
from connector.settings import AlertSettings, load_settings
from connector.settings.alerts import CHANNELS, KINDS, AlertSettingsSchema, EmailChannel, SlackChannel, WebhookChannel
from tests.support.commands import Command
from tests.support.receivers import run_mailbox, run_receiver

EXAMPLE = Path(__file__).parents[2] / "connector.example.toml"

ALERTS = """
[alerts]
backlog_after_s = 60
signature_failures = 5
silent_after_h_by_store = { tienda-mx = 12 }

[alerts.to.canal]
channel = "slack"
url = "https://hooks.example/x?key=${KEY}"

[alerts.to.sistema]
channel = "webhook"
url = "https://sistema.example/alertas/"
secret = "hush"
kinds = ["circuit"]

[alerts.to.guardia]
channel = "email"
smtp = "smtps://ana:hush@mail.example"
from = "Conector <c@tienda.example>"
to = ["ana@tienda.example"]
"""


def test_no_channel_by_default(configure: Callable[..., Path]) -> None:
    assert load_settings(configure(), {}).alerts == AlertSettings()


def test_channels_and_limits_are_loaded(configure: Callable[..., Path]) -> None:
    path = configure()
    path.write_text(path.read_text("utf-8") + ALERTS, "utf-8")
    assert load_settings(path, {"KEY": "k"}).alerts == AlertSettings(
        channels=(
            SlackChannel(name="canal", channel="slack", url="https://hooks.example/x?key=k"),
            WebhookChannel(
                name="sistema",
                channel="webhook",
                url="https://sistema.example/alertas",
                secret="hush",
                kinds=("circuit",),
            ),
            EmailChannel(
                name="guardia",
                channel="email",
                smtp="smtps://ana:hush@mail.example",
                sender="Conector <c@tienda.example>",
                to=("ana@tienda.example",),
            ),
        ),
        backlog_after_s=60,
        signature_failures=5,
        silent_after_h_by_store={"tienda-mx": 12},
    )


def test_every_error_is_reported(configure: Callable[..., Path]) -> None:
    path = configure()
    faulty = """
[alerts]
backlog_after_s = -1
silent_after_h_by_store = { tienda-xx = 12 }
repeat = 3
[alerts.to.a]
channel = "slak"
[alerts.to.b]
channel = "slack"
url = "http://hooks.example/secreto"
kinds = ["circuits"]
[alerts.to.c]
channel = "email"
smtp = "mail.example:465"
from = "ana"
"""
    path.write_text(path.read_text("utf-8") + faulty, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    kinds = ", ".join(KINDS)
    assert sorted(caught.value.errors) == sorted(
        [
            "alerts.backlog_after_s: must be at least 1 and at most 31536000.",
            "alerts.repeat: is not a setting; did you mean “repeat_every_s”?",
            "alerts.to.a.channel: “slak” is not a channel; use one of email, slack, webhook.",
            "alerts.to.b.url: must begin with https:// (http:// is only allowed for this machine).",
            f"alerts.to.b.kinds[0]: “circuits” is not a kind of alert; use one of {kinds}.",
            "alerts.to.c.smtp: must be smtps://user:password@host:465, or smtp://user:password@host:587 for STARTTLS."
            " In a password, write @, : and / as %40, %3A and %2F.",
            "alerts.to.c.from: must be an e-mail address.",
            "alerts.to.c.to: is missing.",
        ]
    )


@pytest.mark.parametrize(
    "secret",
    [
        *("whsec_", "whsec_no base64", "whsec_c2VjcmV0bw==", f"whsec_{'A' * 33}", "whsec_" + "á" * 40),
        f"whsec_{'A' * 20} {'A' * 20}",
    ],
)
def test_malformed_signing_secret_is_an_error(configure: Callable[..., Path], secret: str) -> None:
    path = configure()
    channel = f'[alerts.to.a]\nchannel = "webhook"\nurl = "https://hooks.example/x"\nsecret = "{secret}"\n'
    path.write_text(path.read_text("utf-8") + channel, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert caught.value.errors == [
        "alerts.to.a.secret: after “whsec_”, must be at least 24 bytes in base64: openssl rand -base64 32"
    ]


def test_unknown_store_is_an_error(configure: Callable[..., Path]) -> None:
    path = configure()
    path.write_text(path.read_text("utf-8") + "[alerts]\nsilent_after_h_by_store = { tienda-xx = 12 }\n", "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert caught.value.errors == ["alerts.silent_after_h_by_store.tienda-xx: there is no store “tienda-xx”."]


def test_channel_repr_contains_no_secrets(configure: Callable[..., Path]) -> None:
    path = configure()
    path.write_text(path.read_text("utf-8") + ALERTS, "utf-8")
    printed = repr(load_settings(path, {"KEY": "k"}).alerts)
    assert [word for word in ("hush", "key=k", "hooks.example") if word in printed] == []


def test_example_lists_every_setting_and_kind() -> None:
    text = EXAMPLE.read_text("utf-8")
    names = {field.data_key or name for schema in CHANNELS.values() for name, field in schema().fields.items()}
    names |= {*AlertSettingsSchema().fields, *KINDS} - {"name"}
    assert {name for name in names - {"name"} if not re.search(rf"\b{name}\b", text)} == set()


def test_test_alert_reaches_every_channel(configure: Callable[..., Path]) -> None:
    with run_receiver() as receiver, run_mailbox() as mailbox:
        path = configure()
        to = f"""
[alerts.to.canal]
channel = "slack"
url = "{receiver.url}"
[alerts.to.correo]
channel = "email"
smtp = "{mailbox.url}"
from = "c@tienda.example"
to = ["ana@tienda.example"]
"""
        path.write_text(path.read_text("utf-8") + to, "utf-8")
        run = Command(configuration=path, environ={})
        assert run("alerts", "test") == (0, "canal: sent.\ncorreo: sent.\n")
        assert len(mailbox.mails) == 1
        assert receiver.received[0].json == {
            "text": "*This is a test of the connector's alerts*\n"
            "Nothing is wrong. Alerts will arrive here.\n"
            "See: `connector list --state parked`"
        }
        receiver.status = 404
        mailbox.refusal = "550 no such user"
        output = "canal: status 404.\ncorreo: the mail server answered 550.\n"
        assert run("alerts", "test") == (1, output)


def test_test_alert_without_channels_is_reported(configure: Callable[..., Path]) -> None:
    run = Command(configuration=configure(), environ={})
    assert run("alerts", "test") == (1, "The configuration has no channel: add an [alerts.to.NAME] table.\n")
