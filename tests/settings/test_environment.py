"""The environment, the users and the address of the database."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.security import generate_password_hash

from connector.settings import (
    Environment,
)
from tests.support.configuration import SMALLEST


def test_environment_is_read(load: Callable[..., Any]) -> None:
    environ = {
        "DATABASE_URL": "sqlite:////var/lib/connector/pedidos.db",
        "ADMIN_TOKEN": 8 * "ficha",
        "HOST": "127.0.0.1",
        "PORT": "9000",
        "WEB_CONCURRENCY": "4",
        "LEASE_S": "90",
        "AUTO_MIGRATE": "0",
        "PATH": "/usr/bin",
    }
    assert load(SMALLEST, environ).environment == Environment(
        database_url="sqlite:////var/lib/connector/pedidos.db",
        admin_token=8 * "ficha",
        host="127.0.0.1",
        port=9000,
        web_concurrency=4,
        lease_s=90,
        auto_migrate=False,
    )


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({}, "127.0.0.1"),
        ({"PORT": "9000"}, "0.0.0.0"),  # noqa: S104  # as on Heroku, whose router is another machine
        ({"PORT": "9000", "HOST": "127.0.0.1"}, "127.0.0.1"),
        ({"HOST": "0.0.0.0"}, "0.0.0.0"),  # noqa: S104
    ],
)
def test_only_this_machine_can_connect_unless_told_otherwise(
    load: Callable[..., Any], variables: dict[str, str], host: str
) -> None:
    assert load(SMALLEST, variables).environment.host == host


def test_environment_is_printed_without_passwords(load: Callable[..., Any]) -> None:
    variables = {
        "DATABASE_URL": "postgres://ana:hush@db.example/pedidos",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://ana:hush@otel.example/?key=hush",
        "SENTRY_DSN": "https://hush@sentry.example/1",
    }
    assert "hush" not in repr(load(SMALLEST, variables))


@pytest.mark.parametrize(
    "method",
    ["pbkdf2:sha256:1", "pbkdf2:sha256:100000", "pbkdf2:sha1:1000000", "pbkdf2:md5:1000000", "scrypt:8192:8:1", None],
)
def test_password_hash_that_is_quick_to_guess_is_an_error(
    configuration_errors: Callable[..., Any], method: str | None
) -> None:
    cut_off = "scrypt:32768:8:1$aaaaaaaa$00"
    password_hash = generate_password_hash("vidriera-7", method) if method else cut_off
    text = f'{SMALLEST}\n[users.ana]\npassword_hash = "{password_hash}"\n'
    assert configuration_errors(text) == [
        "users.ana.password_hash: is quick to guess; make a new one with `connector user hash`."
    ]


def test_hash_of_an_empty_password_is_an_error(configuration_errors: Callable[..., Any]) -> None:
    text = f'{SMALLEST}\n[users.ana]\npassword_hash = "{generate_password_hash("")}"\n'
    assert configuration_errors(text) == ["users.ana.password_hash: is of an empty password."]


def test_strong_hashes_are_accepted(load: Callable[..., Any]) -> None:
    for method in ("scrypt", "pbkdf2:sha256:600000"):
        text = f'{SMALLEST}\n[users.ana]\npassword_hash = "{generate_password_hash("vidriera-7", method)}"\n'
        assert list(load(text).users) == ["ana"]


def test_empty_variables_count_as_missing(load: Callable[..., Any]) -> None:
    names = ["DATABASE_URL", "ADMIN_TOKEN", "HOST", "PORT", "WEB_CONCURRENCY", "LEASE_S", "AUTO_MIGRATE", "DYNO"]
    assert load(SMALLEST, dict.fromkeys(names, "")).environment == Environment()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(
            ("PORT", value, "must be a whole number from 1 to 65535.")
            for value in ["65536", "-1", "8_0", " 80", "٨٠", "1.0"]
        ),
        ("WEB_CONCURRENCY", "0", "must be a whole number from 1 to 256."),
        ("LEASE_S", "9" * 5000, "must be a whole number from 1 to 86400."),
        ("AUTO_MIGRATE", "maybe", "must be 0 or 1."),
        ("ALLOW_EPHEMERAL_SQLITE", "2", "must be 0 or 1."),
        ("HOST", "any host", "must be an address to listen on."),
        ("ADMIN_TOKEN", "contraseña" * 4, "must be printable ASCII text."),
        ("ADMIN_TOKEN", "x" * 31, "must be at least 32 characters, made at random: `connector token` prints one."),
    ],
)
def test_invalid_environment_variable_is_an_error(
    configuration_errors: Callable[..., Any], name: str, value: str, expected: str
) -> None:
    assert configuration_errors(SMALLEST, {name: value}) == [f"{name}: {expected}"]


NO_DATABASE = (
    "must be sqlite:/// and the path of a file, such as sqlite:///connector.db,"
    " or postgres://user:password@host:port/database."
)


@pytest.mark.parametrize(
    "url", ["postgres://u:p@db.example:5432/pedidos?sslmode=require", "postgresql:///pedidos?host=/run/postgresql"]
)
def test_heroku_and_driver_url_schemes_are_accepted(load: Callable[..., Any], url: str) -> None:
    assert load(SMALLEST, {"DATABASE_URL": url}).environment.database_url == url


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("postgres://db.example", "must be postgres://user:password@host:port/database."),
        ("postgres://ana:hush@db.example:x/pedidos", "must be postgres://user:password@host:port/database."),
        ("postgresql:///pedidos", "must be postgres://user:password@host:port/database."),
        ("mysql://db.example/p", NO_DATABASE),
        ("connector.db", NO_DATABASE),
        ("sqlite://", NO_DATABASE),
        ("sqlite:///p.db?mode=ro", NO_DATABASE),
        ("sqlite:///p.db\n", NO_DATABASE),
        ("sqlite:///", "must name a file: a database in memory loses every order when the process ends."),
        ("sqlite:///:memory:", "must name a file: a database in memory loses every order when the process ends."),
    ],
)
def test_non_durable_database_is_refused(configuration_errors: Callable[..., Any], value: str, expected: str) -> None:
    assert configuration_errors(SMALLEST, {"DATABASE_URL": value}) == [f"DATABASE_URL: {expected}"]


@pytest.mark.parametrize("environ", [{}, {"ALLOW_EPHEMERAL_SQLITE": "0"}, {"DATABASE_URL": "sqlite:///pedidos.db"}])
def test_sqlite_on_a_dyno_is_refused(configuration_errors: Callable[..., Any], environ: dict[str, Any]) -> None:
    assert configuration_errors(SMALLEST, {"DYNO": "web.1", **environ}) == [
        "DATABASE_URL: SQLite is refused because DYNO is set: a dyno's disk is wiped at least once a day, with every "
        "order on it. Set ALLOW_EPHEMERAL_SQLITE=1 to accept that."
    ]


def test_sqlite_on_a_dyno_is_refused_with_other_errors(configuration_errors: Callable[..., Any]) -> None:
    assert [fault.partition(":")[0] for fault in configuration_errors(SMALLEST, {"DYNO": "web.1", "PORT": "x"})] == [
        "PORT",
        "DATABASE_URL",
    ]


def test_sqlite_on_a_dyno_can_be_allowed_explicitly(load: Callable[..., Any]) -> None:
    assert load(SMALLEST, {"DYNO": "web.1", "ALLOW_EPHEMERAL_SQLITE": "1"}).environment == Environment()
