"""Finds the configuration, parses it as TOML, and substitutes `${VARIABLES}` and `${file:…}` in it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.settings.errors import ConfigErrors, ConfigPath
from connector.settings.secret_files import SecretFileError, read_secret

TEXT_VARIABLE, PATH_VARIABLE = "CONNECTOR_TOML", "CONNECTOR_CONFIG"
DEFAULT_PATH = Path("connector.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSource:
    """Where the configuration is: in a file, or as text in `CONNECTOR_TOML`."""

    path: Path | None = None
    text: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What error messages call it."""
        return str(self.path.absolute()) if self.path else TEXT_VARIABLE

    @property
    def directory(self) -> Path:
        """Paths in the configuration are relative to this."""
        return self.path.absolute().parent if self.path else Path.cwd()


def find_config_source(path: Path | None, variables: Mapping[str, str], errors: ConfigErrors) -> ConfigSource | None:
    """Return `path`, or else what the environment names, or else ./connector.toml.

    Returns None after adding an error if the environment names two configurations.
    """
    text, configured_path = variables.get(TEXT_VARIABLE), variables.get(PATH_VARIABLE)
    if path:
        return ConfigSource(path=path)
    if text and configured_path:
        errors.add((TEXT_VARIABLE,), f"is set, and {PATH_VARIABLE} is too: only one of them may be.")
        return None
    return ConfigSource(text=text) if text else ConfigSource(path=Path(configured_path or DEFAULT_PATH))


def has_configuration(variables: Mapping[str, str]) -> bool:
    """Return whether the environment names a configuration, or ./connector.toml exists."""
    return bool(variables.get(TEXT_VARIABLE) or variables.get(PATH_VARIABLE)) or DEFAULT_PATH.exists()


def read_toml(source: ConfigSource, errors: ConfigErrors) -> dict[str, Any] | None:
    """Return the parsed configuration, or None after adding why it cannot be read."""
    try:
        text = source.path.read_text(encoding="utf-8") if source.path else source.text
        text.encode()  # bytes of a variable that are not UTF-8 are lone surrogates
        return tomllib.loads(text)
    except FileNotFoundError:
        message = (
            f"there is no such file. Write one with `connector init`, set {PATH_VARIABLE} to another path, or "
            f"set {TEXT_VARIABLE} to the text of the file."
        )
    except OSError as error:
        message = f"cannot be read: {error.strerror}."
    except UnicodeError:
        message = "is not UTF-8 text."
    except tomllib.TOMLDecodeError as error:
        message = f"is not TOML: {error}."
        if not source.path and "\n" not in source.text.strip():
            message += f' It has only one line; set it from a file: {TEXT_VARIABLE}="$(cat connector.toml)".'
    errors.messages.append(f"{source.name}: {message}")
    return None


#: `${NAME}`, or `${file:PATH}`, whose path may have variables in it. `$${` is a literal `${`.
REFERENCE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}"
    r"|\$\{file:(?P<file>(?:\$\{[A-Za-z_][A-Za-z0-9_]*\}|[^${}])+)\}|\$\{"
)
VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")


class UnresolvedReferenceError(Exception):
    """A `${…}` names nothing that can be read. The message says what is wrong."""


@dataclass(frozen=True, slots=True)
class References:
    """What `${…}` in the configuration may name.

    Args:
        directory: what paths of files are relative to.
        files: the files that were read.
    """

    variables: Mapping[str, str]
    directory: Path
    files: list[Path] = field(default_factory=list)

    def read_variable(self, name: str) -> str:
        """Raises `UnresolvedReferenceError`."""
        if name not in self.variables:
            raise UnresolvedReferenceError(f"the environment variable {name} is not set.")
        if not self.variables[name].isprintable():
            # This includes bytes that are not UTF-8, which Python decodes as lone surrogates.
            raise UnresolvedReferenceError(f"{name} contains unprintable characters, such as a line break.")
        return self.variables[name]

    def read_file(self, path: str) -> str:
        """Raises `UnresolvedReferenceError`."""
        file = self.directory / VARIABLE.sub(lambda match: self.read_variable(match["name"]), path)
        try:
            text = read_secret(file)
        except SecretFileError as error:
            raise UnresolvedReferenceError(str(error)) from None
        self.files.append(file)
        return text


def substitute_references(value: Any, references: References, path: ConfigPath, errors: ConfigErrors) -> Any:
    """Return `value` with each `${NAME}` in its texts replaced by that variable, and each `${file:PATH}` by a file."""
    if isinstance(value, dict):
        return {name: substitute_references(item, references, (*path, name), errors) for name, item in value.items()}
    if isinstance(value, list):
        return [substitute_references(item, references, (*path, index), errors) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        try:
            if match["file"]:
                return references.read_file(match["file"])
            if match["name"]:
                return references.read_variable(match["name"])
            messages.append("has ${ without a variable name and }; write $${ for a literal ${.")
        except UnresolvedReferenceError as error:
            messages.append(str(error))
        return match[0]

    messages: list[str] = []
    result = REFERENCE.sub(replace, value)
    for text in messages:
        errors.add(path, text)
    if messages:
        errors.suppress(path)
    elif result != value:
        errors.redact(result, value)
    return result
