"""Mutants of the guarantee that a restored backup sends no order twice."""

from connector.database import attempts, generation, orders, restores
from connector.delivery import prepare
from tests.mutants.mutant import Invariant, Mutant

RESTORES = "tests/operations/test_restores.py"

RESTORE_SENDS_NOTHING_TWICE = Invariant(
    number=30,
    promise="After a restore from a backup, nothing that may have been sent before is sent until somebody has looked.",
    mutants=(
        Mutant(
            breaks="what waited in the backup goes on waiting",
            at=restores.record_restore,
            old="transaction.execute(update(Delivery).where(is_open).values(**held_values(RESTORED), updated_at=now))",
            new="pass",
            tests=(f"{RESTORES}::test_attempt_that_was_under_way_in_the_backup_is_held",),
        ),
        Mutant(
            breaks="a marked delivery is sent",
            at=prepare.prepare,
            old="if delivery.sent_before_restore and not is_key_trusted(delivery, account, runtime.clock()):",
            new="if False:",
            tests=(f"{RESTORES}::test_order_parked_in_the_backup_is_held_when_it_is_retriggered",),
        ),
        Mutant(
            breaks="an order that the backup does not know is sent",
            at=prepare.prepare_order,
            old="delivery.sent_before_restore is None and is_older_than_restore",
            new="False and is_older_than_restore",
            tests=(f"{RESTORES}::test_order_that_the_backup_does_not_know_is_held",),
        ),
        Mutant(
            breaks="lost attempts are not noticed",
            at=restores.find_evidence,
            old="if note.last_attempt > last_attempt:",
            new="if False:",
            tests=(f"{RESTORES}::test_order_that_was_sent_after_the_backup_is_held",),
        ),
        Mutant(
            breaks="an attempt is not noted beside the database",
            at=generation.GenerationFile.advance,
            old="last_attempt = max(note.last_attempt, attempt)",
            new="last_attempt = note.last_attempt",
            tests=(f"{RESTORES}::test_order_that_was_sent_after_the_backup_is_held",),
        ),
        Mutant(
            breaks="a new key that the backup lacks is not noted",
            at=attempts.mark_sending,
            old="is_revised = start.delivery.revision > 1",
            new="is_revised = False",
            tests=(f"{RESTORES}::test_order_at_lapyme_is_held_when_the_backup_lacks_a_new_key",),
        ),
        Mutant(
            breaks="a cancelled order that may have been sent is discarded",
            at=orders.cancellation_values,
            old="may_be_sent and state != State.DISCARDED",
            new="False",
            tests=(f"{RESTORES}::test_cancelled_order_that_may_have_been_sent_is_uncertain",),
        ),
        Mutant(
            breaks="a worker goes on in the generation before a restore",
            at=attempts.mark_all_sending,
            old="start.generation is None or start.generation.id != generation",
            new="False",
            tests=(f"{RESTORES}::test_worker_that_does_not_know_of_the_restore_sends_nothing",),
        ),
    ),
)

OF_RESTORES = (RESTORE_SENDS_NOTHING_TWICE,)
