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
from connector.settings.alerts import Alerts, build_alerts
from connector.settings.coercion import parse_texts
from connector.settings.csv_tables import TableFile, stamp_of
from connector.settings.environment import Environment, EnvironmentSchema
from connector.settings.errors import Faults, check, spell
from connector.settings.integrations import build, build_account, build_both, build_store, table_files
from connector.settings.routes import Filter, Route, RouteSchema
from connector.settings.toml_file import fill_in, read_document
from connector.settings.users import User, build_users
from mappings import DESTINATIONS, STOREFRONTS
from mappings.integration import Destination, Storefront
from mappings.settings import Account, AccountSchema, ServiceUrl, Store, placeholders_in

__all__ = [
    "Alerts",
    "Environment",
    "Filter",
    "Route",
    "Settings",
    "build_account",
    "build_both",
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
    alerts: Alerts = field(default_factory=Alerts)

    def store_by_id(self, store_id: str) -> Store:
        """Return the store of this id. Raises `KeyError` when no table has it (any more)."""
        return {store.id: store for store in self.stores.values()}[store_id]

    def routes_of(self, store_id: str) -> list[Route]:
        return [route for route in self.routes if route.store == store_id]

    def routes_between(self, store_id: str, account_id: str) -> list[Route]:
        return [route for route in self.routes_of(store_id) if account_id in route.accounts]

    def storefront(self, store: Store) -> Storefront:
        return STOREFRONTS[store.storefront]

    def destination(self, account: Account) -> Destination:
        return DESTINATIONS[account.destination]


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings in `path`, else in the file of `CONNECTOR_CONFIG`, else in ./connector.toml.

    Raises `SettingsError` with every fault of the file and of the environment.
    """
    variables = {name: value for name, value in environ.items() if value}
    faults = Faults()
    environment = check(EnvironmentSchema(unknown=EXCLUDE), variables, (), faults) or Environment()
    path = path or config_path(variables)
    directory = path.absolute().parent
    document = read_document(path, faults)
    if document is None:
        raise SettingsError(faults.texts)
    document = fill_in(document, variables, (), faults)
    configuration = check(ConfigurationSchema(), document, (), faults) or {}

    store_tables = _tables(document.get("stores"))
    account_tables = _tables(document.get("accounts"))
    stores = {
        name: build("storefront", name, table, ("stores", name), faults, directory=directory)
        for name, table in store_tables.items()
    }
    files = tuple(one for name, table in account_tables.items() for one in table_files(name, table, directory))
    accounts = {
        name: build("destination", name, table, ("accounts", name), faults, directory=directory)
        for name, table in account_tables.items()
    }
    _check_durations(account_tables, variables.get("LEASE_S", f"{environment.lease_s}"), faults)
    ids = {
        "stores": _check_ids("stores", store_tables, faults),
        "accounts": _check_ids("accounts", account_tables, faults),
    }
    retired = _list(document.get("retired"))
    for place, one in enumerate(retired):
        for kind, of_kind in ids.items():
            if taken := [name for name, used in of_kind.items() if used == one]:
                faults.add(("retired", place), f"“{one}” is in use: it is the id of {spell((kind, taken[0]))}.")
    routes = [
        check(RouteSchema(ids), route, ("routes", place), faults)
        for place, route in enumerate(_list(document.get("routes")))
        if isinstance(route, dict)
    ]
    _check_stores_are_told_apart(accounts, [route for route in routes if route], faults)
    alerts = build_alerts(document.get("alerts"), ids["stores"], faults)
    users = build_users(_tables(document.get("users")), environment, faults)
    faults.raise_any()
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
    files = tuple(replace(file, stamp=stamp_of(file.path)) for file in settings.table_files)
    if files == settings.table_files:
        return settings, []
    changed = {new.account for old, new in zip(settings.table_files, files, strict=True) if old != new}
    accounts, texts = dict(settings.accounts), []
    for name in sorted(changed):
        faults, path = Faults(), ("accounts", name)
        given = settings.account_tables[name]
        account = build("destination", name, given, path, faults, directory=settings.directory)
        texts += faults.texts
        if not faults.texts:
            accounts[account.id] = account
    return replace(settings, accounts=accounts, table_files=files), texts


ONE = Length(min=1, error="needs at least one table.")


class ConfigurationSchema(Schema):
    """The shape of the file. What its tables hold, the schemas of their spokes check."""

    stores = fields.Dict(values=fields.Dict(), required=True, validate=ONE)
    accounts = fields.Dict(values=fields.Dict(), required=True, validate=ONE)
    routes = fields.List(
        fields.Dict(),
        required=True,
        validate=ONE,
        error_messages={"invalid": "must be a list of tables, each under [[routes]]."},
    )
    retired = fields.List(fields.String())
    public_url = ServiceUrl()
    alerts = fields.Dict()
    users = fields.Dict(values=fields.Dict())


def _check_ids(kind: str, tables: Mapping[str, Mapping[str, Any]], faults: Faults) -> dict[str, str]:
    """Return the ids by the tables' names, and add a fault for each that two tables share."""
    ids: dict[str, str] = {name: str(table.get("id", name)) for name, table in tables.items()}
    first: dict[str, str] = {}
    for name, used in ids.items():
        if (other := first.setdefault(used, name)) != name:
            faults.add((kind, name, "id"), f"“{used}” is also the id of {spell((kind, other))}.")
    return ids


def _check_durations(tables: Mapping[str, Mapping[str, Any]], lease_s: str, faults: Faults) -> None:
    """Compare durations with each other. That each is one by itself, the schemas check."""
    longest_s, longest = 0.0, ""
    for name, table in tables.items():
        given = parse_texts(AccountSchema(), table)
        first_s, max_s, timeout_s = (
            _duration(given, setting) for setting in ("retry_first_s", "retry_max_s", "timeout_s")
        )
        if first_s > max_s:
            faults.add(("accounts", name, "retry_first_s"), f"must not be above retry_max_s, which is {max_s:g}.")
        if timeout_s > longest_s:
            longest_s, longest = timeout_s, spell(("accounts", name, "timeout_s"))
    least_s = math.ceil(longest_s + LEASE_MARGIN_S)
    # A lease that runs out during an attempt leaves its outcome unknown.
    if longest and re.fullmatch("[0-9]{1,9}", lease_s) and int(lease_s) < least_s:
        faults.add(("LEASE_S",), f"must be at least {least_s}, since {longest} is {longest_s:g}.")


def _check_stores_are_told_apart(
    accounts: Mapping[str, Account | None], routes: Sequence[Route], faults: Faults
) -> None:
    """Add a fault where orders of two stores could look the same at an account: their ids may be equal."""
    for name, account in accounts.items():
        destination = DESTINATIONS.get(account.destination) if account else None  # unknown: a fault by now
        setting = destination.tells_stores_apart if destination else None
        if not account or not setting:
            continue
        stores = sorted({route.store for route in routes if account.id in route.accounts})
        if len(stores) > 1 and "store" not in placeholders_in(getattr(account, setting)):
            faults.add(("accounts", name, setting), f"needs {{store}}: {' and '.join(stores)} both send orders here.")


def _duration(given: Mapping[str, Any], setting: str) -> float:
    """The duration given, else the default, which also stands for what is no duration at all."""
    default: float = getattr(Account(name="", id="", destination="", base_url=""), setting)
    value = given.get(setting)
    return value if isinstance(value, int | float) and 0 <= value < 1e300 else default


def _tables(value: Any) -> dict[str, dict[str, Any]]:
    return {name: table for name, table in value.items() if isinstance(table, dict)} if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
