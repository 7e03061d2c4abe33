"""A duty runs at its interval, and sooner while there is more to do."""

from connector.worker.duties import Duty


def test_duty_waits_for_its_interval() -> None:
    results = [False, False, False]
    duty = Duty(run=lambda: results.pop(), interval_s=60)
    for _ in range(3):
        duty.run_if_due()
    assert len(results) == 2
    duty.next_run = 0.0
    duty.run_if_due()
    assert len(results) == 1


def test_duty_with_more_to_do_is_due_again_at_once() -> None:
    results = [True, True, False, True]
    duty = Duty(run=lambda: results.pop(0), interval_s=60)
    for _ in range(5):
        duty.run_if_due()
    assert results == [True]
