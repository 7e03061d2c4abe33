"""The file: reads TOML and fills in the variables that its texts name. It does not know what the settings mean."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.settings.errors import Faults, Trail


def read_document(path: Path, faults: Faults) -> dict[str, Any] | None:
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
    faults.texts.append(f"{path.absolute()}: {text}")
    return None


VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


def fill_in(value: Any, variables: Mapping[str, str], path: Trail, faults: Faults) -> Any:
    """Return `value` with every `${NAME}` in its texts replaced by that variable, and `$${` by `${`."""
    if isinstance(value, dict):
        return {name: fill_in(one, variables, (*path, name), faults) for name, one in value.items()}
    if isinstance(value, list):
        return [fill_in(one, variables, (*path, place), faults) for place, one in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if match[0] == "$${":
            return "${"
        if not name:
            missing.append("has ${ without a variable's name and }; $${ stands for a plain ${.")
        elif name not in variables:
            missing.append(f"the environment has no {name}.")
        elif not variables[name].isprintable():
            # Also bytes that are not UTF-8, which Python keeps as lone surrogates and nothing can send.
            missing.append(f"{name} holds characters that cannot be printed, such as a line's end.")
        else:
            return variables[name]
        return match[0]

    missing: list[str] = []
    filled_in = VARIABLE.sub(replace, value)
    for text in missing:
        faults.add(path, text)
    if missing:
        faults.close(path)
    elif filled_in != value:
        faults.quote_as_written(filled_in, value)
    return filled_in
