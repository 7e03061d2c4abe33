"""Reloads what may change while the service runs: lookup tables, and credentials that people entered."""

from dataclasses import replace

from connector.runtime import Runtime, current_settings, log_unused_credentials, renew_clients
from connector.settings import Settings


def reload_settings(runtime: Runtime) -> Runtime:
    """Return the runtime with the lookup tables and credentials as they are now; the same runtime if none changed."""
    settings, errors = current_settings(runtime)
    if settings is runtime.settings:
        return runtime
    if errors:
        runtime.log.error("tables_not_read", faults=errors[:5], what="the account keeps its previous tables")
    elif have_tables_changed(runtime.settings, settings):
        runtime.log.info("tables_read")
    if settings.entered_credentials_version != runtime.settings.entered_credentials_version:
        runtime.log.info("credentials_read")
        log_unused_credentials(settings)
    return replace(runtime, settings=settings, account_clients=renew_clients(runtime, settings))


def have_tables_changed(previous: Settings, settings: Settings) -> bool:
    versions = previous.entered_rows_version, settings.entered_rows_version
    return previous.table_files != settings.table_files or versions[0] != versions[1]
