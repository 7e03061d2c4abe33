"""A merchant's own schema class: imports it from beside connector.toml, and sees that it fits in a spoke's place."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from connector.settings.errors import Faults, Trail, suggest
from mappings.integration import Destination, Storefront, make_schema

NAME = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")


def import_own_schema(
    text: str, spoke: Storefront | Destination, *, path: Trail, directory: Path, faults: Faults
) -> type[Any] | str | None:
    """Return the class that `module:Class` names; None after adding why it cannot be had.

    What is no such text is returned as it is, for the setting's own check to refuse.
    """
    named = NAME.fullmatch(text)
    if named is None:
        return text
    if str(directory.absolute()) not in sys.path:
        sys.path.append(str(directory.absolute()))  # at the end: no file of theirs stands in a library's place
    try:
        module = importlib.import_module(named["module"])
    except ModuleNotFoundError as error:
        missing = error.name or named["module"]
        is_theirs = f"{named['module']}.".startswith(f"{missing}.")
        where = (
            f" in {directory.absolute()}, nor is it installed" if is_theirs else f", which {named['module']} imports"
        )
        faults.add(path, f"there is no module {missing}{where}.")
        return None
    except Exception as error:
        faults.add(path, f"{named['module']} cannot be imported: {type(error).__name__}: {error}")
        return None
    own = getattr(module, named["name"], None)
    if own is None:
        faults.add(path, f"{named['module']} has no {named['name']}{suggest(named['name'], vars(module))}")
        return None
    if fault := find_fault(own, spoke):
        faults.add(path, fault)
        return None
    return own  # type: ignore[no-any-return]  # a subclass of the spoke's


def find_fault(own: Any, spoke: Storefront | Destination) -> str | None:
    """What keeps a class from standing in the place of the spoke's."""
    if not isinstance(own, type) or not issubclass(own, spoke.order):
        return f"must name a subclass of {spoke.order.__module__}.{spoke.order.__name__}."
    try:
        schema = make_schema(own)
    except Exception as error:
        return f"{own.__name__} cannot be made: {type(error).__name__}: {error}"
    if not isinstance(spoke, Destination) or schema.dispatch is None:
        return None
    known = spoke.dispatch
    if isinstance(schema.dispatch, type) and issubclass(schema.dispatch, known):
        return None
    return f"`dispatch` of {own.__name__} must be a subclass of {known.__module__}.{known.__name__}."
