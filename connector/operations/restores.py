"""What a person says about a restore of the database from a backup."""

from datetime import datetime

from connector.core.exceptions import InvalidRequestError
from connector.database import restores
from connector.database.restores import RestoreReport, RestoreStatus
from connector.runtime import Runtime, check_database_generation


def report_restore(
    runtime: Runtime, *, actor: str, note: str | None = None, stopped_at: datetime | None = None
) -> RestoreStatus:
    """Hold what may have been sent in the time that the backup does not know.

    Args:
        stopped_at: when the service stopped before the restore, if it is known.

    Raises `InvalidRequestError`, and `ConflictError` if the backup contains something from after `stopped_at`.
    """
    if stopped_at is not None and stopped_at > runtime.clock():
        raise InvalidRequestError("the service cannot have stopped in the future")
    noticed = check_database_generation(runtime.settings, runtime.database)
    report = RestoreReport(actor=actor, note=note, stopped_at=stopped_at)
    restore = restores.report_restore(runtime.database, report, noticed=noticed)
    runtime.log.info("restore_reported", restore_id=restore.id, who=actor)
    return restores.load_status(runtime.database)


def deny_restore(runtime: Runtime, *, actor: str, note: str | None = None) -> int:
    """Let everything go on that is held since a restore: nothing was lost. Returns the number of deliveries."""
    check_database_generation(runtime.settings, runtime.database)
    released = restores.deny_restores(runtime.database, RestoreReport(actor=actor, note=note))
    runtime.log.info("restore_denied", released=released, who=actor)
    return released
