"""`keep_days` and `keep_parked_days`: what a run deletes and discards, and what it leaves."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col, func, select

from connector.database.audit import Actor, record_entry
from connector.database.expiry import read_expiring
from connector.database.models import Attempt, AuditAction, Delivery, Event, Note, OperatorAction, OrderCorrection
from connector.database.prune import PruneResult
from connector.database.stats.counters import EXPIRED, PRUNED, read_counters
from connector.operations.retention import RetentionResult, apply_retention
from connector.settings import Retention
from tests.support.orders import shopify_order, woo_order
from tests.support.privacy import PERSONAL_DATA
from tests.support.rows import differences, execute_statements, read_rows_of, update_row
from tests.support.scenarios import lose_a_response, refuse_order, without_colonia
from tests.support.service import Service

DAY_S = 86_400


def run(service: Service, *, batch_size: int = 100, pause: Callable[[], None] = lambda: None) -> RetentionResult:
    return apply_retention(service.runtime, batch_size=batch_size, pause=pause)


def pass_days(service: Service, days: float) -> None:
    service.clock.forward(days * DAY_S)


def expire_all(service: Service) -> RetentionResult:
    """Announce what is parked and let it expire."""
    pass_days(service, 352)
    run(service)
    pass_days(service, 15)
    return run(service)


def state_and_reason(service: Service) -> tuple[str, str | None]:
    delivery = service.only_delivery()
    return delivery["state"], delivery["reason"]


def count_content(service: Service) -> int:
    """Count the rows that still have a payload, a body or a response."""
    statements = [
        select(func.count()).select_from(Event).where(func.length(col(Event.body)) > 0),
        select(func.count()).select_from(Delivery).where(col(Delivery.body).is_not(None)),
        select(func.count()).select_from(Attempt).where(col(Attempt.reply).is_not(None)),
    ]
    with service.database.read() as session:
        return sum(session.exec(statement).one() for statement in statements)


def test_ended_order_is_pruned_after_keep_days(service: Service) -> None:
    service.post_woo(woo_order())
    service.drain()
    pass_days(service, 89)
    assert run(service).pruned == PruneResult()
    pass_days(service, 2)
    assert run(service).pruned == PruneResult(deliveries=1, events=1)
    assert (count_content(service), state_and_reason(service)) == (0, ("delivered", None))


def test_run_is_recorded_in_the_audit_and_counted(service: Service) -> None:
    for number in range(5):
        service.post_woo(woo_order(number))
    service.drain()
    pass_days(service, 91)
    run(service, batch_size=2)
    run(service)
    [action] = read_rows_of(service, OperatorAction)
    assert (action["kind"], action["who"]) == ("prune", "connector")
    assert action["message"]["params"] | {"before": ""} == {"deliveries": 5, "events": 5, "before": ""}
    counts = read_counters(service.database)
    assert counts[PRUNED, (("of", "deliveries"),)] == counts[PRUNED, (("of", "events"),)] == 5


def test_parked_order_expires_only_after_people_were_told(service: Service) -> None:
    service.post_shopify(without_colonia())
    service.drain()
    pass_days(service, 400)  # the service did not run meanwhile
    assert run(service) == RetentionResult(announced=1, expired=0, pruned=PruneResult())
    [expiring] = read_expiring(service.database)
    assert (expiring.account, expiring.orders) == ("bodega", 1)
    assert timedelta(days=13) < expiring.expires_at - service.clock() <= timedelta(days=14)
    pass_days(service, 13.9)
    assert run(service) == RetentionResult(announced=0, expired=0, pruned=PruneResult())
    pass_days(service, 0.2)
    assert run(service).expired == 1
    assert (state_and_reason(service), read_expiring(service.database)) == (("discarded", "expired"), [])


def test_people_are_told_two_weeks_ahead(service: Service) -> None:
    service.post_shopify(without_colonia())
    service.drain()
    pass_days(service, 350)
    assert run(service).announced == 0
    pass_days(service, 2)
    assert run(service).announced == 1


@pytest.mark.parametrize("reason", ["unmappable", "refused", "uncertain", "uncertain with a key"])
def test_expired_order_keeps_no_personal_data(service: Service, reason: str) -> None:
    match reason:
        case "unmappable":
            service.post_shopify(without_colonia())
            service.drain()
        case "refused":
            refuse_order(service, 1)
        case _:
            lose_a_response(service, "lapyme" if "key" in reason else "rayo")
    expire_all(service)
    assert (state_and_reason(service), count_content(service)) == (("discarded", "expired"), 0)
    rows = repr([row for model in (Event, Delivery, Attempt, Note) for row in read_rows_of(service, model)])
    assert [word for word in PERSONAL_DATA if word in rows] == []
    [note] = read_rows_of(service, Note)
    assert (note["kind"], note["who"]) == ("expire", "connector")
    assert (note["message"]["code"], note["message"]["params"]) == (f"expired_{reason.split()[0]}", {"days": 365})
    assert differences(service) == []
    account = service.only_delivery()["account"]
    assert read_counters(service.database)[EXPIRED, (("account", account),)] == 1


def touch_by_correction(service: Service) -> None:
    values = {"corrections": {"ship_to.district": "Centro"}, "note": "por teléfono"}
    assert service.api("/deliveries/1/corrections", json=values).status_code == 200


def touch_by_webhook(service: Service) -> None:
    service.post_shopify(shopify_order(updated_at=service.clock().isoformat()), "orders/updated")


@pytest.mark.parametrize("touch", [touch_by_correction, touch_by_webhook])
def test_order_that_something_happened_to_does_not_expire(service: Service, touch: Callable[[Service], None]) -> None:
    lose_a_response(service, "rayo")
    pass_days(service, 352)
    assert run(service).announced == 1
    pass_days(service, 10)
    touch(service)
    assert read_expiring(service.database) == []
    pass_days(service, 30)
    run(service)
    assert state_and_reason(service) == ("parked", "uncertain")
    pass_days(service, 336)  # a year after it was touched, people must be told again
    assert run(service) == RetentionResult(announced=1, expired=0, pruned=PruneResult())
    pass_days(service, 15)
    assert run(service).expired == 1


def test_order_that_another_account_still_needs_keeps_its_payload(service: Service) -> None:
    service.post_shopify(without_colonia())
    service.drain()
    [row] = read_rows_of(service, Delivery)
    other = {"id": 2, "account": "erp", "state": "waiting", "reason": None}
    execute_statements(service, Delivery.__table__.insert().values(row | other))  # type: ignore[attr-defined]
    expire_all(service)
    assert [delivery["state"] for delivery in service.deliveries()] == ["discarded", "waiting"]
    assert count_content(service) == 1
    execute_statements(service, update_row(Delivery, 2, state="delivered", updated_at=service.clock()))
    pass_days(service, 91)
    run(service)
    assert count_content(service) == 0


def test_order_parked_at_two_accounts_is_cleared_with_the_last(service: Service) -> None:
    service.post_shopify(without_colonia())
    service.drain()
    [row] = read_rows_of(service, Delivery)
    execute_statements(service, Delivery.__table__.insert().values(row | {"id": 2, "account": "erp"}))  # type: ignore[attr-defined]
    expire_all(service)
    assert [delivery["reason"] for delivery in service.deliveries()] == ["expired", "expired"]
    assert count_content(service) == 0


def test_repeated_webhook_of_an_expired_order_sends_nothing(service: Service) -> None:
    service.sandbox.inject_fault("rayo", "process_then_drop")
    service.post_shopify(shopify_order(), event_id="one")
    service.drain()
    expire_all(service)
    assert service.post_shopify(shopify_order(), event_id="one").json["status"] == "duplicate"
    service.post_shopify(shopify_order(updated_at=service.clock().isoformat()), "orders/updated")
    service.drain()
    assert (state_and_reason(service), len(service.sandbox.orders("rayo"))) == (("discarded", "expired"), 1)


@pytest.mark.parametrize("stops", [1, 2, 3])
def test_interrupted_run_is_continued_after_a_restart(
    service: Service, open_service: Callable[..., Service], stops: int
) -> None:
    for number in range(4):
        service.post_woo(woo_order(number))
        service.post_shopify(without_colonia(number))
    service.drain()
    pass_days(service, 352)
    run(service)
    pass_days(service, 15)
    left = iter(range(stops))

    def stop() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(service, batch_size=1, pause=stop)
    restarted = open_service()
    restarted.clock.ahead = service.clock.ahead
    run(restarted, batch_size=1)
    assert count_content(restarted) == 0
    states = {(delivery["state"], delivery["reason"]) for delivery in restarted.deliveries()}
    assert (states, differences(restarted)) == ({("delivered", None), ("discarded", "expired")}, [])
    assert len(restarted.sandbox.orders("lapyme")) == 4


def test_nothing_is_deleted_that_is_kept_forever(service: Service) -> None:
    service.post_woo(woo_order())
    service.post_shopify(without_colonia())
    service.drain()
    settings = replace(
        service.runtime.settings, retention=Retention(keep_days=None, keep_parked_days=None, keep_audit_days=None)
    )
    service.runtime = replace(service.runtime, settings=settings)
    pass_days(service, 4_000)
    for _ in range(2):
        assert run(service) == RetentionResult(announced=0, expired=0, pruned=PruneResult())
        pass_days(service, 15)


def test_audit_entries_are_deleted_after_their_days(service: Service) -> None:
    ana = Actor(interface="dashboard", name="ana")
    record_entry(service.database, ana, AuditAction.SIGN_IN)
    pass_days(service, 364)
    assert run(service).audit_entries == 0
    pass_days(service, 2)
    settings = replace(service.runtime.settings, retention=Retention(keep_audit_days=None))
    kept = replace(service, runtime=replace(service.runtime, settings=settings))
    assert run(kept).audit_entries == 0
    assert run(service).audit_entries == 1


def test_corrections_of_an_expired_order_are_deleted(service: Service) -> None:
    service.post_shopify(without_colonia())
    service.drain()
    execute_statements(
        service,
        OrderCorrection.__table__.insert().values(  # type: ignore[attr-defined]
            store="tienda-mx",
            order_id=service.only_delivery()["order_id"],
            field="ship_to.district",
            value="Centro",
            entered_by="ana",
            entered_at=service.clock(),
            reason="",
        ),
    )
    expire_all(service)
    assert read_rows_of(service, OrderCorrection) == []
