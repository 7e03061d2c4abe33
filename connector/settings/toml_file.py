"""The file: reads TOML and fills in the variables that its texts name. It does not know what the settings mean."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.settings.errors import ConfigErrors, ConfigPath


def read_toml(path: Path, errors: ConfigErrors) -> dict[str, Any] | None:
    """Return what the file at `path` holds, or None after adding why it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        text = "there is no such file. CONNECTOR_CONFIG names another one; connector.example.toml is a start."
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
    """Return `value` with every `${NAME}` in its texts replaced by that variable, and `$${` by `${`."""
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
            messages.append("has ${ without a variable's name and }; $${ stands for a plain ${.")
        elif name not in variables:
            messages.append(f"the environment has no {name}.")
        elif not variables[name].isprintable():
            # Also bytes that are not UTF-8, which Python keeps as lone surrogates and nothing can send.
            messages.append(f"{name} holds characters that cannot be printed, such as a line's end.")
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
