"""Reads and changes rows directly, to create inconsistencies."""

from typing import Any

from sqlalchemy import select, update

from connector.database.reconciliation.run import BATCH_SIZE, MAX_LISTED, ReconciliationReport, Scope, reconcile
from mappings.problems import render_problem
from tests.support.service import Service

LATE_S = 600.0


def run_reconciliation(
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


def differences(service: Service) -> list[tuple[str, int, str]]:
    report = run_reconciliation(service)
    assert report.total == len(report.differences)
    return [(difference.kind, difference.id, render_problem(difference.what)) for difference in report.differences]


def execute_statements(service: Service, *statements: Any) -> None:
    with service.database.write() as transaction:
        for statement in statements:
            transaction.execute(statement)


def update_row(model: Any, id_: int, **values: Any) -> Any:
    return update(model).where(model.id == id_).values(values)


def read_rows_of(service: Service, model: Any) -> list[dict[str, Any]]:
    with service.database.read() as session:
        return [dict(row) for row in session.connection().execute(select(model.__table__)).mappings()]
