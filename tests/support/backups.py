"""Backups of a service's database, taken and restored while the test's service stands still."""

from typing import Any

from sqlalchemy import insert, select
from sqlmodel import SQLModel

from connector.operations.restores import report_restore
from tests.support.service import Service

Backup = dict[str, list[dict[str, Any]]]  # by table


def take_backup(service: Service) -> Backup:
    """Return all rows of the database."""
    with service.database.read() as session:
        connection = session.connection()
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in SQLModel.metadata.sorted_tables
        }


def put_back(service: Service, backup: Backup) -> None:
    """Give the database the rows of a backup."""
    with service.database.write() as transaction:
        for table in reversed(SQLModel.metadata.sorted_tables):
            transaction.execute(table.delete())
        for table in SQLModel.metadata.sorted_tables:
            if backup[table.name]:
                transaction.execute(insert(table), backup[table.name])


def restore_backup(service: Service, backup: Backup) -> None:
    """Restore a backup as a person does: where nothing can notice it, the person says so."""
    put_back(service, backup)
    if service.database.backend.generation_file is None:
        report_restore(service.runtime, actor="ana")
