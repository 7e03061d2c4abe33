"""Mutants of what erases a person's data, and of what keeps it from coming back."""

from connector.database import erasure, events, operator_actions
from tests.mutants.mutant import Invariant, Mutant

ERASE = "tests/privacy/test_erase.py"

ERASED = Invariant(
    number=26,
    promise="An erased order leaves nothing of its customer, is never sent again, and is not erased before it is sent.",
    mutants=(
        Mutant(
            breaks="a later webhook of an erased order is stored and sent",
            at=events.without_erased_content,
            old="webhook.order_key in erased",
            new="False",
            tests=(f"{ERASE}::test_repeats_and_later_events_of_an_erased_order_store_and_send_nothing[sqlite]",),
        ),
        Mutant(
            breaks="a person can queue an erased order again",
            at=operator_actions.retrigger_refusal,
            old="if is_erased:",
            new="if False:",
            tests=(f"{ERASE}::test_an_erased_order_cannot_be_retriggered",),
        ),
        Mutant(
            breaks="an order that waits is erased before it is sent",
            at=erasure.erase_order,
            old="delivery.state not in ENDED",
            new="delivery.state == State.SENDING",
            tests=(f"{ERASE}::test_an_order_on_its_way_is_erased_once_it_was_delivered[sqlite]",),
        ),
        Mutant(
            breaks="an order that may have arrived is discarded to erase it",
            at=erasure.is_discardable,
            old="delivery.state == State.PARKED and not is_doubtful",
            new="delivery.state == State.PARKED",
            tests=(f"{ERASE}::test_an_uncertain_order_is_never_discarded_to_erase_it[sqlite]",),
        ),
        Mutant(
            breaks="what people entered stays",
            at=erasure.empty_order,
            old="delete(OrderCorrection)",
            new="delete(OrderCorrection).where(col(OrderCorrection.id) < 0)",
            tests=(f"{ERASE}::test_what_people_entered_is_erased[sqlite]",),
        ),
    ),
)

OF_PRIVACY = (ERASED,)
