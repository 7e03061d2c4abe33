"""Mutants of the guarantees about what strangers and other services may do to processes, alerts and files."""

from connector.alerts import monitor
from connector.clients import http
from connector.database import generation, sqlite
from connector.settings import alerts
from connector.web import app
from connector.web.gunicorn_worker import DeadlineWorker
from connector.worker.supervisor import WorkerProcess
from tests.mutants.mutant import Invariant, Mutant

GUNICORN_WORKER = "tests/web/test_gunicorn_worker.py"
HTTP = "tests/clients/test_http.py"
SQLITE = "tests/database/test_sqlite.py"

STILL_UP = Invariant(
    number=15,
    promise="Slow clients, huge responses and a worker that dies do not keep webhooks out.",
    mutants=(
        Mutant(
            breaks="a request that never ends keeps its thread",
            at=DeadlineWorker.enqueue_req,
            old="self.deadlines[conn.sock] = time.monotonic() + REQUEST_TIMEOUT_S",
            new="self.deadlines[conn.sock] = NO_DEADLINE",
            tests=(f"{GUNICORN_WORKER}::test_slow_sender_is_cut_off[body]",),
        ),
        Mutant(
            breaks="a response that is never read keeps its thread",
            at=DeadlineWorker.load_wsgi,
            old="self.deadlines[connection] = time.monotonic() + RESPONSE_TIMEOUT_S",
            new="self.deadlines[connection] = NO_DEADLINE",
            tests=(f"{GUNICORN_WORKER}::test_slow_reader_is_cut_off",),
        ),
        Mutant(
            breaks="more slow connections than threads keep others out until their deadline",
            at=DeadlineWorker.enqueue_req,
            old="if len(self.deadlines) >= self.max_active:",
            new="if False:",
            tests=(f"{GUNICORN_WORKER}::test_more_slow_connections_than_threads_do_not_keep_others_out",),
        ),
        Mutant(
            breaks="pages take all the places of webhooks",
            at=DeadlineWorker.load_wsgi,
            old="with nullcontext() if is_urgent else self.page_slots, self.slots:",
            new="with self.slots:",
            tests=(f"{GUNICORN_WORKER}::test_flood_of_pages_does_not_hold_up_webhooks",),
        ),
        Mutant(
            breaks="a small compressed response fills the memory",
            at=http.decompress,
            old="decompressor.decompress(body, max_bytes + 1)",
            new="decompressor.decompress(body)",
            tests=(f"{HTTP}::test_compressed_response_that_costs_memory_is_unreadable",),
        ),
        Mutant(
            breaks="a response that is compressed twice is read as it is",
            at=http.decompress,
            old='    if encoding not in {"gzip", "x-gzip", "deflate"}:\n'
            '        raise httpx.DecodingError("the response has an encoding that was not asked for")\n',
            new="",
            tests=(f"{HTTP}::test_compressed_response_that_costs_memory_is_unreadable",),
        ),
        Mutant(
            breaks="responses may be compressed",
            at=http,
            old='"Accept-Encoding": "identity",',
            new='"Accept-Encoding": "gzip",',
            tests=(f"{HTTP}::test_uncompressed_responses_are_asked_for",),
        ),
        Mutant(
            breaks="the web server ends when the worker keeps dying",
            at=WorkerProcess.record_death,
            old="        return restart_in_s\n",
            new="        if len(self._deaths) >= MANY_DEATHS:\n            sys.exit(1)\n        return restart_in_s\n",
            tests=(
                "tests/worker/test_supervisor.py"
                "::test_dead_worker_is_restarted_and_webhooks_are_stored_while_it_keeps_dying[sqlite]",
            ),
        ),
    ),
)

HEARD = Invariant(
    number=21,
    promise="One wrong alert channel does not silence the others, and a wrong secret is found at the start.",
    mutants=(
        Mutant(
            breaks="a channel that raises stops those after it",
            at=monitor.AlertMonitor.check,
            old="except Exception as error:",
            new="except OSError as error:",
            tests=("tests/alerts/test_monitor.py::test_channel_that_raises_does_not_stop_another[sqlite]",),
        ),
        Mutant(
            breaks="a signing secret that is not base64 passes",
            at=alerts.check_signing_secret,
            old="b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)",
            new="b64decode(secret.removeprefix(SECRET_PREFIX))",
            tests=("tests/settings/test_alerts.py::test_malformed_signing_secret_is_an_error",),
        ),
        Mutant(
            breaks="a short signing secret passes",
            at=alerts.check_signing_secret,
            old="if len(key) < MIN_KEY_BYTES:",
            new="if not key:",
            tests=("tests/settings/test_alerts.py::test_malformed_signing_secret_is_an_error",),
        ),
    ),
)

UNSEEN = Invariant(
    number=22,
    promise="Nobody else on the machine reads the database, and no cache keeps a response.",
    mutants=(
        Mutant(
            breaks="every user of the machine may read the SQLite files",
            at=generation,
            old="PRIVATE = 0o600",
            new="PRIVATE = 0o644",
            tests=(f"{SQLITE}::test_only_the_service_can_read_the_files",),
        ),
        Mutant(
            breaks="files of an older version stay readable",
            at=sqlite.make_private,
            old="path.chmod(PRIVATE)",
            new="pass",
            tests=(f"{SQLITE}::test_files_of_an_older_version_become_private",),
        ),
        Mutant(
            breaks="a cache may keep a response of the API",
            at=app.protect_response,
            old='    response.headers.setdefault("Cache-Control", "no-store")\n',
            new="",
            tests=("tests/web/api/test_routes.py::test_response_is_neither_kept_nor_reinterpreted",),
        ),
        Mutant(
            breaks="a browser may take a response for something else",
            at=app.protect_response,
            old='    response.headers.setdefault("X-Content-Type-Options", "nosniff")\n',
            new="",
            tests=("tests/web/api/test_routes.py::test_response_is_neither_kept_nor_reinterpreted",),
        ),
    ),
)

OF_STRANGERS = (STILL_UP, HEARD, UNSEEN)
