"""Mutants of the guarantee about catch-up: no paid order is lost with its webhook, and none is sent twice."""

from connector.catch_up import comparison, listing, reading, schedule, unknown
from connector.database import lost_webhooks, readings
from connector.delivery import age
from tests.mutants.mutant import Invariant, Mutant

READING = "tests/catch_up/test_reading.py"
SCHEDULE = "tests/catch_up/test_schedule.py"
LOST = "tests/database/test_lost_webhooks.py"

CAUGHT_UP = Invariant(
    number=21,
    promise="An order that no webhook brought is taken in once, whatever fails meanwhile.",
    mutants=(
        Mutant(
            breaks="the cursor moves before the orders are on disk",
            at=reading.Reading.take_page,
            old="            recorded = self.record(unknown)\n            read_until =",
            new="""\
            record_progress(
                self.database,
                self.store.id,
                read_from=self.window.after,
                read_until=period.before,
                orders=0,
                missing=0,
            )
            recorded = self.record(unknown)
            read_until =""",
            tests=(f"{READING}::test_cursor_moves_only_after_the_orders_are_on_disk",),
        ),
        Mutant(
            breaks="the cursor moves to the end of the period after each page",
            at=reading.Reading.take_page,
            old="period.before if page.next_request is None else page.complete_until",
            new="period.before",
            tests=(f"{READING}::test_interrupted_reading_continues_after_the_last_page",),
        ),
        Mutant(
            breaks="a reading that starts after a gap moves the cursor over it",
            at=readings.record_progress,
            old="                col(StoreReading.read_until) >= read_from,\n",
            new="",
            tests=(f"{READING}::test_since_after_the_last_reading_skips_nothing",),
        ),
        Mutant(
            breaks="what was read before is not read again",
            at=reading.Reading.__init__,
            old="read_until - timedelta(seconds=store.catch_up_overlap_s)",
            new="read_until",
            tests=(f"{READING}::test_order_that_the_list_shows_late_is_found_in_the_overlap",),
        ),
        Mutant(
            breaks="the first reading reads all orders that the store ever had",
            at=reading.orders_floor,
            old="store.since or runtime.first_run(store)",
            new="runtime.first_run(store) - timedelta(days=3650)",
            tests=(
                f"{READING}::test_first_reading_starts_at_since",
                f"{READING}::test_first_reading_starts_when_the_connector_first_ran",
            ),
        ),
        Mutant(
            breaks="an order whose webhook is on its way is taken in",
            at=reading.readable_window,
            old="runtime.clock() - timedelta(seconds=store.catch_up_lag_s)",
            new="runtime.clock()",
            tests=(f"{READING}::test_what_is_younger_than_the_lag_is_left_to_its_webhook",),
        ),
        Mutant(
            breaks="an order that was paid before the store was connected is sent, because catch-up found it",
            at=age.find_old,
            old="if times.paid_at >= since:",
            new="if True:",
            tests=(f"{READING}::test_old_order_is_taken_in_and_not_sent",),
        ),
        Mutant(
            breaks="one order that cannot be read ends the reading",
            at=unknown.describe,
            old="    except Exception as error:",
            new="    except ZeroDivisionError as error:",
            tests=(f"{READING}::test_fault_in_identifying_an_order_is_recorded",),
        ),
        Mutant(
            breaks="another version of the same second counts as the one on record",
            at=unknown.is_on_record,
            old="is_older(version.listed.updated_at, newest)",
            new="version.listed.updated_at <= newest.source_updated_at",
            tests=(f"{READING}::test_other_version_of_the_same_second_is_taken_in",),
        ),
        Mutant(
            breaks="an order that was saved without a change counts as a new version",
            at=unknown.map_order,
            old="replace(storefront.parse_order(payload, store), updated_at=None)",
            new="storefront.parse_order(payload, store)",
            tests=(f"{READING}::test_order_that_a_webhook_brought_is_on_record",),
        ),
        Mutant(
            breaks="a webhook that only names the order stands for a payment that it does not mention",
            at=unknown.lacks_delivery,
            old="return not without_delivery <= taken",
            new="return False",
            tests=(f"{READING}::test_thin_webhook_that_says_nothing_of_the_payment_is_not_enough",),
        ),
        Mutant(
            breaks="a cancellation whose webhook was lost is overlooked behind a later webhook",
            at=unknown.lacks_cancellation,
            old='return not any("cancelled" in event.topics for event in record.events)',
            new="return False",
            tests=(f"{READING}::test_lost_thin_cancellation_is_taken_in",),
        ),
        Mutant(
            breaks="an order that is back from the trash stays cancelled",
            at=unknown.is_on_record,
            old="newest is None or was_deleted_since(record.events, newest)",
            new="newest is None",
            tests=(f"{READING}::test_order_that_is_back_from_the_trash_is_taken_in",),
        ),
        Mutant(
            breaks="orders that move from page to page are lost",
            at=listing.OrderPages._read_once,
            old="                return ListEnding.MOVED\n",
            new="                pass\n",
            tests=(f"{READING}::test_list_that_moves_meanwhile_is_read_from_its_start",),
        ),
        Mutant(
            breaks="a store that asks for patience is asked again at once",
            at=schedule.CatchUp.read,
            old="monotonic() + result.retry_after_s",
            new="0.0",
            tests=(f"{SCHEDULE}::test_store_that_asks_for_patience_is_left_alone",),
        ),
        Mutant(
            breaks="two processes read a store at a time",
            at=schedule.StoreLock.renew,
            old="        return is_held\n",
            new="        return True\n",
            tests=(
                f"{SCHEDULE}::test_other_worker_takes_over_from_one_that_died",
                f"{SCHEDULE}::test_reading_ends_when_another_process_has_the_lock",
            ),
        ),
        Mutant(
            breaks="what was lost just before a start is read an interval later",
            at=schedule.is_due,
            old="or reading.started_at < lag_is_over_at <= now",
            new="",
            tests=(f"{SCHEDULE}::test_worker_reads_at_its_start_and_when_the_lag_has_passed",),
        ),
        Mutant(
            breaks="a store is read although catch-up is off",
            at=schedule.is_due,
            old="    if store.catch_up_every_s == 0:\n        return False\n",
            new="",
            tests=(f"{SCHEDULE}::test_interval_of_zero_reads_only_on_request",),
        ),
        Mutant(
            breaks="a webhook of an unpaid order hides that the one of its payment was lost",
            at=lost_webhooks.read_lost_webhooks,
            old="            has_routes(webhook),\n",
            new="",
            tests=(f"{LOST}::test_webhook_of_an_unpaid_order_does_not_stand_for_its_payment",),
        ),
        Mutant(
            breaks="an order without any record counts as accounted for",
            at=comparison.judge_order,
            old="        elif is_cancelled:",
            new="        elif is_cancelled or not record.events:",
            tests=("tests/cli/test_catch_up.py::test_each_outcome_of_a_paid_order_accounts_for_it",),
        ),
    ),
)

OF_CATCH_UP = (CAUGHT_UP,)
