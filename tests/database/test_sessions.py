"""Sessions of the dashboard, the key of its cookies, and counts of wrong signatures, on both engines."""

import threading

from sqlmodel import select

from connector.database.models import DashboardSession, StoredSecret
from connector.database.sessions import end_session, load_cookie_key, load_session, start_session
from connector.database.signature_failures import read_signature_failures, record_signature_failures
from tests.support.service import Service


def test_session_lives_from_its_start_to_its_end(service: Service) -> None:
    database = service.database
    token, other = (start_session(database, user="ana", fingerprint="f") for _ in range(2))
    row = load_session(database, token, counts_as_use=True)
    assert row is not None
    assert (row.user, row.fingerprint) == ("ana", "f")
    end_session(database, token)
    assert load_session(database, token, counts_as_use=True) is None
    assert load_session(database, other, counts_as_use=True) is not None


def test_use_is_stored_once_a_minute(service: Service) -> None:
    token = start_session(service.database, user="ana", fingerprint="f")
    used_at = set()
    for seconds in (0, 30, 31, 10):
        service.clock.forward(seconds)
        load_session(service.database, token, counts_as_use=True)
        with service.database.read() as session:
            used_at.add(session.exec(select(DashboardSession.used_at)).one())
    assert len(used_at) == 2


def test_processes_that_start_at_once_get_the_same_cookie_key(service: Service) -> None:
    keys: set[str] = set()
    threads = [threading.Thread(target=lambda: keys.add(load_cookie_key(service.database))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with service.database.read() as session:
        assert keys == set(session.exec(select(StoredSecret.value)))
    assert len(keys) == 1


def test_wrong_signatures_add_up_until_a_quiet_day(service: Service) -> None:
    def record(count: int, reason: str) -> None:
        service.database.transact(
            lambda transaction: record_signature_failures(transaction, "tienda-mx", count, reason)
        )

    record(2, "signature_missing")
    service.clock.forward(23 * 3_600)
    record(1, "signature_wrong")
    [failures] = read_signature_failures(service.database).values()
    assert (failures.store, failures.count, failures.reason) == ("tienda-mx", 3, "signature_wrong")
    service.clock.forward(25 * 3_600)
    assert read_signature_failures(service.database) == {}
    record(1, "signature_wrong")
    [failures] = read_signature_failures(service.database).values()
    assert (failures.count, failures.since) == (1, failures.last_at)
