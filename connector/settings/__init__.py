"""The configuration: reads connector.toml and the environment, and names all their faults at once.

Nothing else reads either of them, and no fault shows a value that came from the environment.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from marshmallow import EXCLUDE, Schema, fields
from marshmallow.validate import Length

from connector.core.exceptions import SettingsError
from connector.settings.alerts import AlertSettings, build_alert_settings
from connector.settings.coercion import coerce_settings
from connector.settings.csv_tables import TableFile, file_fingerprint
from connector.settings.environment import Environment, EnvironmentSchema
from connector.settings.errors import ConfigErrors, format_path, validate_table
from connector.settings.integrations import build_account, build_pair, build_store, build_store_or_account, table_files
from connector.settings.routes import Route, RouteFilter, RouteSchema
from connector.settings.toml_file import read_toml, substitute_variables
from connector.settings.users import User, build_users
from mappings import DESTINATIONS, STOREFRONTS
from mappings.destination import Destination
from mappings.settings import Account, AccountSchema, ServiceUrl, Store, placeholders_in
from mappings.storefront import Storefront

__all__ = [
    "AlertSettings",
    "Environment",
    "Route",
    "RouteFilter",
    "Settings",
    "build_account",
    "build_pair",
    "build_store",
    "config_path",
    "load_settings",
    "refresh_tables",
]

#: What a lease keeps over after the longest attempt, to record its outcome.
LEASE_MARGIN_S = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration, without a fault."""

    stores: Mapping[str, Store]  # by the table's name, as in `/webhooks/<store>`
    accounts: Mapping[str, Account]  # by id
    routes: tuple[Route, ...]
    retired: frozenset[str] = frozenset()  # ids that the database may know and no table has any more
    users: Mapping[str, User] = field(default_factory=dict)  # by name: who may sign in to the dashboard
    environment: Environment = field(default_factory=Environment)
    directory: Path = Path()  # of the file: what it names is found from there
    table_files: tuple[TableFile, ...] = ()
    account_tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)  # as given, by name
    public_url: str | None = None  # where people reach the service, for links to it
    alerts: AlertSettings = field(default_factory=AlertSettings)

    def store_by_id(self, store_id: str) -> Store:
        """Return the store of this id. Raises `KeyError` when no table has it (any more)."""
        return {store.id: store for store in self.stores.values()}[store_id]

    def routes_of(self, store_id: str) -> list[Route]:
        return [route for route in self.routes if route.store == store_id]

    def routes_between(self, store_id: str, account_id: str) -> list[Route]:
        return [route for route in self.routes_of(store_id) if account_id in route.accounts]

    def storefront(self, store: Store) -> Storefront[Any]:
        return STOREFRONTS[store.storefront]

    def destination(self, account: Account) -> Destination[Any]:
        return DESTINATIONS[account.destination]


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings in `path`, else in the file of `CONNECTOR_CONFIG`, else in ./connector.toml.

    Raises `SettingsError` with every fault of the file and of the environment.
    """
    variables = {name: value for name, value in environ.items() if value}
    errors = ConfigErrors()
    environment = validate_table(EnvironmentSchema(unknown=EXCLUDE), variables, (), errors) or Environment()
    path = path or config_path(variables)
    directory = path.absolute().parent
    data = read_toml(path, errors)
    if data is None:
        raise SettingsError(errors.messages)
    data = substitute_variables(data, variables, (), errors)
    configuration = validate_table(ConfigurationSchema(), data, (), errors) or {}

    store_tables = _tables_or_empty(data.get("stores"))
    account_tables = _tables_or_empty(data.get("accounts"))
    stores = {
        name: build_store_or_account("storefront", name, table, ("stores", name), errors, directory=directory)
        for name, table in store_tables.items()
    }
    files = tuple(item for name, table in account_tables.items() for item in table_files(name, table, directory))
    accounts = {
        name: build_store_or_account("destination", name, table, ("accounts", name), errors, directory=directory)
        for name, table in account_tables.items()
    }
    _check_durations(account_tables, variables.get("LEASE_S", f"{environment.lease_s}"), errors)
    ids = {
        "stores": _check_unique_ids("stores", store_tables, errors),
        "accounts": _check_unique_ids("accounts", account_tables, errors),
    }
    retired = _list_or_empty(data.get("retired"))
    for index, item in enumerate(retired):
        for kind, ids_by_name in ids.items():
            if names := [name for name, used_id in ids_by_name.items() if used_id == item]:
                errors.add(("retired", index), f"“{item}” is in use: it is the id of {format_path((kind, names[0]))}.")
    routes = [
        validate_table(RouteSchema(ids), route, ("routes", index), errors)
        for index, route in enumerate(_list_or_empty(data.get("routes")))
        if isinstance(route, dict)
    ]
    _check_order_references(accounts, [route for route in routes if route], errors)
    alerts = build_alert_settings(data.get("alerts"), ids["stores"], errors)
    users = build_users(_tables_or_empty(data.get("users")), environment, errors)
    errors.raise_any()
    return Settings(
        stores=stores,
        accounts={account.id: account for account in accounts.values()},
        routes=tuple(routes),
        retired=frozenset(retired),
        users=users,
        environment=environment,
        directory=directory,
        table_files=files,
        account_tables=account_tables,
        public_url=configuration.get("public_url"),
        alerts=alerts,
    )


def config_path(variables: Mapping[str, str]) -> Path:
    return Path(variables.get("CONNECTOR_CONFIG") or "connector.toml")


def refresh_tables(settings: Settings) -> tuple[Settings, list[str]]:
    """Return the settings with the tables of CSV files that were changed, and what is wrong with those files.

    An account keeps the tables that it has where there is a fault. Where no file was changed, the settings themselves
    are returned, at the price of one system call for each file.
    """
    files = tuple(replace(file, fingerprint=file_fingerprint(file.path)) for file in settings.table_files)
    if files == settings.table_files:
        return settings, []
    changed_accounts = {new.account for old, new in zip(settings.table_files, files, strict=True) if old != new}
    accounts, messages = dict(settings.accounts), []
    for name in sorted(changed_accounts):
        errors, path = ConfigErrors(), ("accounts", name)
        table = settings.account_tables[name]
        account = build_store_or_account("destination", name, table, path, errors, directory=settings.directory)
        messages += errors.messages
        if not errors.messages:
            accounts[account.id] = account
    return replace(settings, accounts=accounts, table_files=files), messages


AT_LEAST_ONE_TABLE = Length(min=1, error="needs at least one table.")


class ConfigurationSchema(Schema):
    """The shape of the file. What its tables hold, the schemas of their spokes check."""

    stores = fields.Dict(values=fields.Dict(), required=True, validate=AT_LEAST_ONE_TABLE)
    accounts = fields.Dict(values=fields.Dict(), required=True, validate=AT_LEAST_ONE_TABLE)
    routes = fields.List(
        fields.Dict(),
        required=True,
        validate=AT_LEAST_ONE_TABLE,
        error_messages={"invalid": "must be a list of tables, each under [[routes]]."},
    )
    retired = fields.List(fields.String())
    public_url = ServiceUrl()
    alerts = fields.Dict()
    users = fields.Dict(values=fields.Dict())


def _check_unique_ids(kind: str, tables: Mapping[str, Mapping[str, Any]], errors: ConfigErrors) -> dict[str, str]:
    """Return the ids by the tables' names, and add a fault for each that two tables share."""
    ids: dict[str, str] = {name: str(table.get("id", name)) for name, table in tables.items()}
    name_by_id: dict[str, str] = {}
    for name, id_ in ids.items():
        if (other := name_by_id.setdefault(id_, name)) != name:
            errors.add((kind, name, "id"), f"“{id_}” is also the id of {format_path((kind, other))}.")
    return ids


def _check_durations(tables: Mapping[str, Mapping[str, Any]], lease_s: str, errors: ConfigErrors) -> None:
    """Compare durations with each other. That each is one by itself, the schemas check."""
    max_timeout_s, max_timeout_path = 0.0, ""
    for name, table in tables.items():
        values = coerce_settings(AccountSchema(), table)
        first_s, max_s, timeout_s = (
            _duration(values, setting) for setting in ("retry_first_s", "retry_max_s", "timeout_s")
        )
        if first_s > max_s:
            errors.add(("accounts", name, "retry_first_s"), f"must not be above retry_max_s, which is {max_s:g}.")
        if timeout_s > max_timeout_s:
            max_timeout_s, max_timeout_path = timeout_s, format_path(("accounts", name, "timeout_s"))
    min_lease_s = math.ceil(max_timeout_s + LEASE_MARGIN_S)
    # A lease that runs out during an attempt leaves its outcome unknown.
    if max_timeout_path and re.fullmatch("[0-9]{1,9}", lease_s) and int(lease_s) < min_lease_s:
        errors.add(("LEASE_S",), f"must be at least {min_lease_s}, since {max_timeout_path} is {max_timeout_s:g}.")


def _check_order_references(
    accounts: Mapping[str, Account | None], routes: Sequence[Route], errors: ConfigErrors
) -> None:
    """Add a fault where orders of two stores could look the same at an account: their ids may be equal."""
    for name, account in accounts.items():
        destination = DESTINATIONS.get(account.destination) if account else None  # unknown: a fault by now
        setting = destination.order_reference_setting if destination else None
        if not account or not setting:
            continue
        stores = sorted({route.store for route in routes if account.id in route.accounts})
        if len(stores) > 1 and "store" not in placeholders_in(getattr(account, setting)):
            errors.add(("accounts", name, setting), f"needs {{store}}: {' and '.join(stores)} both send orders here.")


def _duration(values: Mapping[str, Any], setting: str) -> float:
    """The duration given, else the default, which also stands for what is no duration at all."""
    default: float = getattr(Account(name="", id="", destination="", base_url=""), setting)
    value = values.get(setting)
    return value if isinstance(value, int | float) and 0 <= value < 1e300 else default


def _tables_or_empty(value: Any) -> dict[str, dict[str, Any]]:
    return {name: table for name, table in value.items() if isinstance(table, dict)} if isinstance(value, dict) else {}


def _list_or_empty(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
