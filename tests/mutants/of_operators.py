"""Mutants of what people enter for orders and tables, and of what they do to many orders at once."""

from connector.database import corrections, job_pages, jobs, operator_actions
from connector.delivery import corrections as entered_corrections
from connector.settings import lookup_tables
from mappings import storefront
from tests.mutants.mutant import Invariant, Mutant

CORRECTIONS = "tests/delivery/test_corrections.py"
JOBS = "tests/database/test_jobs.py"

ENTERED = Invariant(
    number=23,
    promise="What a person enters stays beside the order, and repeats nothing that may have arrived.",
    mutants=(
        Mutant(
            breaks="what was entered is not sent",
            at=storefront.Storefront.parse_order,
            old="apply_corrections(order, corrections)",
            new="order",
            tests=(f"{CORRECTIONS}::test_value_is_sent_and_stays_beside_the_order[sqlite]",),
        ),
        Mutant(
            breaks="entering a field sends an order that may have arrived",
            at=corrections.find_effect,
            old="delivery.state == State.WAITING or delivery.reason in reasons",
            new="delivery.state in (State.WAITING, State.PARKED)",
            tests=(f"{CORRECTIONS}::test_uncertain_order_is_not_sent_again[sqlite]",),
        ),
        Mutant(
            breaks="entering a field changes bytes that may have arrived under their key",
            at=corrections.find_effect,
            old="delivery.locked_since is not None and delivery.body is not None",
            new="False",
            tests=(f"{CORRECTIONS}::test_fixed_bytes_are_not_changed[sqlite]",),
        ),
        Mutant(
            breaks="a value that the destination refuses is stored",
            at=entered_corrections.enter_corrections,
            old="if problems := find_refusals(runtime, delivery, cleaned, actor):",
            new="if problems := ():",
            tests=(f"{CORRECTIONS}::test_invalid_value_is_refused_with_the_problem_of_the_mapping[sqlite]",),
        ),
        Mutant(
            breaks="a withdrawn value is sent",
            at=corrections.withdraw,
            old="withdrawn_by=actor, withdrawn_at=transaction.now",
            new="withdrawn_by=actor",
            tests=(f"{CORRECTIONS}::test_withdrawn_value_is_not_sent[sqlite]",),
        ),
        Mutant(
            breaks="a file's row wins over the one that a person entered",
            at=lookup_tables,
            old="getattr(account, name).overridden_by(getattr(entered, name))",
            new="getattr(entered, name).overridden_by(getattr(account, name))",
            tests=("tests/operations/test_tables.py::test_entered_row_wins_over_the_file_until_it_is_removed[sqlite]",),
        ),
    ),
)

IN_BULK = Invariant(
    number=24,
    promise="A job accounts for every order that matched, and sends what may have arrived only if a person looked.",
    mutants=(
        Mutant(
            breaks="a job sends what may have arrived although nobody looked",
            at=operator_actions.retrigger_refusal,
            old="looked and reason in (Reason.UNCERTAIN, Reason.HELD)",
            new="reason in (Reason.UNCERTAIN, Reason.HELD)",
            tests=(f"{JOBS}::test_uncertain_orders_are_sent_again_only_after_looking[sqlite]",),
        ),
        Mutant(
            breaks="a job sends held orders that were attempted although nobody looked",
            at=jobs.find_refusal,
            old="may_have_arrived and not request.looked",
            new="False",
            tests=(f"{JOBS}::test_held_orders_are_sent_only_if_just_they_are_selected[sqlite]",),
        ),
        Mutant(
            breaks="two processes act on the same page of a job",
            at=job_pages.advance_job,
            old=" or current.after_id != job.after_id",
            new="",
            tests=(f"{JOBS}::test_stale_page_is_not_processed[sqlite]",),
        ),
        Mutant(
            breaks="what a job left alone is not listed",
            at=job_pages.advance_job,
            old="        record_results(transaction, job.id, results)\n",
            new="",
            tests=(f"{JOBS}::test_delivery_that_was_settled_meanwhile_is_left_and_listed[sqlite]",),
        ),
    ),
)

OF_OPERATORS = (ENTERED, IN_BULK)
