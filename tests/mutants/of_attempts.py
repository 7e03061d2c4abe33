"""Mutants of the guarantees about attempts: each is recorded, and none is made twice."""

from connector.clients import http
from connector.core import outcomes
from connector.database import attempts, claims, deliveries, operator_actions
from connector.database.sql import statements
from connector.delivery import decision, deliver, prepare
from connector.worker import worker
from mappings.destinations.centelar import destination
from tests.mutants.mutant import Invariant, Mutant

LEASE_RAN_OUT = "tests/database/test_claims.py::test_worker_with_an_expired_lease_does_not_send[sqlite]"

SENDING_FIRST = Invariant(
    number=4,
    promise="`sending` is committed before the socket opens, and only while the claim holds and nothing newer came.",
    mutants=(
        Mutant(
            breaks="the order is sent, then `sending` is committed",
            at=deliver.attempt_delivery,
            old="""\
    sending = start_sending(runtime, delivery, prepared, authorized, generation)
    if sending is None:
        return Progress.STALE
    result = send(runtime, delivery, sending)
""",
            new="""\
    now, deadline = prepare_started_at, monotonic() + 60
    early = Sending(request=prepared, bearer=authorized.bearer, started_at=now, deadline=deadline)
    result = send(runtime, delivery, early)
    sending = start_sending(runtime, delivery, prepared, authorized, generation)
    if sending is None:
        return Progress.STALE
""",
            tests=("tests/database/test_claims.py::test_sending_is_committed_while_the_socket_is_open[sqlite]",),
        ),
        Mutant(
            breaks="the order is sent though `sending` could not be committed",
            at=deliver.start_sending,
            old="""\
    if not retry_while_database_down(runtime, lambda: mark_sending(runtime.database, start)):
        return None
""",
            new="    retry_while_database_down(runtime, lambda: mark_sending(runtime.database, start))\n",
            tests=(LEASE_RAN_OUT,),
        ),
        Mutant(
            breaks="the bytes are not kept with `sending`",
            at=statements,
            old="    body = :body,\n",
            new="",
            tests=(
                "tests/database/test_claims.py::test_sending_state_and_body_are_committed_before_connecting[sqlite]",
            ),
        ),
        Mutant(
            breaks="a process sends what another has claimed since",
            at=deliveries.LockedDelivery.is_claimed_by,
            old="self.claimed_by is not None and self.claimed_by == worker_id",
            new="self.claimed_by is not None",
            tests=("tests/database/test_claims.py::test_worker_that_lost_its_claim_does_not_send[sqlite]",),
        ),
        Mutant(
            breaks="a process sends after its lease ran out",
            at=attempts.mark_all_sending,
            old="not (is_still_claimed(current, delivery) and has_lease):",
            new="not is_still_claimed(current, delivery):",
            tests=(LEASE_RAN_OUT,),
        ),
        Mutant(
            breaks="an older version is sent though a newer one came in between",
            at=deliveries.is_still_claimed,
            old="current.event_id == delivery.event_id and current.due_at",
            new="current.due_at",
            tests=("tests/database/test_claims.py::test_newer_version_with_equal_timestamp_stops_the_older[sqlite]",),
        ),
        Mutant(
            breaks="what was fetched is sent though a thin webhook said since that it changed",
            at=deliveries.is_still_claimed,
            old=" and current.due_at == delivery.due_at",
            new="",
            tests=(
                "tests/delivery/test_thin_webhooks.py::test_duplicate_after_the_fetch_triggers_another_fetch[sqlite]",
            ),
        ),
        Mutant(
            breaks="an attempt begins from what was read before the last one",
            at=deliveries.is_still_claimed,
            old="return is_claimed and is_unchanged and current.attempts == delivery.attempts",
            new="return is_claimed and is_unchanged",
            tests=("tests/database/test_claims.py::test_concurrent_attempt_prevents_another[sqlite]",),
        ),
        Mutant(
            breaks="who finds the attempt begun by its own claim begins it a second time",
            at=attempts.mark_all_sending,
            old="if may_be_committed and is_marked:",
            new="if is_marked:",
            tests=("tests/database/test_claims.py::test_unacknowledged_commit_of_sending_is_recognised[sqlite]",),
        ),
        Mutant(
            breaks="a lease that runs out under a thread starts a second one for the same order",
            at=worker.Worker.claim_due,
            old="return [item for item in claimed if item.delivery.id not in in_flight_ids]",
            new="return claimed",
            tests=("tests/worker/test_worker.py::test_expired_lease_of_a_running_thread_is_not_claimed_again[sqlite]",),
        ),
        Mutant(
            breaks="a process that stood still after the commit sends when its lease may have ended",
            at=deliver.send,
            old="    if monotonic() > sending.deadline:",
            new="    if False:",
            tests=("tests/database/test_claims.py::test_slow_commit_prevents_sending[sqlite]",),
        ),
    ),
)

LOST_REPLY = (
    "tests/delivery/test_outcomes.py::test_lost_response_is_retried_with_the_same_body_and_idempotency_key[sqlite]"
)

NOT_REPEATED = Invariant(
    number=5,
    promise="What may have arrived is repeated only under its key and with its bytes; without a key, only by a person.",
    mutants=(
        Mutant(
            breaks="an attempt without an answer is repeated at destinations without a key",
            at=decision.next_state,
            old="""\
            if not context.supports_idempotency:
                return uncertain
""",
            new="",
            tests=(
                "tests/delivery/test_outcomes.py::test_each_response_leads_to_its_outcome[sqlite-drop_after_reading-options1-at_rayo1-at_lapyme1-rayo]",
                "tests/e2e/test_centelar.py::test_order_with_a_lost_response_is_not_sent_again[sqlite-cut_body]",
            ),
        ),
        Mutant(
            breaks="Centelar, which knows no key, is sent one and trusted with it",
            at=destination.Centelar,
            old='    order_reference_setting = "ext_code"\n',
            new='    order_reference_setting = "ext_code"\n    idempotency_header = "Idempotency-Key"\n',
            tests=("tests/e2e/test_centelar.py::test_order_with_a_lost_response_is_not_sent_again[sqlite-cut_body]",),
        ),
        Mutant(
            breaks="an answer that did not come in time counts as never sent",
            at=http,
            old="    httpcore.ConnectTimeout,\n    httpcore.PoolTimeout,",
            new="    httpcore.TimeoutException,\n    httpcore.PoolTimeout,",
            tests=(
                "tests/delivery/test_outcomes.py::test_each_response_leads_to_its_outcome[sqlite-latency-options6-at_rayo6-at_lapyme6-rayo]",
            ),
        ),
        Mutant(
            breaks="a 5xx counts as not processed",
            at=outcomes.classify,
            old="    if result.status >= 500 or result.status == 409:",
            new="""\
    if result.status >= 500:
        return Outcome.NOT_PROCESSED, None
    if result.status == 409:""",
            tests=(
                "tests/delivery/test_outcomes.py::test_each_response_leads_to_its_outcome[sqlite-status-options12-at_rayo12-at_lapyme12-rayo]",
            ),
        ),
        Mutant(
            breaks="what a crash left `sending` goes again where there is no key",
            at=claims.recover_interrupted,
            old="if row.destination in destinations_with_idempotency:",
            new="if row.destination:",
            tests=("tests/database/test_claims.py::test_crashed_attempt_is_recovered_when_its_lease_expires",),
        ),
        Mutant(
            breaks="a repeat under the same key carries bytes that were written anew",
            at=prepare.prepare,
            old="if delivery.locked_since is not None and delivery.body is not None:",
            new="if False:",
            tests=("tests/database/test_claims.py::test_retry_after_a_crash_reuses_body_and_idempotency_key[sqlite]",),
        ),
        Mutant(
            breaks="every attempt has a key of its own",
            at=prepare.prepare,
            old="idempotency_key=delivery.idempotency_key, warnings=warnings)",
            new='idempotency_key=f"{delivery.idempotency_key}{delivery.attempts}", warnings=warnings)',
            tests=(LOST_REPLY,),
        ),
        Mutant(
            breaks="a refused order goes again under the key that was refused",
            at=operator_actions.queue_again,
            old="if supports_idempotency and (request.new_key or was_refused(transaction, delivery)):",
            new="if supports_idempotency and request.new_key:",
            tests=("tests/operations/test_actions.py::test_refused_delivery_is_retriggered_with_a_new_key[sqlite]",),
        ),
        Mutant(
            breaks="a refusal is believed though an attempt before it may have arrived",
            at=decision.next_state,
            old="return uncertain if locked_since else Decision(state=State.PARKED, reason=Reason.REFUSED)",
            new="return Decision(state=State.PARKED, reason=Reason.REFUSED)",
            tests=("tests/delivery/test_outcomes.py::test_a_refusal_after_an_ambiguous_attempt_is_uncertain[sqlite]",),
        ),
        Mutant(
            breaks="a person's retrigger repeats what is uncertain without being forced to",
            at=operator_actions.retrigger_refusal,
            old=' or REFUSALS.get(reason or "")',
            new="",
            tests=("tests/operations/test_actions.py::test_uncertain_delivery_requires_force[sqlite-rayo]",),
        ),
        Mutant(
            breaks="a row that comes wakes what is parked for any other reason too",
            at=deliveries,
            old="    col(Delivery.reason) == Reason.UNMAPPABLE,\n",
            new="",
            tests=("tests/delivery/test_requeue.py::test_only_unmappable_deliveries_are_requeued",),
        ),
    ),
)

OF_ATTEMPTS = (SENDING_FIRST, NOT_REPEATED)
