"""Who may come in, and what they may do: sign-in, sessions, roles, CSRF, the rate of tries, and strict headers.

Without a user nothing is shown; without the role of operator nothing is changed.
"""

import hmac
import re
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, flash, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask_babel import gettext as _
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Response as AnyResponse

from connector.runtime import Runtime
from connector.settings import Settings
from connector.settings.users import ADMIN

#: Of failed tries from one address, in each web process.
LOGIN_RATE = "10 per minute"
SESSION_LIFETIME = timedelta(hours=12)
#: What everybody may ask for, and what a viewer may post.
PUBLIC_ENDPOINTS = {"sign_in", "static"}
READ_ONLY_POSTS = {"sign_in", "sign_out", "deliveries.search_all"}

#: No script, style or picture but our own files, and nobody may frame a page. htmx is told to use neither eval nor
#: styles of its own; Pico draws its icons as data: pictures.
CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
#: Of a user that does not exist, so that a try takes as long as with one that does.
DUMMY_HASH = "scrypt:32768:8:1$0000000000000000$" + 128 * "0"


class DashboardUser(UserMixin):  # type: ignore[misc]  # the library has no types
    """Who is signed in. The mark changes with the password: that ends the sessions begun with the old one."""

    def __init__(self, name: str, role: str, credential: str, key: str) -> None:
        self.name = name
        self.role = role
        self.session_fingerprint = hmac.new(key.encode(), f"{name}\0{role}\0{credential}".encode(), sha256).hexdigest()[
            :24
        ]

    @property
    def can_write(self) -> bool:
        return self.role == "operator"

    def get_id(self) -> str:
        return f"{self.session_fingerprint}:{self.name}"


class SecureSessionInterface(SecureCookieSessionInterface):
    """Cookies that go back over HTTPS alone wherever a page came over HTTPS, also through a proxy that ends it."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"


def is_dashboard_enabled(settings: Settings) -> bool:
    return bool(settings.environment.admin_token or settings.users)


def derive_secret_key(settings: Settings) -> str:
    """What signs sessions: the same in every process and after every start."""
    environment = settings.environment
    source = environment.secret_key or environment.admin_token or ""
    return hmac.new(source.encode(), b"connector dashboard sessions", sha256).hexdigest()


def load_users(settings: Settings, key: str) -> dict[str, DashboardUser]:
    users = {
        user.name: DashboardUser(user.name, user.role, user.password_hash, key) for user in settings.users.values()
    }
    token = settings.environment.admin_token
    return users | ({ADMIN: DashboardUser(ADMIN, "operator", token, key)} if token else {})


def verify_password(settings: Settings, name: str, password: str) -> bool:
    """Whether the password is that of the name. Takes as long for a name that nobody has."""
    token = settings.environment.admin_token
    if name == ADMIN and token:
        return hmac.compare_digest(password.encode(), token.encode())
    user = settings.users.get(name)
    is_match = check_password_hash(user.password_hash if user else DUMMY_HASH, password)
    return is_match and user is not None


def configure_security(app: Flask, runtime: Runtime) -> None:
    settings = runtime.settings
    key = derive_secret_key(settings)
    app.config.update(
        SECRET_KEY=key,
        SESSION_COOKIE_NAME="connector",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # Strict would ask who follows the link of an alert to sign in again
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a page may lie open for hours before it is used
        WTF_CSRF_SSL_STRICT=False,  # the session's cookie is Lax, and a Referer is not always sent
    )
    app.session_interface = SecureSessionInterface()
    Talisman(
        app,
        force_https=False,  # whoever ends HTTPS before us does; health checks come without
        session_cookie_secure=False,  # `Sessions` decides
        content_security_policy=CONTENT_SECURITY_POLICY,
        referrer_policy="same-origin",
        frame_options="DENY",
        strict_transport_security_include_subdomains=False,
    )
    CSRFProtect(app)
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
    login_manager = LoginManager(app)
    login_manager.session_protection = None  # it binds a session to an address, and phones change theirs

    @login_manager.user_loader  # type: ignore[untyped-decorator]
    def load_session_user(id_: str) -> DashboardUser | None:
        fingerprint, _colon, name = id_.partition(":")
        user = load_users(settings, key).get(name)
        return user if user and hmac.compare_digest(user.session_fingerprint, fingerprint) else None

    @app.before_request
    def require_user() -> AnyResponse | tuple[str, int] | None:
        if not is_dashboard_enabled(settings):
            return None if request.endpoint == "static" else (render_template("off.html"), 404)
        if request.endpoint in PUBLIC_ENDPOINTS:
            return None
        if not current_user.is_authenticated:
            return redirect_to_sign_in()
        if request.method == "POST" and request.endpoint not in READ_ONLY_POSTS and not current_user.can_write:
            abort(403)
        return None

    @app.route("/login", methods=["GET", "POST"])
    @limiter.limit(LOGIN_RATE, methods=["POST"], deduct_when=lambda response: response.status_code == 401)
    def sign_in() -> AnyResponse | str | tuple[str, int]:
        if request.method == "GET":
            return (
                redirect(url_for("overview.show")) if current_user.is_authenticated else render_template("login.html")
            )
        name = request.form.get("name", "").strip() or ADMIN
        if not verify_password(settings, name, request.form.get("password", "")):
            runtime.log.warning("sign_in_failed", address=request.remote_addr)
            return render_template("login.html", failed=True), 401
        login_user(load_users(settings, key)[name])
        session.permanent = True
        runtime.log.info("signed_in", who=name)
        return redirect(safe_redirect_path(request.args.get("next")) or url_for("overview.show"))

    @app.post("/logout")
    def sign_out() -> AnyResponse:
        logout_user()
        return redirect(url_for("sign_in"))

    @app.errorhandler(CSRFError)
    def handle_csrf_error(error: CSRFError) -> AnyResponse:
        flash(_("That page was too old to act from. Please try again."), "error")
        return redirect(safe_redirect_path(urlsplit(request.referrer or "").path) or url_for("overview.show"))

    @app.after_request
    def disable_caching(response: Response) -> Response:
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response


def redirect_to_sign_in() -> AnyResponse:
    if request.headers.get("HX-Request"):  # a live page whose session has ended: the whole page is to go there
        return Response(status=204, headers={"HX-Redirect": url_for("sign_in")})
    requested_path = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("sign_in", next=requested_path if requested_path != "/" else None))


def safe_redirect_path(text: str | None) -> str | None:
    """The path, if it leads to a page of ours: browsers take `//host` and `/\\host` for another's."""
    return text if text and text.isprintable() and re.match(r"/(?![/\\])", text) else None


def current_actor() -> str:
    """Who acts, as the notes tell it."""
    name: str = current_user.name
    return name


def get_runtime() -> Runtime:
    runtime: Runtime = current_app.extensions["runtime"]
    return runtime
