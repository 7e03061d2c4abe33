"""Sign-in, sessions and roles. Pages require a user; changes require the operator role."""

import hmac
from hashlib import sha256

from flask import Flask, Response, abort, current_app, redirect, render_template, request, session, url_for
from flask_limiter import Limiter
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Response as WerkzeugResponse

from connector.settings import Settings
from connector.settings.users import ADMIN
from connector.web.context import get_runtime
from connector.web.dashboard.security import safe_redirect_path

#: Failed sign-ins from one address, in each web process.
LOGIN_RATE = "10 per minute"
PUBLIC_ENDPOINTS = {"login", "static"}
#: POST requests that a viewer may make.
READ_ONLY_POSTS = {"login", "logout", "deliveries.search"}
#: Checked when the user does not exist, so that the response takes as long as for one that does.
DUMMY_HASH = "scrypt:32768:8:1$0000000000000000$" + 128 * "0"


class DashboardUser(UserMixin):  # type: ignore[misc]  # the library has no types
    """The user who is signed in.

    `session_fingerprint` depends on the password and the role, so changing either ends the user's sessions.
    """

    def __init__(self, name: str, role: str, credential: str, key: str) -> None:
        self.name = name
        self.role = role
        message = f"{name}\0{role}\0{credential}".encode()
        self.session_fingerprint = hmac.new(key.encode(), message, sha256).hexdigest()[:24]

    @property
    def can_write(self) -> bool:
        return self.role == "operator"

    def get_id(self) -> str:
        return f"{self.session_fingerprint}:{self.name}"


def configure_auth(app: Flask, limiter: Limiter) -> None:
    """Add the sign-in views, and require a user for everything else."""
    login_manager = LoginManager(app)
    login_manager.session_protection = None  # it binds sessions to an IP address, and those of phones change
    login_manager.user_loader(load_session_user)
    app.before_request(check_access)
    limit_failures = limiter.limit(LOGIN_RATE, methods=["POST"], deduct_when=is_failed_login)
    app.add_url_rule("/login", "login", limit_failures(login), methods=["GET", "POST"])
    app.add_url_rule("/logout", "logout", logout, methods=["POST"])


def check_access() -> WerkzeugResponse | tuple[str, int] | None:
    """Turn away requests without a user, and changes without the operator role."""
    if not is_dashboard_enabled(get_runtime().settings):
        return None if request.endpoint == "static" else (render_template("disabled.html"), 404)
    if request.endpoint in PUBLIC_ENDPOINTS:
        return None
    if not current_user.is_authenticated:
        return redirect_to_login()
    if request.method == "POST" and request.endpoint not in READ_ONLY_POSTS and not current_user.can_write:
        abort(403)
    return None


def login() -> WerkzeugResponse | str | tuple[str, int]:
    if request.method == "GET":
        return redirect(url_for("overview.show")) if current_user.is_authenticated else render_template("login.html")
    runtime = get_runtime()
    name = request.form.get("name", "").strip() or ADMIN
    if not verify_password(runtime.settings, name, request.form.get("password", "")):
        runtime.log.warning("sign_in_failed", address=request.remote_addr)
        return render_template("login.html", has_failed=True), 401
    login_user(load_users(runtime.settings, current_app.config["SECRET_KEY"])[name])
    session.permanent = True
    runtime.log.info("signed_in", who=name)
    return redirect(safe_redirect_path(request.args.get("next")) or url_for("overview.show"))


def is_failed_login(response: Response) -> bool:
    return response.status_code == 401


def logout() -> WerkzeugResponse:
    logout_user()
    return redirect(url_for("login"))


def redirect_to_login() -> WerkzeugResponse:
    if request.headers.get("HX-Request"):  # a live page's session ended: htmx has to navigate, not swap the fragment
        return Response(status=204, headers={"HX-Redirect": url_for("login")})
    requested_path = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("login", next=requested_path if requested_path != "/" else None))


def load_session_user(session_id: str) -> DashboardUser | None:
    """Return the user of a session, or None if the user's password or role has changed since."""
    fingerprint, _colon, name = session_id.partition(":")
    user = load_users(get_runtime().settings, current_app.config["SECRET_KEY"]).get(name)
    return user if user and hmac.compare_digest(user.session_fingerprint, fingerprint) else None


def load_users(settings: Settings, key: str) -> dict[str, DashboardUser]:
    users = {
        user.name: DashboardUser(user.name, user.role, user.password_hash, key) for user in settings.users.values()
    }
    token = settings.environment.admin_token
    return users | ({ADMIN: DashboardUser(ADMIN, "operator", token, key)} if token else {})


def verify_password(settings: Settings, name: str, password: str) -> bool:
    """Return whether the password is the user's. Takes as long for a user that does not exist."""
    token = settings.environment.admin_token
    if name == ADMIN and token:
        return hmac.compare_digest(password.encode(), token.encode())
    user = settings.users.get(name)
    is_match = check_password_hash(user.password_hash if user else DUMMY_HASH, password)
    return is_match and user is not None


def is_dashboard_enabled(settings: Settings) -> bool:
    return bool(settings.environment.admin_token or settings.users)


def derive_secret_key(settings: Settings) -> str:
    """Return the key that signs sessions. It is the same in every process and after every restart."""
    environment = settings.environment
    source = environment.secret_key or environment.admin_token or ""
    return hmac.new(source.encode(), b"connector dashboard sessions", sha256).hexdigest()


def current_actor() -> str:
    """Return the name of the signed-in user, as recorded with each action."""
    name: str = current_user.name
    return name
