"""Response headers, session cookies and CSRF protection."""

import re
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Response, flash, redirect, request, url_for
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_wtf.csrf import CSRFError, CSRFProtect
from secure import (
    ContentSecurityPolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    Secure,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)
from werkzeug.wrappers import Response as WerkzeugResponse

from connector.database.sessions import MAX_AGE
from connector.web.dashboard.i18n import gettext as _
from connector.web.proxies import is_https

HSTS_MAX_AGE = timedelta(days=365)

#: Only this service's own scripts, styles and images, and no framing. htmx is configured to use neither `eval` nor
#: inline styles; Pico draws its icons from `data:` URLs.
CONTENT_SECURITY_POLICY = (
    ContentSecurityPolicy()
    .default_src("'none'")
    .script_src("'self'")
    .style_src("'self'")
    .img_src("'self'", "data:")
    .connect_src("'self'")
    .form_action("'self'")
    .base_uri("'none'")
    .frame_ancestors("'none'")
)
SECURITY_HEADERS = Secure(
    csp=CONTENT_SECURITY_POLICY,
    permissions=PermissionsPolicy().browsing_topics(),
    referrer=ReferrerPolicy().same_origin(),
    xcto=XContentTypeOptions().nosniff(),
    xfo=XFrameOptions().deny(),
)
#: Added to a response over HTTPS.
HTTPS_HEADERS = Secure(hsts=StrictTransportSecurity().max_age(int(HSTS_MAX_AGE.total_seconds())))


class DashboardSessionInterface(SecureCookieSessionInterface):
    """Marks the session cookie `Secure` if the page was requested over HTTPS. Assets do not depend on the cookie."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return is_https(request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if request.endpoint != "static":
            super().save_session(app, session, response)


def configure_security(app: Flask, secret_key: str) -> None:
    """Set up cookies, CSRF protection and headers."""
    app.config.update(
        SECRET_KEY=secret_key,
        SESSION_COOKIE_NAME="connector",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # with Strict, following a link in an alert would require a new sign-in
        PERMANENT_SESSION_LIFETIME=MAX_AGE,
        SESSION_REFRESH_EACH_REQUEST=False,  # the session's end stays where it is
        WTF_CSRF_TIME_LIMIT=None,  # valid for the session: a page may stay open for hours before it is used
        WTF_CSRF_SSL_STRICT=False,  # the cookie is Lax, and browsers do not always send a Referer
    )
    app.session_interface = DashboardSessionInterface()
    CSRFProtect(app)
    app.register_error_handler(CSRFError, handle_csrf_error)
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    SECURITY_HEADERS.set_headers(response)
    if is_https(request):
        HTTPS_HEADERS.set_headers(response)
    if request.endpoint != "static" or response.status_code != HTTPStatus.OK:
        response.headers["Cache-Control"] = "no-store"
    return response


def handle_csrf_error(_error: CSRFError) -> WerkzeugResponse:
    """Send the person back to the page that held the form."""
    flash(_("This page has expired, try again."), "error")
    return redirect(safe_redirect_path(urlsplit(request.referrer or "").path) or url_for("overview.show"))


def safe_redirect_path(text: str | None) -> str | None:
    r"""Return the path if it is on this site. Browsers read `//host` and `/\host` as another host."""
    return text if text and text.isprintable() and re.match(r"/(?![/\\])", text) else None
