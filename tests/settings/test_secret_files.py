"""Secrets in files: `${file:…}` in the configuration, and `NAME_FILE` in the environment."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.settings import load_environment
from connector.settings.secret_files import MAX_BYTES, find_exposed
from tests.support.configuration import SMALLEST

ADMIN = 8 * "ficha"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "secreto") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("content", ["hush", "hush\n", "hush\r\n"])
@pytest.mark.parametrize("form", ["${file:%s}", "${file:secreto}", "${file:${FOLDER}/secreto}"])
def test_a_secret_is_read_from_a_file(
    load: Callable[..., Any], write: Callable[..., Path], content: str, form: str
) -> None:
    path = write(content)
    text = form.replace("%s", str(path))
    settings = load(SMALLEST.replace("secreto", f"antes {text} y $${{file:x}}"), {"FOLDER": str(path.parent)})
    assert settings.stores["tienda-mx"].secrets == ["antes hush y ${file:x}"]
    assert settings.secret_files == (path,)


def test_what_a_file_contains_is_not_substituted_again(load: Callable[..., Any], write: Callable[..., Path]) -> None:
    write("${CLAVE}")
    assert load(SMALLEST.replace("secreto", "${file:secreto}")).stores["tienda-mx"].secrets == ["${CLAVE}"]


FAULTS = [
    (b"", "is empty."),
    (b"\n", "is empty."),
    (b"hush\nmore\n", "contains unprintable characters, such as a line break that is not its last."),
    (b"hush\0", "contains unprintable characters, such as a line break that is not its last."),
    (b"hush\xff", "is not UTF-8 text."),
    ((MAX_BYTES + 1) * b"h", "is larger than 64 KiB."),
]


@pytest.mark.parametrize(("content", "fault"), FAULTS)
def test_an_unusable_file_is_an_error_without_its_content(
    configuration_errors: Callable[..., Any], write: Callable[..., Path], content: bytes, fault: str
) -> None:
    path = write(content)
    [error] = configuration_errors(SMALLEST.replace("secreto", "${file:secreto}"))
    assert error == f"stores.tienda-mx.secrets[0]: {path} {fault}"
    [error] = configuration_errors(SMALLEST, {"ADMIN_TOKEN_FILE": str(path)})
    assert error == f"ADMIN_TOKEN_FILE: {path} {fault}"


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("${file:/nirgends/x}", "there is no file /nirgends/x."),
        ("${file:/etc}", "/etc cannot be read: Is a directory."),
        ("${file:${FOLDER}/x}", "the environment variable FOLDER is not set."),
        ("${file:}", "has ${ without a variable name and }; write $${ for a literal ${."),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(
    configuration_errors: Callable[..., Any], reference: str, fault: str
) -> None:
    assert configuration_errors(SMALLEST.replace("secreto", reference)) == [f"stores.tienda-mx.secrets[0]: {fault}"]


@pytest.mark.timeout(10)
def test_a_pipe_is_not_waited_for(configuration_errors: Callable[..., Any], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    [error] = configuration_errors(SMALLEST.replace("secreto", "${file:pipe}"))
    assert error == f"stores.tienda-mx.secrets[0]: {tmp_path}/pipe is not a file."


def test_every_variable_of_the_service_may_be_in_a_file(load: Callable[..., Any], write: Callable[..., Path]) -> None:
    environ = {
        "ADMIN_TOKEN_FILE": str(write(f"{ADMIN}\n", "admin")),
        "DATABASE_URL_FILE": str(write("sqlite:////var/lib/x.db\n", "url")),
        "LEASE_S_FILE": str(write("90\n", "lease")),
    }
    settings = load(SMALLEST, environ)
    environment = settings.environment
    values = (environment.admin_token, environment.database_url, environment.lease_s)
    assert values == (ADMIN, "sqlite:////var/lib/x.db", 90)
    assert len(settings.secret_files) == 3
    assert load_environment(environ) == environment


def test_a_variable_and_its_file_are_not_both_set(
    configuration_errors: Callable[..., Any], write: Callable[..., Path]
) -> None:
    environ = {"ADMIN_TOKEN": ADMIN, "ADMIN_TOKEN_FILE": str(write(ADMIN))}
    fault = "ADMIN_TOKEN_FILE: is set, and ADMIN_TOKEN is too: only one of them may be."
    assert configuration_errors(SMALLEST, environ) == [fault]


def test_errors_name_the_file_and_not_its_content(
    configuration_errors: Callable[..., Any], write: Callable[..., Path]
) -> None:
    path = write("hush")
    toml = SMALLEST.replace('"shopify"', '"${file:secreto}"').replace('to = ["bodega"]', 'to = ["${file:secreto}"]')
    errors = configuration_errors(toml, {"DATABASE_URL_FILE": str(path), "PORT_FILE": str(path)})
    assert len(errors) >= 4
    assert "hush" not in "\n".join(errors)


def test_files_that_everybody_can_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "secreto"
    path.write_text("hush", "utf-8")
    path.chmod(0o644)
    folders = [path.parent, *path.parent.parents]
    is_reachable = all(folder.stat().st_mode & 0o001 for folder in folders)
    assert find_exposed([path, path]) == ([path] if is_reachable else [])
    public = Path("/etc/passwd")
    assert find_exposed([public, public, tmp_path / "none"]) == [public]
    path.chmod(0o640)
    assert find_exposed([path]) == []
