"""Mutants of the guarantees about webhooks: none is lost once answered, and none creates two orders."""

from tests.mutants.mutant import Invariant, Mutant

INTAKE = "connector/ingestion/receive.py"
EVENTS = "connector/database/events.py"
CLAIMS = "connector/database/claims.py"

SAFE = Invariant(
    number=1,
    promise="A 200 means that the event and its deliveries are on disk; nothing is mapped or fetched before it.",
    mutants=(
        Mutant(
            breaks="SQLite may lose its last commits in a power cut",
            file="connector/database/sqlite.py",
            old="PRAGMA synchronous = FULL",
            new="PRAGMA synchronous = NORMAL",
            tests=("tests/ingestion/test_receive.py::test_an_event_is_on_disk_before_it_is_answered[sqlite]",),
        ),
        Mutant(
            breaks="PostgreSQL may lose its last commits in a power cut",
            file="connector/database/postgresql.py",
            old="SET synchronous_commit = on",
            new="SET synchronous_commit = off",
            tests=(
                "tests/database/test_postgresql.py::test_a_commit_is_on_the_servers_disk_whatever_its_default_is[postgresql]",
            ),
        ),
        Mutant(
            breaks="who waits for a commit is told before it is done",
            file="connector/database/group_commit.py",
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
            tests=("tests/database/test_group_commit.py::test_nobody_is_told_before_the_commit_is_done",),
        ),
        Mutant(
            breaks="a commit that takes too long is answered as if it had come",
            file="connector/database/group_commit.py",
            old="            raise TimeoutError\n",
            new="            return pending.result\n",
            tests=(
                "tests/ingestion/test_receive.py::test_a_database_that_cannot_commit_answers_503_and_keeps_nothing[sqlite]",
            ),
        ),
        Mutant(
            breaks="the event is committed without its deliveries",
            file="connector/database/order_batch.py",
            old="        self._insert_deliveries()\n        for delivery_id",
            new="        for delivery_id",
            tests=("tests/ingestion/test_receive.py::test_an_event_is_on_disk_before_it_is_answered[sqlite]",),
        ),
        Mutant(
            breaks="the order is mapped while the storefront waits",
            file=INTAKE,
            old="    payload = parse_json_object(body)\n",
            new="    payload = parse_json_object(body)\n    storefront.parse_order(payload, store)\n",
            tests=(
                "tests/ingestion/test_receive.py::test_an_order_that_cannot_be_read_is_taken_in_and_parked[sqlite]",
            ),
        ),
        Mutant(
            breaks="the order is fetched while the storefront waits",
            file=INTAKE,
            old="    payload = parse_json_object(body)\n",
            new="""\
    payload = parse_json_object(body)
    from connector.clients.storefront_api import fetch_missing
    from connector.runtime import open_store_api

    with open_store_api(runtime, store) as client:
        fetches = storefront.required_fetches(payload, store, frozenset())
        fetch_missing(client, storefront, store, dict(payload), fetches, timeout_s=5)
""",
            tests=("tests/delivery/test_thin_webhooks.py::test_the_order_is_fetched_and_arrives[sqlite]",),
        ),
    ),
)

EVENT_ONCE = Invariant(
    number=2,
    promise="An event is recorded once, however often and however many at once it comes.",
    mutants=(
        Mutant(
            breaks="a repeat is an error",
            file="connector/database/sql/statements.py",
            old="ON CONFLICT (store, event_key) DO NOTHING\n",
            new="",
            tests=(
                "tests/ingestion/test_receive.py::test_the_same_event_again_is_a_duplicate_and_makes_no_second_delivery[sqlite]",
            ),
        ),
        Mutant(
            breaks="PostgreSQL keeps plans of when the database was small",
            file="connector/database/postgresql.py",
            old=" SET plan_cache_mode = force_custom_plan",
            new=" SET plan_cache_mode = auto",
            tests=(
                "tests/database/test_query_growth.py::test_a_hundred_times_the_orders_are_no_more_to_look_at[postgresql-waiting]",
            ),
        ),
        Mutant(
            breaks="it is looked whether the event is there, and inserted if not",
            file=EVENTS,
            old="    inserted = insert_rows(transaction.connection, INSERT_EVENTS, rows)\n",
            new="""\
    from sqlalchemy import insert, select

    existing = set(transaction.execute(select(col(Event.store), col(Event.event_key))).tuples())
    rows = [row for row in rows if (row["store"], row["event_key"]) not in existing]
    statement = insert(Event).returning(col(Event.store), col(Event.event_key), col(Event.id))
    inserted = transaction.execute(statement, rows).all() if rows else []
""",
            tests=(
                "tests/database/test_postgresql.py::test_an_event_that_another_machine_is_recording_is_a_duplicate[postgresql]",
            ),
        ),
        Mutant(
            breaks="the tables are made without the unique index of events",
            file="connector/database/migrations/versions/0001_initial.py",
            old='        sa.UniqueConstraint("store", "event_key"),\n',
            new="",
            tests=(
                "tests/ingestion/test_receive.py::test_the_same_event_again_is_a_duplicate_and_makes_no_second_delivery[sqlite]",
                "tests/database/test_migrations.py::test_migrations_make_the_declared_tables",
            ),
        ),
        Mutant(
            breaks="WooCommerce's delivery id, which different orders share, is taken for the event's key",
            file="mappings/storefronts/woocommerce/webhook.py",
            old="{order_id or ''}:{hash_body(body)}",
            new="{headers.get('x-wc-webhook-delivery-id') or hash_body(body)}",
            tests=(
                "tests/ingestion/test_receive.py::test_two_orders_under_one_woocommerce_delivery_id_both_arrive[sqlite]",
                "tests/ingestion/test_receive.py::test_one_woocommerce_order_under_two_delivery_ids_arrives_once[sqlite]",
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
            file=EVENTS,
            old="return self.store, self.identity.order_id",
            new="return self.store, self.identity.event_key",
            tests=("tests/ingestion/test_receive.py::test_created_paid_and_updated_make_one_delivery[sqlite]",),
        ),
        Mutant(
            breaks="the tables are made without the unique index of deliveries",
            file="connector/database/migrations/versions/0001_initial.py",
            old='        sa.UniqueConstraint("account", "store", "order_id"),\n',
            new="",
            tests=("tests/database/test_migrations.py::test_migrations_make_the_declared_tables",),
        ),
        Mutant(
            breaks="a newer version of a delivered order is sent too",
            file=EVENTS,
            old="return delivery.reason in (Reason.UNMAPPABLE, Reason.FILTERED)",
            new="return delivery.state == State.DELIVERED or delivery.reason in (Reason.UNMAPPABLE, Reason.FILTERED)",
            tests=(
                "tests/delivery/test_order_versions.py::test_after_delivery_a_newer_version_is_recorded_and_not_sent[sqlite]",
            ),
        ),
        Mutant(
            breaks="machines that record events of one order do not see each other's",
            file="connector/database/postgresql.py",
            old='connection.execute(LOCK_ORDERS, {"keys": sorted({lock_key(*order) for order in orders})})',
            new="pass",
            tests=(
                "tests/database/test_postgresql.py::test_events_of_one_order_are_recorded_one_after_the_other_by_all_machines"
                "[postgresql]",
            ),
        ),
        Mutant(
            breaks="machines that claim at once claim more than the account takes",
            file="connector/database/sql/statements.py",
            old="ORDER BY account\nFOR UPDATE SKIP LOCKED\n",
            new="ORDER BY account\n",
            tests=(
                "tests/database/test_postgresql.py::test_while_one_machine_claims_another_takes_nothing_of_the_account[postgresql]",
            ),
        ),
        Mutant(
            breaks="a claim waits for, and then takes, what another machine is changing",
            file="connector/database/sql/statements.py",
            old="LIMIT :max_rows\nFOR UPDATE SKIP LOCKED\n",
            new="LIMIT :max_rows\n",
            tests=(
                "tests/database/test_postgresql.py::test_a_claim_passes_over_what_another_machine_is_changing[postgresql]",
            ),
        ),
    ),
)

OF_EVENTS = (SAFE, EVENT_ONCE, ORDER_ONCE)
