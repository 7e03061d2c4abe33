"""Reads and changes rows past the application, to make what must be found."""

from typing import Any

from sqlalchemy import select, update

from connector.database.reconciliation.run import BATCH_SIZE, MAX_LISTED, ReconciliationReport, Scope, reconcile
from tests.support.service import Service

LATE_S = 600.0


def look(
    service: Service, scope: Scope | None = None, *, batch_size: int = BATCH_SIZE, max_listed: int = MAX_LISTED
) -> ReconciliationReport:
    accounts, lease_s = service.runtime.settings.accounts, service.runtime.settings.environment.lease_s
    scope = scope or Scope()
    return reconcile(
        service.database,
        scope,
        accounts=accounts,
        lease_s=lease_s,
        late_s=LATE_S,
        batch_size=batch_size,
        max_listed=max_listed,
    )


def told(service: Service) -> list[tuple[str, int, str]]:
    report = look(service)
    assert report.total == len(report.differences)
    return [(one.kind, one.id, one.what) for one in report.differences]


def change(service: Service, *statements: Any) -> None:
    with service.database.write() as transaction:
        for statement in statements:
            transaction.execute(statement)


def of(model: Any, id_: int, **values: Any) -> Any:
    return update(model).where(model.id == id_).values(values)


def read_all(service: Service, model: Any) -> list[dict[str, Any]]:
    with service.database.read() as session:
        return [dict(row) for row in session.connection().execute(select(model.__table__)).mappings()]
