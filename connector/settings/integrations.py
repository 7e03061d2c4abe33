"""The tables of stores and accounts: each is checked by the settings of the spoke that it names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from connector.settings.coercion import parse_text, parse_texts
from connector.settings.csv_tables import TableFile, names_file, read_tables, stamp_of
from connector.settings.custom_schemas import import_own_schema
from connector.settings.errors import Faults, Trail, check
from mappings import DESTINATIONS, STOREFRONTS
from mappings.integration import Destination, Storefront
from mappings.settings import IDENTIFIER, Account, AccountSchema, Store, StoreSchema

SPOKES: Mapping[str, Mapping[str, Storefront | Destination]] = {"storefront": STOREFRONTS, "destination": DESTINATIONS}

#: What stands in for settings that reach no body, where a store or an account is built without a file.
MADE_UP: Mapping[str, Any] = {"secrets": ["none"], "api_key": "none", "base_url": "https://nowhere.invalid"}
#: The same for what only some must have: a store that need not fetch would else seem able to.
MADE_UP_IF_REQUIRED: Mapping[str, Any] = {"api_token": "none", "store_id": "1"}


def build_store(storefront: str, values: Mapping[str, Any], name: str = "store") -> Store:
    """Return a store that no file describes, to map with. Secrets that `values` lacks are made up.

    `values` are settings by name, in text or as they are; `table.key` reaches into a table. Raises `SettingsError`.
    """
    faults = Faults()
    store = _build_alone("storefront", storefront, name, values, faults)
    faults.raise_any()
    return cast(Store, store)


def build_account(destination: str, values: Mapping[str, Any], name: str = "account") -> Account:
    """Return an account that no file describes, as `build_store` does. What a body shows is never made up."""
    faults = Faults()
    account = _build_alone("destination", destination, name, values, faults)
    faults.raise_any()
    return cast(Account, account)


def build_both(storefront: str, destination: str, values: Mapping[str, Any]) -> tuple[Store, Account]:
    """Return a store and an account as the two above do, and give each value to the one that knows its name."""
    of_store = _schema("storefront", storefront).fields
    of_account = _schema("destination", destination).fields
    outer = {name: name.partition(".")[0] for name in values}
    for_store = {name: value for name, value in values.items() if outer[name] in of_store}
    for_account = {name: value for name, value in values.items() if outer[name] in of_account or name not in for_store}
    faults = Faults()
    store = _build_alone("storefront", storefront, "store", for_store, faults)
    account = _build_alone("destination", destination, "account", for_account, faults)
    faults.raise_any()
    return store, account


def build(
    kind: str, name: str, table: Mapping[str, Any], path: Trail, faults: Faults, *, directory: Path = Path()
) -> Any:
    """Return the `Store` or `Account` of a table, as its storefront or destination wants it; None if it has faults.

    Args:
        directory: where the files are that settings name.
    """
    spoke = table.get(kind)
    if isinstance(spoke, str) and spoke not in SPOKES[kind]:
        faults.add((*path, kind), f"“{spoke}” is not a {kind}; one of {', '.join(sorted(SPOKES[kind]))}.")
    if "name" in table:
        faults.add((*path, "name"), "is not a setting: the table's name is the name.")
    try:
        IDENTIFIER(name)
    except ValidationError as error:
        faults.add(path, f"the table's name {error.messages[0]}")
        name = "unnamed"
    schema = _schema(kind, spoke)
    table = read_tables(schema, table, path, directory, faults)
    if isinstance(own := table.get("schema"), str) and isinstance(spoke, str) and spoke in SPOKES[kind]:
        place, known = (*path, "schema"), SPOKES[kind][spoke]
        table["schema"] = import_own_schema(own, known, path=place, directory=directory, faults=faults)
        if table["schema"] is None:  # the fault is added
            del table["schema"]
    return check(schema, {"id": name, **parse_texts(schema, table), "name": name}, path, faults)


def table_files(name: str, table: Mapping[str, Any], directory: Path) -> list[TableFile]:
    """Return the CSV files that an account's table names, as they are now."""
    settings = _schema("destination", table.get("destination")).fields
    named = {setting: value for setting, value in table.items() if names_file(settings.get(setting), value)}
    paths = {setting: directory / value for setting, value in named.items()}
    return [
        TableFile(account=name, setting=setting, path=path, stamp=stamp_of(path)) for setting, path in paths.items()
    ]


def _schema(kind: str, spoke: Any) -> Schema:
    """Return what checks the settings of `spoke`; where there is no such spoke, what checks those that all have."""
    if isinstance(spoke, str) and spoke in SPOKES[kind]:
        return SPOKES[kind][spoke].settings()
    return StoreSchema(unknown=EXCLUDE) if kind == "storefront" else AccountSchema(unknown=EXCLUDE)


def _build_alone(kind: str, spoke: str, name: str, values: Mapping[str, Any], faults: Faults) -> Any:
    settings = _schema(kind, spoke).fields
    table: dict[str, Any] = {setting: value for setting, value in MADE_UP.items() if setting in settings}
    table |= {
        setting: value
        for setting, value in MADE_UP_IF_REQUIRED.items()
        if setting in settings and settings[setting].required
    }
    for setting, value in values.items():
        outer, _dot, inner = setting.partition(".")
        outer_value = table.get(outer, {})
        if inner and isinstance(settings.get(outer), fields.Dict) and isinstance(outer_value, dict):
            table[outer] = {**outer_value, inner: value}
        else:
            table[setting] = parse_text(settings.get(setting), value)
    return build(kind, name, {**table, kind: spoke}, (), faults)
