"""Entries of the audit trail: one an hour, by whichever process, and deleted by age."""

from datetime import timedelta

from connector.database.audit import Actor, Subject, prune_entries, record_entry, record_view
from connector.database.engine import Database
from connector.database.models import AuditAction, AuditEntry
from connector.database.queries.audit import TrailFilter, list_trail
from tests.support.rows import read_rows_of
from tests.support.service import Service

ANA = Actor(interface="dashboard", name="ana", role="operator", network="192.0.2.7")
ORDER = Subject(kind="order", id="5001", store="tienda-mx")


def test_a_look_is_one_row_for_all_processes(service: Service) -> None:
    other = Database(service.runtime.settings.environment.database_url, clock=service.clock)
    for database in (service.database, other, service.database):
        record_view(database, ANA, ORDER)
    other.close()
    record_view(service.database, ANA, Subject(kind="order", id="5001", store="tienda-ar"))
    record_view(service.database, Actor(interface="api", name="ana", network="192.0.2.7"), ORDER)
    record_view(service.database, Actor(interface="dashboard", name="ana", network="192.0.2.8"), ORDER)
    assert len(read_rows_of(service, AuditEntry)) == 4


def test_old_entries_are_deleted(service: Service) -> None:
    for _ in range(3):
        record_entry(service.database, ANA, AuditAction.SIGN_IN)
    service.clock.forward(86_400)
    record_entry(service.database, ANA, AuditAction.SEARCH_BY_EMAIL, counts={"deliveries": 2})
    before = service.clock() - timedelta(hours=1)
    assert [prune_entries(service.database, before=before, batch_size=2) for _ in range(2)] == [3, 0]
    [entry] = list_trail(service.database, TrailFilter(actor="ana"), limit=5).entries
    assert (entry.action, entry.counts) == ("search-by-email", {"deliveries": 2})
