"""The SQL of an attempt (claim, mark as sending, record the outcome), and the inserts of a webhook.

Each attempt takes three transactions and each webhook one, so these statements are written out instead of compiled by
SQLAlchemy. What that gains in `benchmarks.forward` and `benchmarks.accept`, and what is written with SQLAlchemy because
it gains too little here, is listed in docs/performance.md, "Hand-written SQL". Everything else in the database layer
uses `select`, `insert` and `update`.

`:name` is a parameter, and `IN (:name)` takes a list. `run.py` adapts them to the driver, and leaves out `FOR UPDATE`
on SQLite, where a writer has the database to itself.
"""

# benchmarks.forward: runs for each account before each claim.
HAS_DUE = """
SELECT 1
FROM circuits
WHERE account = :account
  AND paused_at IS NULL
  AND (opened_at IS NULL OR probe_at IS NULL OR probe_at <= :now)
  AND (
    SELECT id
    FROM deliveries
    WHERE account = :account
      AND state = 'waiting'
      AND due_at <= :now
      AND (claimed_by IS NULL OR claim_expires_at <= :now)
    ORDER BY due_at -- without it, PostgreSQL may scan all waiting deliveries
    LIMIT 1
  ) IS NOT NULL
"""

# benchmarks.forward: runs for each account in each claim.
COUNT_IN_FLIGHT = """
SELECT count(*)
FROM deliveries
WHERE account = :account
  AND claimed_by IS NOT NULL
  AND claim_expires_at > :now
"""

# benchmarks.forward: runs for each account in each claim. Skips what another process is claiming or changing.
SELECT_DUE = """
SELECT id
FROM deliveries
WHERE account = :account
  AND state = 'waiting'
  AND due_at <= :now
  AND (claimed_by IS NULL OR claim_expires_at <= :now)
ORDER BY due_at, id
LIMIT :max_rows
FOR UPDATE SKIP LOCKED
"""

# benchmarks.forward: once per claim. Skips accounts that another process is claiming from.
LOCK_FREE_CIRCUITS = """
SELECT account, failures, total_open_s, opened_at, probe_at, paused_at, next_slot_at, credentials_version
FROM circuits
WHERE account IN (:names)
ORDER BY account
FOR UPDATE SKIP LOCKED
"""

# benchmarks.forward: once per batch, when marking as sending and when recording outcomes.
SELECT_CIRCUITS = """
SELECT account, failures, total_open_s, opened_at, probe_at, paused_at, next_slot_at, credentials_version
FROM circuits
WHERE account IN (:names)
"""

# benchmarks.forward: once per claim.
CLAIM = """
UPDATE deliveries
SET claimed_by = :claimed_by,
    claim_expires_at = :claim_expires_at
WHERE id IN (:ids)
"""

# benchmarks.forward: once per batch, before marking as sending and before recording outcomes.
LOCK_DELIVERIES = """
SELECT id, account, store, destination, order_id, event_id, state, reason, remote_id, claimed_by, attempts,
       override_event_id, sent_before_restore, due_at, claim_expires_at, locked_since, first_forbidden_at
FROM deliveries
WHERE id IN (:ids)
ORDER BY id
FOR UPDATE
"""

# benchmarks.forward: once per batch, when marking as sending.
READ_GENERATION = """
SELECT generation, server
FROM database_generation
"""

# benchmarks.forward: once per batch, after marking as sending.
LAST_ATTEMPT = """
SELECT max(id)
FROM attempts
"""

# benchmarks.forward: once per attempt, over a batch.
MARK_SENDING = """
UPDATE deliveries
SET state = 'sending',
    attempts = :attempts,
    body = :body,
    idempotency_key = :idempotency_key,
    warnings = :warnings,
    claim_expires_at = :claim_expires_at,
    updated_at = :updated_at,
    attempts_in_run = :attempts_in_run,
    run_started_at = :run_started_at,
    circuit_open_s_at_start = :circuit_open_s_at_start
WHERE id = :id
"""

# benchmarks.forward: once per attempt, over a batch.
INSERT_ATTEMPT = """
INSERT INTO attempts (delivery_id, number, started_at, is_manual, outcome)
VALUES (:delivery_id, :number, :started_at, :is_manual, 'sending')
"""

# benchmarks.forward: once per attempt, over a batch.
RECORD_OUTCOME = """
UPDATE deliveries
SET state = :state,
    reason = :reason,
    due_at = :due_at,
    remote_id = :remote_id,
    locked_since = :locked_since,
    first_forbidden_at = :first_forbidden_at,
    is_manual = :is_manual,
    updated_at = :updated_at,
    claimed_by = :claimed_by,
    claim_expires_at = :claim_expires_at
WHERE id = :id
"""

# benchmarks.forward: once per attempt, over a batch.
RECORD_ATTEMPT = """
UPDATE attempts
SET outcome = :outcome,
    started_at = :started_at,
    duration_ms = :duration_ms,
    status = :status,
    error = :error,
    reply = :reply
WHERE delivery_id = :delivery_id
  AND number = :number
"""

# benchmarks.accept: once per batch of webhooks, with a row for each.
INSERT_EVENTS = """
INSERT INTO events (store, event_key, topic, topics, order_id, order_number, source_updated_at, received_at, source,
                    status, reason, warnings, duplicates, has_order, is_paid, is_cancellation, undoes_deletion,
                    accounts, traceparent, body)
VALUES (:store, :event_key, :topic, :topics, :order_id, :order_number, :source_updated_at, :received_at, :source,
        :status, :reason, :warnings, 0, :has_order, :is_paid, FALSE, :undoes_deletion, :accounts, :traceparent, :body)
ON CONFLICT (store, event_key) DO NOTHING
RETURNING store, event_key, id
"""

# benchmarks.accept: once per store and batch of webhooks. SQLite uses no index for an IN of (store, order id) pairs.
SELECT_ORDER_EVENTS = """
SELECT order_id, id, source_updated_at, is_paid, has_order, is_cancellation, undoes_deletion
FROM events
WHERE store = :store
  AND order_id IN (:order_ids)
  AND id < :before_id
"""

# benchmarks.accept: once per store and batch of webhooks.
SELECT_ERASED = """
SELECT order_id
FROM erased_orders
WHERE store = :store
  AND order_id IN (:order_ids)
  AND erased_at IS NOT NULL
"""

# benchmarks.accept: once per store and batch of webhooks, if one of its orders has events.
LOCK_ORDER_DELIVERIES = """
SELECT order_id, id, account, event_id, state, reason, locked_since, sent_before_restore
FROM deliveries
WHERE store = :store
  AND order_id IN (:order_ids)
ORDER BY id
FOR UPDATE
"""

# benchmarks.accept: once per batch of webhooks, with a row for each new delivery.
INSERT_DELIVERIES = """
INSERT INTO deliveries (account, store, destination, order_id, order_number, event_id, state, reason, due_at,
                        created_at, updated_at, problems, warnings, attempts, is_manual, attempts_in_run,
                        circuit_open_s_at_start, revision, is_forced, ignores_routes)
VALUES (:account, :store, :destination, :order_id, :order_number, :event_id, :state, :reason, :due_at,
        :created_at, :created_at, :problems, '[]', 0, FALSE, 0, 0, 1, FALSE, FALSE)
ON CONFLICT (account, store, order_id) DO NOTHING
RETURNING account, store, order_id, id
"""
