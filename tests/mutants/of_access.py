"""Mutants of the guarantees about strangers: sign-in, sessions, tokens, proxies and wrong signatures."""

from connector.alerts import monitor
from connector.database import sessions
from connector.privacy import export
from connector.settings import environment
from connector.web import access, proxies, webhooks
from connector.web.api import authorization
from connector.web.dashboard import auth, deliveries
from tests.mutants.mutant import Invariant, Mutant

ACCESS = "tests/web/test_access.py"
AUDIT = "tests/web/test_audit.py"
SESSIONS = "tests/web/dashboard/test_sessions.py"

NO_WAY_IN = Invariant(
    number=13,
    promise="A stranger does nothing, guesses slowly, and keeps nobody out; a session ends for good.",
    mutants=(
        Mutant(
            breaks="the view that signs in takes every method",
            at=auth.configure_auth,
            old='app.add_url_rule("/login", view_func=sign_in, methods=["POST"])',
            new='app.add_url_rule("/login", view_func=sign_in, methods=["POST", "HEAD"])',
            tests=(f"{ACCESS}::test_every_view_of_the_dashboard_has_one_purpose",),
        ),
        Mutant(
            breaks="a viewer may make changes",
            at=auth.check_access,
            old="(is_change or request.endpoint in OPERATOR_PAGES) and not current_user.can_write",
            new="False",
            tests=(f"{ACCESS}::test_no_method_changes_anything_for_a_viewer",),
        ),
        Mutant(
            breaks="a short ADMIN_TOKEN is accepted",
            at=environment.AdminToken._deserialize,
            old="len(token) < MIN_SECRET_LENGTH",
            new="not token",
            tests=("tests/settings/test_environment.py::test_invalid_environment_variable_is_an_error",),
        ),
        Mutant(
            breaks="signing out only forgets the cookie",
            at=auth.close_session,
            old='    if token := session.get("_user_id"):\n        end_session(get_runtime().database, token)\n',
            new="",
            tests=(f"{SESSIONS}::test_signing_out_ends_the_session_for_every_copy_of_its_cookie",),
        ),
        Mutant(
            breaks="the CSRF token of the sign-in page is valid afterwards",
            at=auth.close_session,
            old="session.clear()",
            new="pass",
            tests=(f"{SESSIONS}::test_sign_in_starts_a_new_session_with_a_new_csrf_token",),
        ),
        Mutant(
            breaks="a session outlives a change of the password",
            at=auth.load_session_user,
            old="not hmac.compare_digest(user.fingerprint, row.fingerprint)",
            new="False",
            tests=(f"{SESSIONS}::test_change_of_a_user_ends_their_sessions",),
        ),
        Mutant(
            breaks="a session that is used never ends",
            at=sessions.load_session,
            old="row.started_at <= now - MAX_AGE or ",
            new="",
            tests=(f"{SESSIONS}::test_session_ends_after_twelve_hours_even_if_it_is_used",),
        ),
        Mutant(
            breaks="the database holds the tokens of sessions",
            at=sessions.digest_token,
            old="sha256(token.encode()).hexdigest()",
            new="token",
            tests=(f"{SESSIONS}::test_database_holds_no_token_of_a_session",),
        ),
        Mutant(
            breaks="X-Forwarded-For is believed from anyone",
            at=proxies.client_address,
            old="is_in(address, trusted)",
            new="True",
            tests=(f"{ACCESS}::test_addresses_are_believed_only_from_trusted_proxies",),
        ),
        Mutant(
            breaks="each IPv6 address has tries of its own",
            at=proxies.client_network,
            old="isinstance(address, IPv6Address)",
            new="False",
            tests=(f"{ACCESS}::test_addresses_of_one_ipv6_network_count_as_one",),
        ),
        Mutant(
            breaks="failures elsewhere keep the owner of a name out",
            at=access.AccessGuard.may_try,
            old=" or self._passwords_of_attacked_name.hit(network, name)",
            new="",
            tests=(f"{ACCESS}::test_attack_on_a_name_from_many_networks_is_slowed_and_keeps_nobody_out",),
        ),
        Mutant(
            breaks="passwords can be tried without end",
            at=access.AccessGuard.may_try,
            old="not self._passwords_by_network_and_name.hit(network, name)",
            new="False",
            tests=(f"{ACCESS}::test_a_stranger_locks_out_nobody_behind_the_same_proxy",),
        ),
        Mutant(
            breaks="wrong tokens leave no trace",
            at=access.AccessGuard.refuse_bearer,
            old='self.record(interface, "too many attempts" if is_over else reason)',
            new="pass",
            tests=(f"{ACCESS}::test_wrong_tokens_are_logged_counted_and_limited",),
        ),
        Mutant(
            breaks="a viewer's token may act",
            at=authorization.authorize,
            old="required_role() == OPERATOR and token.role != OPERATOR",
            new="False",
            tests=(f"{ACCESS}::test_a_viewers_token_reads_and_changes_nothing",),
        ),
        Mutant(
            breaks="a token is accepted after its end",
            at=authorization.authorize,
            old="token.is_expired(runtime.clock())",
            new="False",
            tests=(f"{ACCESS}::test_a_token_ends",),
        ),
        Mutant(
            breaks="an order is shown without an entry in the audit trail",
            at=deliveries.show,
            old="    record_view(runtime.database, current_reader(), Subject.of(delivery))\n",
            new="",
            tests=(f"{AUDIT}::test_each_order_that_is_looked_at_is_recorded_once_an_hour",),
        ),
        Mutant(
            breaks="personal data is exported without an entry in the audit trail",
            at=export.export_records,
            old="    record_export(runtime.database, actor=actor, orders=records.count)\n",
            new="",
            tests=(f"{AUDIT}::test_an_export_is_recorded",),
        ),
        Mutant(
            breaks="the audit trail has the name of nobody",
            at=auth.sign_in,
            old="""        guard.sign_in_failed(name)
        guard.record_failed_sign_in("dashboard", user.name if user else None)
""",
            new="""        guard.sign_in_failed(name)
        guard.record_failed_sign_in("dashboard", name)
""",
            tests=(f"{AUDIT}::test_failed_sign_ins_are_counted_without_names_of_nobody",),
        ),
        Mutant(
            breaks="wrong signatures are not logged",
            at=webhooks.receiving,
            old="            log_rejection(store, error)\n",
            new="",
            tests=(f"{ACCESS}::test_wrong_signatures_are_logged_without_the_payload",),
        ),
        Mutant(
            breaks="wrong signatures are not alerted",
            at=monitor.AlertMonitor.conditions,
            old="            *self.signature_failures(last_webhooks),\n",
            new="",
            tests=("tests/alerts/test_monitor.py::test_wrong_signatures_that_go_on_are_alerted",),
        ),
    ),
)
OF_ACCESS = (NO_WAY_IN,)
