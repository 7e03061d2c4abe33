"""Loads connector.toml and the environment, and reports all their errors at once.

An error never shows the value of a variable or a file that the configuration names as `${NAME}` or `${file:PATH}`.
"""

import math
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import EXCLUDE
from marshmallow.validate import Length

from connector.core.exceptions import SettingsError
from connector.settings.alerts import AlertSettings, build_alert_settings
from connector.settings.api_tokens import ApiToken, build_admin_token, build_api_tokens
from connector.settings.coercion import coerce_settings
from connector.settings.csv_tables import TableFile
from connector.settings.entered_credentials import EnteredCredential
from connector.settings.entered_rows import EnteredRow
from connector.settings.environment import Environment, EnvironmentSchema
from connector.settings.errors import ConfigErrors, format_path, validate_table
from connector.settings.integrations import build_store_or_account, table_files
from connector.settings.retention import MIN_PARKED_DAYS, Days, Retention
from connector.settings.routes import Route, RouteSchema
from connector.settings.secret_files import SecretFileError, read_secret
from connector.settings.toml_file import TEXT_VARIABLE, References, find_config_source, read_toml, substitute_references
from connector.settings.users import User, build_users
from mappings import DESTINATIONS, STOREFRONTS
from mappings import setting_fields as fields
from mappings.destination import Destination
from mappings.settings import Account, AccountSchema, ServiceUrl, SettingsSchema, Store, is_of_domain, placeholders_in
from mappings.storefront import Storefront

#: Of a store that no route leads from.
UNROUTED = 'no route leads from it, so that its orders are recorded and not sent; add [[routes]] with from = "{name}".'
#: What follows a variable's name where a file has its value.
FILE_SUFFIX = "_FILE"
#: The part of a lease that is reserved for recording the outcome of the longest possible attempt.
LEASE_MARGIN_S = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration, validated."""

    stores: Mapping[str, Store]  # by name, as in `/webhooks/<store>`
    accounts: Mapping[str, Account]  # by id
    routes: tuple[Route, ...]
    retired: frozenset[str] = frozenset()  # ids that are in the database but no longer configured
    users: Mapping[str, User] = field(default_factory=dict)  # the dashboard's users, by name
    tokens: tuple[ApiToken, ...] = ()  # of the API, without ADMIN_TOKEN
    environment: Environment = field(default_factory=Environment)
    directory: Path = Path()  # of the configuration file; paths in it are relative to this
    config_name: str = "connector.toml"  # of the configuration file, or of the variable that has its text
    table_files: tuple[TableFile, ...] = ()
    secret_files: tuple[Path, ...] = ()
    account_tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)  # unparsed, by name
    configured_accounts: Mapping[str, Account] = field(default_factory=dict, repr=False)  # without what people entered
    entered_rows: tuple[EnteredRow, ...] = field(default=(), repr=False)  # of lookup tables; `accounts` has them
    entered_rows_version: int | None = None  # None: they were not loaded
    entered_credentials: tuple[EnteredCredential, ...] = field(default=(), repr=False)  # `accounts` has those in use
    entered_credentials_version: int | None = None  # None: they were not loaded
    public_url: str | None = None  # the service's address, for links to the dashboard and for webhooks
    alerts: AlertSettings = field(default_factory=AlertSettings)
    retention: Retention = field(default_factory=Retention)

    @property
    def api_tokens(self) -> tuple[ApiToken, ...]:
        """Every token of the API, ADMIN_TOKEN first."""
        admin_token = self.environment.admin_token
        return ((build_admin_token(admin_token),) if admin_token else ()) + self.tokens

    @property
    def stores_by_id(self) -> Mapping[str, Store]:
        """The stores by id, as in the database. It may know the ids of stores that are no longer configured."""
        return {store.id: store for store in self.stores.values()}

    def webhook_url(self, store: Store) -> str | None:
        """Return the address that the store's webhooks must have; None if `public_url` is not set."""
        return f"{self.public_url}/webhooks/{store.name}" if self.public_url else None

    def routes_of(self, store_id: str) -> list[Route]:
        return [route for route in self.routes if route.store == store_id]

    def routes_between(self, store_id: str, account_id: str) -> list[Route]:
        return [route for route in self.routes_of(store_id) if account_id in route.accounts]

    def accounts_for(self, store_id: str, topics: Collection[str]) -> dict[str, str]:
        """Return account id to destination name, for every account that a route of the store sends `topics` to."""
        routes = [route for route in self.routes_of(store_id) if route.accepts_topics(topics)]
        return {account: self.accounts[account].destination for route in routes for account in route.accounts}

    def storefront(self, store: Store) -> Storefront[Any]:
        return STOREFRONTS[store.storefront]

    def can_list_orders(self, store: Store) -> bool:
        """Return whether catch-up can read the store's orders: its API is configured, and its storefront offers it."""
        return store.has_api and self.storefront(store).order_listing is not None

    def destination(self, account: Account) -> Destination[Any]:
        return DESTINATIONS[account.destination]


def load_settings(
    path: Path | None = None, environ: Mapping[str, str] = os.environ, *, requires_routes: bool = False
) -> Settings:
    """Load `path`, or else the text in `CONNECTOR_TOML` or the file in `CONNECTOR_CONFIG`, or else ./connector.toml.

    Args:
        requires_routes: a store that no route leads from is an error. The service starts with it.

    Raises `SettingsError` with every error in the configuration and the environment.
    """
    errors = ConfigErrors()
    variables, secret_files = set_variables(environ, errors)
    environment = validate_table(EnvironmentSchema(unknown=EXCLUDE), variables, (), errors) or Environment()
    source = find_config_source(path, variables, errors)
    data = read_toml(source, errors) if source else None
    if source is None or data is None:
        raise SettingsError(errors.messages)
    directory = source.directory
    references = References(variables, directory)
    data = substitute_references(data, references, (), errors)
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
    _check_shared_secrets(stores, errors)
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
    if requires_routes:
        _check_unrouted_stores(ids["stores"], _list_or_empty(data.get("routes")), errors)
    alerts = build_alert_settings(data.get("alerts"), ids["stores"], errors)
    users = build_users(_tables_or_empty(data.get("users")), errors)
    tokens = build_api_tokens(_tables_or_empty(data.get("tokens")), errors)
    errors.raise_any()
    accounts_by_id = {account.id: account for account in accounts.values()}
    return Settings(
        stores=stores,
        accounts=accounts_by_id,
        configured_accounts=accounts_by_id,
        routes=tuple(routes),
        retired=frozenset(retired),
        users=users,
        tokens=tokens,
        environment=environment,
        directory=directory,
        config_name=source.path.name if source.path else TEXT_VARIABLE,
        table_files=files,
        secret_files=(*secret_files, *references.files),
        account_tables=account_tables,
        public_url=configuration.get("public_url"),
        alerts=alerts,
        retention=Retention(**{name: configuration[name] for name in RETENTION_SETTINGS if name in configuration}),
    )


def load_environment(environ: Mapping[str, str] = os.environ) -> Environment:
    """Load the environment variables alone. Raises `SettingsError` with every error in them."""
    errors = ConfigErrors()
    variables, _ = set_variables(environ, errors)
    environment = validate_table(EnvironmentSchema(unknown=EXCLUDE), variables, (), errors)
    errors.raise_any()
    return environment or Environment()


def set_variables(environ: Mapping[str, str], errors: ConfigErrors) -> tuple[dict[str, str], list[Path]]:
    """Return the variables that are not empty, and the files that were read. An empty variable counts as unset.

    For each of the service's own variables, `NAME_FILE` may name a file that has its value. Adds the errors.
    """
    variables = {name: value for name, value in environ.items() if value}
    files = []
    for name in sorted(setting.data_key or "" for setting in EnvironmentSchema().fields.values()):
        file_variable = f"{name}{FILE_SUFFIX}"
        if file_variable not in variables:
            continue
        if name in variables:
            errors.add((file_variable,), f"is set, and {name} is too: only one of them may be.")
            continue
        file = Path(variables[file_variable])
        try:
            variables[name] = read_secret(file)
        except SecretFileError as error:
            errors.add((file_variable,), str(error))
            errors.suppress((name,))
        else:
            errors.redact(variables[name], f"${{file:{file}}}")
            files.append(file)
    return variables, files


RETENTION_SETTINGS = ("keep_days", "keep_parked_days", "keep_audit_days")
AT_LEAST_ONE_TABLE = Length(min=1, error="needs at least one table.")


class ConfigurationSchema(SettingsSchema):
    """The top level of the file. The tables inside have schemas of their own."""

    model = dict

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
    keep_days = Days()
    keep_parked_days = Days(min_days=MIN_PARKED_DAYS)
    keep_audit_days = Days()
    alerts = fields.Dict()
    users = fields.Dict(values=fields.Dict())
    tokens = fields.Dict(values=fields.Dict())


def _check_unique_ids(kind: str, tables: Mapping[str, Mapping[str, Any]], errors: ConfigErrors) -> dict[str, str]:
    """Return the tables' ids by name. Adds an error for each id that two tables share."""
    ids: dict[str, str] = {name: str(table.get("id", name)) for name, table in tables.items()}
    name_by_id: dict[str, str] = {}
    for name, id_ in ids.items():
        if (other := name_by_id.setdefault(id_, name)) != name:
            errors.add((kind, name, "id"), f"“{id_}” is also the id of {format_path((kind, other))}.")
    return ids


def _check_shared_secrets(stores: Mapping[str, Store | None], errors: ConfigErrors) -> None:
    """Add an error if two stores have the same secret, and their settings do not tell their shops apart.

    A webhook of another platform does no harm: it is not read as an order.
    """
    store_by_key: dict[tuple[str, str], Store] = {}
    for name, store in stores.items():
        storefront = STOREFRONTS.get(store.storefront) if store else None
        if not store or not storefront:  # a store that has an error already
            continue
        for key in {storefront.signing_key(secret) for secret in store.secrets}:
            other = store_by_key.setdefault((store.storefront, key), store)
            if other is store:
                continue
            shop_names, other_names = storefront.shop_names(store), storefront.shop_names(other)
            other_path = format_path(("stores", other.name))
            if not shop_names or not other_names:
                message = f"has the same secret as {other_path}: both need a `shop_domain`, or a secret of their own."
                errors.add(("stores", name, "secrets"), message)
            elif any(is_of_domain(a, other_names) for a in shop_names) or any(
                is_of_domain(b, shop_names) for b in other_names
            ):
                errors.add(("stores", name), f"has the same secret and is the same shop as {other_path}.")


def _check_durations(tables: Mapping[str, Mapping[str, Any]], lease_s: str, errors: ConfigErrors) -> None:
    """Check durations against each other. The schemas check each on its own."""
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
    # If a lease ran out during an attempt, its outcome would be unknown.
    if max_timeout_path and re.fullmatch("[0-9]{1,9}", lease_s) and int(lease_s) < min_lease_s:
        errors.add(("LEASE_S",), f"must be at least {min_lease_s}, since {max_timeout_path} is {max_timeout_s:g}.")


def _check_order_references(
    accounts: Mapping[str, Account | None], routes: Sequence[Route], errors: ConfigErrors
) -> None:
    """Add an error if orders of two stores could have the same reference at an account: their ids may be equal."""
    for name, account in accounts.items():
        destination = DESTINATIONS.get(account.destination) if account else None
        setting = destination.order_reference_setting if destination else None
        if not account or not setting:  # an account or a destination that has an error already
            continue
        stores = sorted({route.store for route in routes if account.id in route.accounts})
        if len(stores) > 1 and "store" not in placeholders_in(getattr(account, setting)):
            errors.add(("accounts", name, setting), f"needs {{store}}: {' and '.join(stores)} both send orders here.")


def _check_unrouted_stores(names: Collection[str], routes: Sequence[Any], errors: ConfigErrors) -> None:
    """Add an error for each store that no route leads from, unless a route may mean it by another name."""
    routed = {route.get("from") for route in routes if isinstance(route, dict)}
    if routed <= set(names):
        for name in names:
            if name not in routed:
                errors.add(("stores", name), UNROUTED.format(name=name))


def _duration(values: Mapping[str, Any], setting: str) -> float:
    """Return the configured duration, or the default if there is none or it is invalid."""
    default: float = getattr(Account(name="", id="", destination="", base_url=""), setting)
    value = values.get(setting)
    return value if isinstance(value, int | float) and 0 <= value < 1e300 else default


def _tables_or_empty(value: Any) -> dict[str, dict[str, Any]]:
    return {name: table for name, table in value.items() if isinstance(table, dict)} if isinstance(value, dict) else {}


def _list_or_empty(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
