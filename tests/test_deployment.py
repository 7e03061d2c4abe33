"""Checks what the service is deployed with against the code: app.json, Procfile, Dockerfile, compose.yaml, the unit."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector import __version__
from connector.settings import load_environment
from connector.settings.environment import EnvironmentSchema

ROOT = Path(__file__).parent.parent
APP: dict[str, Any] = json.loads((ROOT / "app.json").read_text("utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
UNIT = (ROOT / "deploy" / "connector.service").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
#: What the service reads itself, beside the variables that connector.toml names.
VARIABLES = {field.data_key for field in EnvironmentSchema().fields.values()} | {"CONNECTOR_CONFIG", "CONNECTOR_TOML"}


def test_button_describes_variables_that_the_service_reads() -> None:
    assert APP["env"].keys() <= VARIABLES
    assert all(variable["description"] for variable in APP["env"].values())
    assert APP["env"]["ADMIN_TOKEN"]["generator"] == "secret"
    required = {name for name, variable in APP["env"].items() if variable.get("required", True)}
    assert required == {name for name, variable in APP["env"].items() if variable.keys() & {"value", "generator"}}


def test_values_of_the_button_are_accepted() -> None:
    values = {name: variable["value"] for name, variable in APP["env"].items() if "value" in variable}
    environment = load_environment({**values, "DYNO": "web.1", "PORT": "5000", "DATABASE_URL": "postgres://a:b@c/d"})
    assert (environment.trusted_proxies, environment.host) == (1, "0.0.0.0")  # noqa: S104


def test_button_brings_a_database_and_a_dyno_that_does_not_sleep() -> None:
    assert [addon["plan"] for addon in APP["addons"]] == ["heroku-postgresql:essential-0"]
    assert APP["formation"] == {"web": {"quantity": 1, "size": "basic"}}


@pytest.mark.parametrize(
    "command",
    [
        *re.findall(r"^\w+: (.+)", (ROOT / "Procfile").read_text("utf-8"), re.MULTILINE),
        *re.findall(r"^ExecStart=/opt/connector/\.venv/bin/(.+)", UNIT, re.MULTILINE),
    ],
)
def test_commands_of_platforms_exist(command: str) -> None:
    assert command in {"python -m connector migrate", "python -m connector serve"}


def test_image_copies_only_what_git_tracks_and_docker_sends() -> None:
    names = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)", DOCKERFILE, re.MULTILINE)
        for name in line.split(maxsplit=1)[0:1] + line.split()[1:-1]
    ]
    sent = re.findall(r"^!(.+)", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    assert sorted(set(names)) == sorted(sent)
    tracked = subprocess.run(["git", "-C", ROOT, "ls-files", *sent], capture_output=True, text=True, check=True).stdout
    assert {name.partition("/")[0] for name in tracked.splitlines()} == set(sent)


def test_image_runs_as_an_ordinary_user_and_asks_the_connector_for_its_health() -> None:
    _, final = DOCKERFILE.rsplit("\nFROM ", maxsplit=1)
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .* CMD \["connector", "health"\]$', final, re.MULTILINE)


def test_container_publishes_only_https_and_writes_only_its_volume() -> None:
    services = COMPOSE["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"caddy"}
    connector = services["connector"]
    assert connector["environment"].keys() <= VARIABLES
    assert (connector["read_only"], connector["tmpfs"], connector["cap_drop"]) == (True, "/tmp", ["ALL"])  # noqa: S108
    assert [volume for volume in connector["volumes"] if not volume.endswith(":ro")] == ["data:/var/lib/connector"]
    variables = {name for service in services.values() for name in re.findall(r"\$\{(\w+)", str(service))}
    document = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    assert {name for name in variables if f"{name}=" not in document} == set()
    caddyfile = (ROOT / "deploy" / "Caddyfile").read_text("utf-8")
    assert set(re.findall(r"\{\$(\w+):", caddyfile)) == services["caddy"]["environment"].keys()


def test_environment_file_of_the_unit_is_accepted() -> None:
    lines = (ROOT / "deploy" / "env.example").read_text("utf-8").splitlines()
    values = dict(line.split("=", maxsplit=1) for line in lines if line and not line.startswith("#"))
    assert values.keys() <= VARIABLES
    assert load_environment(values).database_url == "sqlite:////var/lib/connector/connector.db"
    assert "StateDirectory=connector" in UNIT


def test_git_tracks_a_configuration_and_no_secrets() -> None:
    ignored = subprocess.run(
        ["git", "-C", ROOT, "check-ignore", "--no-index", "connector.toml", ".env", "connector.db"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ignored.stdout.split() == [".env", "connector.db"]


def test_supported_versions_of_python_are_the_tested_ones() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    versions = workflow["jobs"]["ci"]["strategy"]["matrix"]["python"]
    [tested] = re.findall(r"^for version in (.+); do$", (ROOT / ".ci" / "pythons").read_text("utf-8"), re.MULTILINE)
    assert tested.split() == versions
    named = re.findall(r"Python ([\d., ]+ and [\d.]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert [re.findall(r"\d\.\d+", text) for text in named] == [versions]
    default = (ROOT / ".python-version").read_text("utf-8").strip()
    assert default in versions
    assert f"ARG PYTHON_VERSION={default}\n" in DOCKERFILE


def test_changelog_describes_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{__version__}]" in changelog
