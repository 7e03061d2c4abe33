"""Sign-in, sessions and roles. Pages require a user; changes require the operator role.

The browser's cookie has a random token, and the database has the session. So a session ends when its user signs out,
and all of a user's sessions end when the password or the role changes.
"""

import hmac
from hashlib import sha256
from secrets import token_urlsafe

from flask import Flask, Response, abort, current_app, g, redirect, render_template, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Response as WerkzeugResponse

from connector.core.exceptions import DatabaseUnavailableError
from connector.database.audit import Actor, record_entry
from connector.database.models import AuditAction
from connector.database.sessions import end_session, load_session, start_session
from connector.settings import Settings
from connector.settings.users import ADMIN
from connector.web.access import RETRY_AFTER_S
from connector.web.context import get_guard, get_runtime
from connector.web.dashboard.i18n import gettext as _
from connector.web.dashboard.security import safe_redirect_path
from connector.web.proxies import client_network, is_https

PUBLIC_ENDPOINTS = {"show_login", "sign_in", "static", "preferences.set_language"}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
#: POST requests that a viewer may make.
READ_ONLY_POSTS = {"sign_in", "sign_out", "deliveries.search", "tables.search", "preferences.set_timezone"}
#: Pages that a viewer may not read: they say what others did and looked at.
OPERATOR_PAGES = {"audit.show"}
#: Checked when the user does not exist, so that the response takes as long as for one that does.
DUMMY_HASH = "scrypt:32768:8:1$0000000000000000$" + 128 * "0"
#: Says that a user has signed in with this browser before, so that failures elsewhere do not keep them out.
#: https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies, read 2026-11-30.
DEVICE_COOKIE = "connector_device"
DEVICE_COOKIE_AGE_S = 90 * 24 * 60 * 60


class DashboardUser(UserMixin):  # type: ignore[misc]  # the library has no types
    """A user of the dashboard.

    `fingerprint` depends on the password and the role, so changing either ends the user's sessions.
    """

    def __init__(self, name: str, role: str, credential: str, key: str) -> None:
        self.name = name
        self.role = role
        message = f"{name}\0{role}\0{credential}".encode()
        self.fingerprint = hmac.new(key.encode(), message, sha256).hexdigest()
        self.session_token = ""  # set when signed in

    @property
    def can_write(self) -> bool:
        return self.role == "operator"

    def get_id(self) -> str:
        """Return what the cookie holds."""
        return self.session_token


def configure_auth(app: Flask) -> None:
    """Add the sign-in views, and require a user for everything else."""
    login_manager = LoginManager(app)
    login_manager.session_protection = None  # it binds sessions to an IP address, and those of phones change
    login_manager.user_loader(load_session_user)
    app.before_request(check_access)
    app.add_url_rule("/login", view_func=show_login, methods=["GET"])
    app.add_url_rule("/login", view_func=sign_in, methods=["POST"])
    app.add_url_rule("/logout", view_func=sign_out, methods=["POST"])


def check_access() -> WerkzeugResponse | tuple[str, int] | None:
    """Turn away requests without a user, and changes without the operator role."""
    if not is_dashboard_enabled(get_runtime().settings):
        return None if request.endpoint == "static" else (render_template("disabled.html"), 404)
    if request.endpoint in PUBLIC_ENDPOINTS or request.routing_exception is not None:
        return None
    if not current_user.is_authenticated:
        if error := g.pop("session_error", None):
            raise error
        return redirect_to_login()
    is_change = request.method not in SAFE_METHODS and request.endpoint not in READ_ONLY_POSTS
    if (is_change or request.endpoint in OPERATOR_PAGES) and not current_user.can_write:
        abort(403)
    return None


def show_login() -> WerkzeugResponse | str:
    return redirect(url_for("overview.show")) if current_user.is_authenticated else render_template("login.html")


def sign_in() -> WerkzeugResponse | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Start a session, with a new token in a new cookie: what the browser had before is worth nothing afterwards."""
    runtime, guard = get_runtime(), get_guard()
    name = request.form.get("name", "").strip() or ADMIN
    password = request.form.get("password", "")
    user = load_users(runtime.settings).get(name)
    is_admin_token = name == ADMIN and user is not None
    if is_admin_token and hmac.compare_digest(password.encode(), (admin_token(runtime.settings) or "").encode()):
        return open_session(user)
    if not guard.may_try(name, read_device(user)):
        guard.record("dashboard", "too many attempts")
        guard.record_failed_sign_in("dashboard", user.name if user else None)
        message = _("Too many attempts. Wait a minute.")
        return render_template("login.html", error=message), 429, {"Retry-After": str(RETRY_AFTER_S)}
    if is_admin_token or not verify_password(runtime.settings, name, password):
        guard.sign_in_failed(name)
        guard.record_failed_sign_in("dashboard", user.name if user else None)
        return render_template("login.html", error=_("Incorrect name or password.")), 401
    guard.signed_in(name)
    return remember_device(open_session(user), user)


def open_session(user: DashboardUser | None) -> WerkzeugResponse:
    assert user is not None  # noqa: S101  # the password was that of a user
    runtime = get_runtime()
    close_session()
    user.session_token = start_session(runtime.database, user=user.name, fingerprint=user.fingerprint)
    record_entry(runtime.database, describe_reader(user), AuditAction.SIGN_IN)
    login_user(user)
    session.permanent = True
    runtime.log.info("signed_in", who=user.name)
    return redirect(safe_redirect_path(request.args.get("next")) or url_for("overview.show"))


def close_session() -> None:
    """End the browser's session, if it has one, and forget its cookie with the CSRF token in it."""
    if token := session.get("_user_id"):
        end_session(get_runtime().database, token)
    session.clear()


def sign_out() -> WerkzeugResponse:
    close_session()
    return redirect(url_for("show_login"))


def redirect_to_login() -> WerkzeugResponse:
    if request.headers.get("HX-Request"):  # a live page's session ended: htmx has to navigate, not swap the fragment
        return Response(status=204, headers={"HX-Redirect": url_for("show_login")})
    requested_path = request.full_path.rstrip("?") if request.method in SAFE_METHODS else None
    return redirect(url_for("show_login", next=requested_path if requested_path != "/" else None))


def load_session_user(token: str) -> DashboardUser | None:
    """Return the user of a session. None if it is over, or if the user's password or role has changed since."""
    runtime = get_runtime()
    is_live_update = "HX-Request" in request.headers  # the page did it, not a person
    try:
        row = load_session(runtime.database, token, counts_as_use=not is_live_update)
    except DatabaseUnavailableError as error:
        g.session_error = error  # raised by `check_access`: the error page, too, looks for a user
        return None
    user = load_users(runtime.settings).get(row.user) if row else None
    if row is None or user is None or not hmac.compare_digest(user.fingerprint, row.fingerprint):
        return None
    user.session_token = token
    return user


def load_users(settings: Settings) -> dict[str, DashboardUser]:
    key = current_app.config["SECRET_KEY"]
    users = {
        user.name: DashboardUser(user.name, user.role, user.password_hash, key) for user in settings.users.values()
    }
    token = admin_token(settings)
    return users | ({ADMIN: DashboardUser(ADMIN, "operator", token, key)} if token else {})


def admin_token(settings: Settings) -> str | None:
    return settings.environment.admin_token


def verify_password(settings: Settings, name: str, password: str) -> bool:
    """Return whether the password is the user's. Takes as long for a user that does not exist."""
    user = settings.users.get(name)
    is_match = check_password_hash(user.password_hash if user else DUMMY_HASH, password)
    return is_match and user is not None


def device_serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="device")


def read_device(user: DashboardUser | None) -> str | None:
    """Return the id of the browser, if the user has signed in with it before and has the same password since."""
    try:
        fingerprint, device = device_serializer().loads(
            request.cookies.get(DEVICE_COOKIE, ""), max_age=DEVICE_COOKIE_AGE_S
        )
    except (BadSignature, ValueError):
        return None
    return device if user is not None and fingerprint == user.fingerprint else None


def remember_device(response: WerkzeugResponse, user: DashboardUser | None) -> WerkzeugResponse:
    assert user is not None  # noqa: S101  # the password was that of a user
    response.set_cookie(
        DEVICE_COOKIE,
        str(device_serializer().dumps([user.fingerprint, token_urlsafe(16)])),
        max_age=DEVICE_COOKIE_AGE_S,
        path=url_for("show_login"),
        secure=is_https(request),
        httponly=True,
        samesite="Lax",
    )
    return response


def is_dashboard_enabled(settings: Settings) -> bool:
    return bool(admin_token(settings) or settings.users)


def current_reader() -> Actor:
    """Return who reads, and from where, for the audit trail."""
    return describe_reader(current_user)


def describe_reader(user: DashboardUser) -> Actor:
    return Actor(interface="dashboard", name=user.name, role=user.role, network=client_network() or None)


def current_actor() -> str:
    """Return the name of the signed-in user, as recorded with each action."""
    name: str = current_user.name
    return name
