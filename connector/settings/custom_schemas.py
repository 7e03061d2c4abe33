"""A merchant's own schema class: imports it from beside connector.toml, and sees that it fits in a spoke's place."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from connector.settings.errors import ConfigErrors, ConfigPath, suggest
from mappings.destination import Destination
from mappings.schema import schema_instance
from mappings.storefront import Storefront

CLASS_REFERENCE = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")


def import_custom_schema(
    reference: str,
    integration: Storefront[Any] | Destination[Any],
    *,
    path: ConfigPath,
    directory: Path,
    errors: ConfigErrors,
) -> type[Any] | str | None:
    """Return the class that `module:Class` names; None after adding why it cannot be had.

    What is no such text is returned as it is, for the setting's own check to refuse.
    """
    match = CLASS_REFERENCE.fullmatch(reference)
    if match is None:
        return reference
    if str(directory.absolute()) not in sys.path:
        sys.path.append(str(directory.absolute()))  # at the end: no file of theirs stands in a library's place
    try:
        module = importlib.import_module(match["module"])
    except ModuleNotFoundError as error:
        missing = error.name or match["module"]
        is_named_module = f"{match['module']}.".startswith(f"{missing}.")
        explanation = (
            f" in {directory.absolute()}, nor is it installed"
            if is_named_module
            else f", which {match['module']} imports"
        )
        errors.add(path, f"there is no module {missing}{explanation}.")
        return None
    except Exception as error:
        errors.add(path, f"{match['module']} cannot be imported: {type(error).__name__}: {error}")
        return None
    schema_class = getattr(module, match["name"], None)
    if schema_class is None:
        errors.add(path, f"{match['module']} has no {match['name']}{suggest(match['name'], vars(module))}")
        return None
    if message := find_incompatibility(schema_class, integration):
        errors.add(path, message)
        return None
    return schema_class  # type: ignore[no-any-return]  # a subclass of the spoke's


def find_incompatibility(schema_class: Any, integration: Storefront[Any] | Destination[Any]) -> str | None:
    """What keeps a class from standing in the place of the spoke's."""
    if not isinstance(schema_class, type) or not issubclass(schema_class, integration.order_schema):
        return f"must name a subclass of {integration.order_schema.__module__}.{integration.order_schema.__name__}."
    try:
        schema = schema_instance(schema_class)
    except Exception as error:
        return f"{schema_class.__name__} cannot be made: {type(error).__name__}: {error}"
    if not isinstance(integration, Destination) or schema.request_class is None:
        return None
    expected = integration.request_class
    if isinstance(schema.request_class, type) and issubclass(schema.request_class, expected):
        return None
    return (
        f"`request_class` of {schema_class.__name__} must be a subclass of {expected.__module__}.{expected.__name__}."
    )
