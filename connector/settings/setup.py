"""The configuration that `connector init` writes: a store, an account and a route, and the secrets beside it.

Answers are validated by the same schemas as the configuration.
"""

import json
import os
import re
import secrets
import shlex
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any, Literal

from marshmallow import ValidationError

from connector.settings.coercion import coerce_settings, coerce_value
from connector.settings.environment import MIN_SECRET_LENGTH
from connector.settings.errors import flatten_errors, format_path
from connector.settings.integrations import INTEGRATIONS
from mappings.settings import IDENTIFIER, ServiceUrl, shop_address
from mappings.setup_questions import SetupPlan, SetupQuestion

#: Of random secrets: 256 bits.
SECRET_BYTES = 32
HEADER = """\
# Written by `connector init`. docs/configuration.md explains every setting, and connector.example.toml shows each in
# its place. Secrets are in the environment file, which ${NAME} refers to.
"""
ENVIRONMENT_HEADER = """\
# Written by `{command}`. It has secrets: keep it private. Load it with: set -a; . ./{name}; set +a
"""
CONFIG_FILE, ENVIRONMENT_FILE = "connector.toml", ".env"


@dataclass(slots=True, kw_only=True)
class SetupPart:
    """The store or the account of a new configuration."""

    kind: Literal["storefront", "destination"]
    integration: str
    name: str
    answers: dict[str, str] = field(default_factory=dict)  # by question
    extra_settings: dict[str, str] = field(default_factory=dict)  # settings that no question is about

    @property
    def plan(self) -> SetupPlan:
        plan = INTEGRATIONS[self.kind][self.integration].setup_plan
        assert plan is not None  # noqa: S101  # only such integrations are offered
        return plan

    @property
    def section(self) -> str:
        return "stores" if self.kind == "storefront" else "accounts"

    def variable(self, question: SetupQuestion) -> str:
        """Return the name of the environment variable of a secret."""
        return f"{self.integration}_{question.name}".upper()

    def set_answer(self, question: SetupQuestion, answer: str) -> None:
        needs_scheme = question.is_address and answer and "://" not in answer
        self.answers[question.name] = f"https://{answer}" if needs_scheme else answer

    def secrets(self) -> dict[str, str]:
        """Return the secrets that were answered, by environment variable."""
        return {
            self.variable(question): self.answers[question.name]
            for question in self.plan.questions
            if question.is_secret and self.answers.get(question.name)
        }

    def build_settings(self) -> dict[str, Any]:
        """Return the settings of the table, with the secrets in them."""
        return {**self.plan.build_settings(self.answers), **self.extra_settings}

    def find_errors(self, question: SetupQuestion) -> list[str]:
        """Return what is wrong with the settings that an answer completes."""
        settings = self.build_settings()
        return self._validate(settings, {*self.plan.settings_about(question.name)} & settings.keys())

    def find_errors_of(self, setting: str) -> list[str]:
        """Return what is wrong with a setting that was given by its name."""
        return self._validate(self.build_settings(), {setting})

    def _validate(self, settings: dict[str, Any], names: Set[str | int]) -> list[str]:
        schema = INTEGRATIONS[self.kind][self.integration].settings_schema()
        table = {self.kind: self.integration, "id": self.name, "name": self.name}
        try:
            schema.load({**coerce_settings(schema, settings), **table})
        except ValidationError as error:
            errors = flatten_errors(error.messages_dict, schema, ())
            return [text for path, text in errors if path and path[0] in names]
        return []

    def to_toml(self) -> str:
        """Return the table, with references in place of the secrets."""
        references = {
            question.name: f"${{{self.variable(question)}}}"
            if question.is_secret
            else escape_reference(self.answers[question.name])
            for question in self.plan.questions
            if self.answers.get(question.name)
        }
        extra = {name: escape_reference(value) for name, value in self.extra_settings.items()}
        settings = {self.kind: self.integration, **self.plan.build_settings(references), **extra}
        schema_fields = INTEGRATIONS[self.kind][self.integration].settings_schema().fields
        lines = [f"{name} = {format_toml(coerce_value(schema_fields.get(name), settings[name]))}" for name in settings]
        return "\n".join([f"[{format_path((self.section, self.name))}]", *lines])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConfiguration:
    """The texts of the two files, and their names."""

    toml: str
    variables: Mapping[str, str] = field(repr=False)  # of the environment file
    config_name: str = CONFIG_FILE
    environment_name: str = ENVIRONMENT_FILE
    command: str = "connector init"  # which writes them

    @property
    def environment_file(self) -> str:
        header = ENVIRONMENT_HEADER.format(command=self.command, name=self.environment_name)
        return header + "".join(f"{name}={shlex.quote(value)}\n" for name, value in self.variables.items())

    def find_existing(self, directory: Path) -> list[Path]:
        """Return those of the two files that exist in a folder."""
        paths = [directory / name for name in (self.config_name, self.environment_name)]
        return [path for path in paths if os.path.lexists(path)]


def build_configuration(
    store: SetupPart, account: SetupPart, *, public_url: str | None, variables: Mapping[str, str]
) -> NewConfiguration:
    """Return the two files.

    Args:
        variables: environment variables besides the secrets of the store and the account.
    """
    top_level = f"public_url = {format_toml(escape_reference(public_url))}\n\n" if public_url else ""
    route = f"[[routes]]\nfrom = {format_toml(store.name)}\nto = [{format_toml(account.name)}]\n"
    return NewConfiguration(
        toml=f"{HEADER}\n{top_level}{store.to_toml()}\n\n{account.to_toml()}\n\n{route}",
        variables={**variables, **store.secrets(), **account.secrets()},
    )


def offered_integrations(kind: str) -> list[str]:
    """Return the names of the storefronts or destinations that `connector init` knows how to set up."""
    return [name for name, integration in INTEGRATIONS[kind].items() if integration.setup_plan is not None]


def setting_names(kind: str, integration: str) -> set[str]:
    """Return the names of the settings that a table may have, besides those that its name and kind decide."""
    return set(INTEGRATIONS[kind][integration].settings_schema().fields) - {"id", "name", kind}


def secret_settings(kind: str, integration: str) -> set[str]:
    """Return the names of the settings that hold secrets or personal data."""
    model = INTEGRATIONS[kind][integration].settings_schema.model
    return {setting.name for setting in dataclass_fields(model) if not setting.repr}


def find_name_errors(name: str) -> list[str]:
    """Return what is wrong with the name of a store or an account."""
    try:
        IDENTIFIER(name)
    except ValidationError as error:
        return [str(message) for message in error.messages]
    return []


def find_public_url_errors(url: str) -> list[str]:
    try:
        ServiceUrl().deserialize(url)
    except ValidationError as error:
        return [str(message) for message in error.messages]
    return []


def default_store_name(storefront: str, shop: str) -> str:
    """Return the first part of the shop's address: "tienda" of tienda.myshopify.com; else the storefront's name."""
    host = (shop_address(shop) or "").partition("/")[0].partition(":")[0]
    label = host.partition(".")[0]
    is_domain = "." in host and not re.fullmatch(r"[0-9.]+", host) and not label.startswith("xn--")
    return label if is_domain and not find_name_errors(label) else storefront


def generate_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def generate_token_key() -> str:
    """Return a key for `TOKEN_KEYS`: https://cryptography.io/en/latest/fernet/, read 2026-11-30."""
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


def is_usable_admin_token(token: str) -> bool:
    return len(token) >= MIN_SECRET_LENGTH and token.isascii() and token.isprintable()


def escape_reference(text: str) -> str:
    """Return a text that the loader reads as it is: `${` would be a reference to a variable."""
    return text.replace("${", "$${")


def format_toml(value: Any) -> str:
    """Return a value as TOML: https://toml.io/en/v1.0.0. Texts in JSON's notation are basic strings."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{format_path((name,))} = {format_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_toml, value))}]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
