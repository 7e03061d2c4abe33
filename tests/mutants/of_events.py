"""Mutants of the guarantees about webhooks: none is lost once answered, and none creates two orders."""

from importlib import import_module

from connector.core import json_body
from connector.database import events, group_commit, order_batch, orders, postgresql, sqlite
from connector.database.sql import statements
from connector.delivery import age, prepare
from connector.ingestion import receive
from mappings import storefront
from mappings.money import payments
from mappings.storefronts.shopify import webhook as shopify_webhook
from mappings.storefronts.woocommerce import webhook
from tests.mutants.mutant import Invariant, Mutant

initial_migration = import_module("connector.database.migrations.versions.0001_initial")


SAFE = Invariant(
    number=1,
    promise="A 200 means that the event and its deliveries are on disk; nothing is mapped or fetched before it.",
    mutants=(
        Mutant(
            breaks="SQLite may lose its last commits in a power cut",
            at=sqlite.create_sqlite_engine,
            old="PRAGMA synchronous = FULL",
            new="PRAGMA synchronous = NORMAL",
            tests=("tests/ingestion/test_receive.py::test_event_is_committed_before_the_response[sqlite]",),
        ),
        Mutant(
            breaks="PostgreSQL may lose its last commits in a power cut",
            at=postgresql.create_postgresql_engine,
            old="SET synchronous_commit = on",
            new="SET synchronous_commit = off",
            tests=(
                "tests/database/test_postgresql.py::test_commits_are_durable_regardless_of_the_server_default[postgresql]",
            ),
        ),
        Mutant(
            breaks="who waits for a commit is told before it is done",
            at=group_commit.GroupCommitter._attempt,
            old="""\
                results = apply_batch(transaction, batch)
        except""",
            new="""\
                results = apply_batch(transaction, batch)
                for wish, result in zip(batch, results, strict=True):
                    wish.result = result
                    wish.done.release()
                    wish.done = threading.Lock()
                    wish.done.acquire()
        except""",
            tests=("tests/database/test_group_commit.py::test_callers_wait_for_the_commit",),
        ),
        Mutant(
            breaks="a commit that takes too long is answered as if it had come",
            at=group_commit.GroupCommitter.commit,
            old="            raise TimeoutError\n",
            new="            return pending.result\n",
            tests=("tests/ingestion/test_receive.py::test_failed_commit_returns_503_and_records_nothing[sqlite]",),
        ),
        Mutant(
            breaks="the event is committed without its deliveries",
            at=order_batch.OrderBatch.write,
            old="        self._insert_deliveries()\n        for delivery_id",
            new="        for delivery_id",
            tests=("tests/ingestion/test_receive.py::test_event_is_committed_before_the_response[sqlite]",),
        ),
        Mutant(
            breaks="a body is accepted that is nested too deeply to be read later",
            at=json_body.parse_json,
            old="if not is_shallow(body, value):",
            new="if False:",
            tests=("tests/ingestion/test_receive.py::test_what_could_not_be_read_later_is_refused",),
        ),
        Mutant(
            breaks="half of a surrogate pair is accepted and cannot be written again",
            at=json_body.parse_unusual_json,
            old='ESCAPE.sub(lambda match: " " if match[2] else match[0], text)',
            new="text",
            tests=("tests/ingestion/test_receive.py::test_what_is_accepted_can_be_read_everywhere",),
        ),
        Mutant(
            breaks="the order is mapped while the storefront waits",
            at=receive.receive_webhook,
            old="    payload = parse_json_object(body)\n",
            new="    payload = parse_json_object(body)\n    storefront.parse_order(payload, store)\n",
            tests=("tests/ingestion/test_receive.py::test_unreadable_order_is_accepted_and_parked[sqlite]",),
        ),
        Mutant(
            breaks="the order is fetched while the storefront waits",
            at=receive.receive_webhook,
            old="    payload = parse_json_object(body)\n",
            new="""\
    payload = parse_json_object(body)
    from connector.clients.storefront_api import fetch_missing
    from connector.runtime import open_store_api

    with open_store_api(runtime, store) as api:
        fetches = storefront.required_fetches(payload, store, frozenset())
        fetch_missing(api, dict(payload), fetches, timeout_s=5)
""",
            tests=("tests/delivery/test_thin_webhooks.py::test_order_is_fetched_and_delivered[sqlite]",),
        ),
    ),
)

EVENT_ONCE = Invariant(
    number=2,
    promise="An event is recorded once, however often and however many at once it comes.",
    mutants=(
        Mutant(
            breaks="a repeat is an error",
            at=statements,
            old="ON CONFLICT (store, event_key) DO NOTHING\n",
            new="",
            tests=(
                "tests/ingestion/test_receive.py::test_repeated_event_is_a_duplicate_and_creates_no_second_delivery[sqlite]",
            ),
        ),
        Mutant(
            breaks="PostgreSQL keeps plans of when the database was small",
            at=postgresql.create_postgresql_engine,
            old=" SET plan_cache_mode = force_custom_plan",
            new=" SET plan_cache_mode = auto",
            tests=(
                "tests/database/test_query_growth.py::test_rows_read_do_not_grow_with_the_number_of_orders[postgresql-waiting]",
            ),
        ),
        Mutant(
            breaks="it is looked whether the event is there, and inserted if not",
            at=events.insert_events,
            old="    inserted = insert_rows(transaction.connection, INSERT_EVENTS, rows)\n",
            new="""\
    from sqlalchemy import insert, select

    existing = set(transaction.execute(select(col(Event.store), col(Event.event_key))).tuples())
    rows = [row for row in rows if (row["store"], row["event_key"]) not in existing]
    statement = insert(Event).returning(col(Event.store), col(Event.event_key), col(Event.id))
    inserted = transaction.execute(statement, rows).all() if rows else []
""",
            tests=(
                "tests/database/test_postgresql.py::test_event_being_recorded_elsewhere_is_a_duplicate[postgresql]",
            ),
        ),
        Mutant(
            breaks="the tables are made without the unique index of events",
            at=initial_migration.upgrade,
            old='        sa.UniqueConstraint("store", "event_key"),\n',
            new="",
            tests=(
                "tests/ingestion/test_receive.py::test_repeated_event_is_a_duplicate_and_creates_no_second_delivery[sqlite]",
                "tests/database/test_migrations.py::test_migrations_make_the_declared_tables",
            ),
        ),
        Mutant(
            breaks="WooCommerce's delivery id, which different orders share, is taken for the event's key",
            at=webhook.identify_webhook,
            old="{order_id or ''}:{hash_body(body)}",
            new="{headers.get('x-wc-webhook-delivery-id') or hash_body(body)}",
            tests=(
                "tests/ingestion/test_receive.py::test_orders_sharing_a_woocommerce_delivery_id_are_both_delivered[sqlite]",
                "tests/ingestion/test_receive.py::test_order_with_two_woocommerce_delivery_ids_is_delivered_once[sqlite]",
            ),
        ),
        Mutant(
            breaks="each id that somebody invents for a signed body makes another event",
            at=shopify_webhook.identify_webhook,
            old="{known_topic}:{hash_body(body)}",
            new="{known_topic}:{get_header(headers, 'webhook-id') or hash_body(body)}",
            tests=(
                "tests/ingestion/test_receive.py::test_replays_with_invented_ids_and_topics_make_no_more_events[sqlite]",
            ),
        ),
        Mutant(
            breaks="each topic that somebody invents for a signed body makes another event",
            at=shopify_webhook.identify_webhook,
            old='topic if topic in TOPICS or topic in OTHER_TOPICS else "other"',
            new="topic",
            tests=(
                "tests/ingestion/test_receive.py::test_replays_with_invented_ids_and_topics_make_no_more_events[sqlite]",
            ),
        ),
    ),
)

ORDER_ONCE = Invariant(
    number=3,
    promise="An order reaches an account once, whichever events speak of it.",
    mutants=(
        Mutant(
            breaks="each event makes a delivery of its own",
            at=events.IncomingWebhook.order_key,
            old="return self.store, self.identity.order_id",
            new="return self.store, self.identity.event_key",
            tests=(
                "tests/ingestion/test_receive.py::test_created_paid_and_updated_events_create_one_delivery[sqlite]",
            ),
        ),
        Mutant(
            breaks="the tables are made without the unique index of deliveries",
            at=initial_migration.upgrade,
            old='        sa.UniqueConstraint("account", "store", "order_id"),\n',
            new="",
            tests=("tests/database/test_migrations.py::test_migrations_make_the_declared_tables",),
        ),
        Mutant(
            breaks="a newer version of a delivered order is sent too",
            at=events.retries_on_update,
            old="return delivery.reason in (Reason.UNMAPPABLE, Reason.FILTERED)",
            new="return delivery.state == State.DELIVERED or delivery.reason in (Reason.UNMAPPABLE, Reason.FILTERED)",
            tests=(
                "tests/delivery/test_order_versions.py::test_newer_version_after_delivery_is_recorded_and_not_sent[sqlite]",
            ),
        ),
        Mutant(
            breaks="machines that record events of one order do not see each other's",
            at=postgresql.Postgresql.lock_orders,
            old='connection.execute(LOCK_ORDERS, {"keys": sorted({lock_key(*order) for order in orders})})',
            new="pass",
            tests=("tests/database/test_postgresql.py::test_events_of_an_order_are_recorded_serially[postgresql]",),
        ),
        Mutant(
            breaks="machines that claim at once claim more than the account takes",
            at=statements,
            old="ORDER BY account\nFOR UPDATE SKIP LOCKED\n",
            new="ORDER BY account\n",
            tests=("tests/database/test_postgresql.py::test_claims_for_an_account_are_serialized[postgresql]",),
        ),
        Mutant(
            breaks="a claim waits for, and then takes, what another machine is changing",
            at=statements,
            old="LIMIT :max_rows\nFOR UPDATE SKIP LOCKED\n",
            new="LIMIT :max_rows\n",
            tests=("tests/database/test_postgresql.py::test_claim_skips_locked_rows[postgresql]",),
        ),
    ),
)

VERSIONS = "tests/delivery/test_order_versions.py"

COMES_BACK = Invariant(
    number=11,
    promise="A cancelled order that comes back is sent where that is certain, and else held until a person decides.",
    mutants=(
        Mutant(
            breaks="a cancelled order never comes back",
            at=events.judge_standing,
            old="    return Standing.REVIVED, None\n",
            new="    return Standing.CANCELLED, None\n",
            tests=(f"{VERSIONS}::test_payment_revives_an_order_that_woocommerce_cancelled_unpaid[sqlite]",),
        ),
        Mutant(
            breaks="a version of the time of the cancellation revives the order",
            at=orders.EventSummary.is_newer_than,
            old="self.source_updated_at > cancellation.source_updated_at",
            new="self.source_updated_at >= cancellation.source_updated_at",
            tests=(f"{VERSIONS}::test_cancellation_holds_for_versions_that_are_not_newer[sqlite-2]",),
        ),
        Mutant(
            breaks="an order comes back on a platform where a cancellation is final",
            at=events.judge_standing,
            old="if not (webhook.can_undo_cancellation and event.is_paid):",
            new="if not event.is_paid:",
            tests=(
                f"{VERSIONS}::test_cancelled_order_that_is_paid_later_is_held_where_a_cancellation_is_final[sqlite]",
            ),
        ),
        Mutant(
            breaks="an order that an account processed comes back there",
            at=events.judge_standing,
            old="if may_have_been_processed(batch.transaction, *order):",
            new="if False:",
            tests=(f"{VERSIONS}::test_order_that_comes_back_is_held_at_an_account_that_processed_an_attempt[sqlite]",),
        ),
        Mutant(
            breaks="a deletion that comes late stops the restored order",
            at=events.is_undone,
            old="    if is_restored and not cancellation.has_order:\n        return True\n",
            new="",
            tests=(f"{VERSIONS}::test_restored_order_wins_over_its_deletion[sqlite-True]",),
        ),
        Mutant(
            breaks="a restored order that is deleted again is sent",
            at=orders.version_since_deletion,
            old="    return newest if all(",
            new="    return None if all(",
            tests=(f"{VERSIONS}::test_second_deletion_of_a_restored_order_holds_it[sqlite]",),
        ),
        Mutant(
            breaks="a copy of a deletion cancels the restored order",
            at=orders.cancellation_values,
            old="    if is_doubtful:\n        return held_values(DELETED_OR_BACK), None\n",
            new="",
            tests=(f"{VERSIONS}::test_second_deletion_of_a_restored_order_holds_it[sqlite]",),
        ),
        Mutant(
            breaks="an old body under order.restored makes a later deletion count for nothing",
            at=events.is_new_restoration,
            old="return event.undoes_deletion and all(",
            new="return event.undoes_deletion or all(",
            tests=(f"{VERSIONS}::test_old_body_posted_as_restored_does_not_undo_a_later_deletion[sqlite]",),
        ),
        Mutant(
            breaks="a held order of which a newer version comes is queued, though it is still cancelled",
            at=events.reschedule,
            old="(delivery.reason == Reason.HELD and not is_order_cancelled)",
            new="delivery.reason == Reason.HELD",
            tests=(f"{VERSIONS}::test_reopened_order_is_held_until_a_person_retriggers_it[sqlite]",),
        ),
    ),
)

FACTS = Invariant(
    number=12,
    promise="Only what is signed says whether an order is paid, cancelled or deleted.",
    mutants=(
        Mutant(
            breaks="a header says that an order is paid or cancelled",
            at=storefront.confirm_topic,
            old="if claim in UNPROVEN_CLAIMS and claim not in facts:",
            new="if False:",
            tests=(
                "tests/ingestion/test_receive.py::test_topic_contradicted_by_the_signed_body_changes_nothing_and_is_a_warning[sqlite]",
            ),
        ),
        Mutant(
            breaks="a header says that an order is deleted",
            at=webhook.identify_webhook,
            old='is_deleted = payload.keys() == {"id"}',
            new='is_deleted = topic == "order.deleted"',
            tests=(
                "tests/ingestion/test_receive.py::test_topic_contradicted_by_the_signed_body_changes_nothing_and_is_a_warning[sqlite]",
            ),
        ),
        Mutant(
            breaks="a payment status that nobody knows passes as paid",
            at=payments.find_unknown_status,
            old="if not status or status in documented:",
            new="if True:",
            tests=(
                "tests/ingestion/test_receive.py::test_order_with_an_unknown_payment_status_is_parked_until_a_person_decides",
            ),
        ),
        Mutant(
            breaks="an order whose payment was returned is sent if the route takes its topic",
            at=prepare.prepare_order,
            old="if order.is_refunded:",
            new="if False:",
            tests=("tests/ingestion/test_receive.py::test_returned_payment_never_leaves_whatever_topics_a_route_has",),
        ),
        Mutant(
            breaks="errors that a shop sends in place of orders are counted once, since their bytes are the same",
            at=events.record_events,
            old="[error for webhook in webhooks if",
            new="[error for webhook in (webhooks[index] for _, index in new) if",
            tests=(
                "tests/operations/test_doctor.py::test_errors_in_place_of_orders_are_counted_and_reported_until_an_order_comes",
            ),
        ),
        Mutant(
            breaks="of two versions of one second the first to arrive is sent",
            at=orders.newest_event,
            old="(event.source_updated_at, event.is_paid, event.id)",
            new="(event.source_updated_at, event.is_paid, -event.id)",
            tests=(
                "tests/delivery/test_order_versions.py::test_later_arrival_of_one_second_wins_if_both_are_paid[sqlite]",
            ),
        ),
    ),
)

OLD_ORDERS = "tests/delivery/test_old_orders.py"
TIME_OF_PAYMENT = f"{OLD_ORDERS}::test_time_of_payment_decides"

STAYS_OLD = Invariant(
    number=14,
    promise="An order from before the store was connected is not sent unless a person decides so.",
    mutants=(
        Mutant(
            breaks="an old order that comes up again is sent",
            at=age.find_old,
            old="if times.paid_at >= since:",
            new="if True:",
            tests=(TIME_OF_PAYMENT,),
        ),
        Mutant(
            breaks="an order that was placed before and paid after is taken for an old one",
            at=age.find_old,
            old="if times.paid_at is not None:",
            new="if False:",
            tests=(TIME_OF_PAYMENT,),
        ),
        Mutant(
            breaks="an order of which the time of payment is unknown is sent",
            at=prepare.prepare_order,
            old="if not is_old_accepted and (doubt := find_doubt(source.times(), since)):",
            new="if False and (doubt := find_doubt(source.times(), since)):",
            tests=(TIME_OF_PAYMENT,),
        ),
    ),
)

OF_EVENTS = (SAFE, EVENT_ONCE, ORDER_ONCE, COMES_BACK, FACTS, STAYS_OLD)
