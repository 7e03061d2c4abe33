"""Reads a TOML file and substitutes `${VARIABLES}` in it."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.settings.errors import ConfigErrors, ConfigPath


def read_toml(path: Path, errors: ConfigErrors) -> dict[str, Any] | None:
    """Return the contents of the file, or None after adding why it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        text = "there is no such file. Copy connector.example.toml, or set CONNECTOR_CONFIG to another path."
    except OSError as error:
        text = f"cannot be read: {error.strerror}."
    except UnicodeDecodeError:
        text = "is not UTF-8 text."
    except tomllib.TOMLDecodeError as error:
        text = f"is not TOML: {error}."
    errors.messages.append(f"{path.absolute()}: {text}")
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
