"""Imports a merchant's own schema class, and checks that it can replace the integration's."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from connector.settings.errors import ConfigErrors, ConfigPath, add_suggestion
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
    """Return the class that `module:Class` names, or None after adding why it cannot be used.

    The module may be in the configuration's directory or installed. A text that is not `module:Class` is returned as
    it is: the setting's field rejects it.
    """
    match = CLASS_REFERENCE.fullmatch(reference)
    if match is None:
        return reference
    if str(directory.absolute()) not in sys.path:
        sys.path.append(str(directory.absolute()))  # last, so that no file there shadows a library
    try:
        module = importlib.import_module(match["module"])
    except ModuleNotFoundError as error:
        missing = error.name or match["module"]
        is_named_module = f"{match['module']}.".startswith(f"{missing}.")
        explanation = (
            f" in {directory.absolute()}, and it is not installed"
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
        message = add_suggestion(f"{match['module']} has no {match['name']}.", match["name"], vars(module))
        errors.add(path, message)
        return None
    if incompatibility := find_incompatibility(schema_class, integration):
        errors.add(path, incompatibility)
        return None
    return schema_class  # type: ignore[no-any-return]  # checked above


def find_incompatibility(schema_class: Any, integration: Storefront[Any] | Destination[Any]) -> str | None:
    """Return why the class cannot replace the integration's, or None if it can."""
    if not isinstance(schema_class, type) or not issubclass(schema_class, integration.order_schema):
        return f"must name a subclass of {integration.order_schema.__module__}.{integration.order_schema.__name__}."
    try:
        schema = schema_instance(schema_class)
    except Exception as error:
        return f"{schema_class.__name__} cannot be instantiated: {type(error).__name__}: {error}"
    if not isinstance(integration, Destination) or schema.request_class is None:
        return None
    expected = integration.request_class
    if isinstance(schema.request_class, type) and issubclass(schema.request_class, expected):
        return None
    return (
        f"`request_class` of {schema_class.__name__} must be a subclass of {expected.__module__}.{expected.__name__}."
    )
