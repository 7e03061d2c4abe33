"""Finds the configuration, parses it as TOML, and substitutes `${VARIABLES}` in it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.settings.errors import ConfigErrors, ConfigPath

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


VARIABLE_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


def substitute_variables(value: Any, variables: Mapping[str, str], path: ConfigPath, errors: ConfigErrors) -> Any:
    """Return `value` with each `${NAME}` in its texts replaced by that variable, and each `$${` by `${`."""
    if isinstance(value, dict):
        return {name: substitute_variables(item, variables, (*path, name), errors) for name, item in value.items()}
    if isinstance(value, list):
        return [substitute_variables(item, variables, (*path, index), errors) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if match[0] == "$${":
            return "${"
        if not name:
            messages.append("has ${ without a variable name and }; write $${ for a literal ${.")
        elif name not in variables:
            messages.append(f"the environment variable {name} is not set.")
        elif not variables[name].isprintable():
            # This includes bytes that are not UTF-8, which Python decodes as lone surrogates.
            messages.append(f"{name} contains unprintable characters, such as a line break.")
        else:
            return variables[name]
        return match[0]

    messages: list[str] = []
    result = VARIABLE_REFERENCE.sub(replace, value)
    for text in messages:
        errors.add(path, text)
    if messages:
        errors.suppress(path)
    elif result != value:
        errors.redact(result, value)
    return result
