"""A browser's requests to the dashboard, without a browser."""

import re
from dataclasses import dataclass, replace
from typing import Any

from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

from connector.settings.users import User
from connector.web.app import create_app
from tests.support.service import ADMIN_TOKEN, Service

PASSWORD = "vidriera-7"
#: Cheap to verify, unlike the hashes of `connector user hash`.
PASSWORD_HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:1")
ANA = User(name="ana", password_hash=PASSWORD_HASH, role="operator")
VERA = User(name="vera", password_hash=PASSWORD_HASH)
#: The pages that a GET shows, with the deliveries of `create_mixed_deliveries`.
PAGES = [
    *("/", "/?day=2026-11-20", "/deliveries", "/deliveries?state=parked&reason=unmappable", "/deliveries/1"),
    *("/deliveries/2", "/deliveries/3", "/events", "/events?status=ignored", "/events/1", "/accounts", "/stores"),
    *("/stores/tienda-mx", "/audit", "/audit?action=alert", "/settings", "/tables", "/tables/erp/charges"),
    "/privacy/orders",
]


@dataclass
class Visitor:
    """Somebody with a browser."""

    client: FlaskClient
    language: str = "en"

    def get(self, path: str) -> Any:
        return self.client.get(path, headers={"Accept-Language": self.language})

    def post(self, path: str, **form: Any) -> Any:
        """Send a form, with the token that a page's form has."""
        for page in ("/login", "/"):
            if token := re.search(r'name="csrf_token" value="([^"]+)"', self.get(page).text):
                headers = {"Accept-Language": self.language}
                return self.client.post(path, data={"csrf_token": token[1], **form}, headers=headers)
        raise AssertionError("no page has a form")

    def sign_in(self, password: str = ADMIN_TOKEN, name: str = "") -> Any:
        return self.post("/login", name=name, password=password)


def visit(service: Service, *users: User, token: str | None = ADMIN_TOKEN) -> Visitor:
    """Open a browser on a service with these users."""
    settings = service.runtime.settings
    environment = replace(settings.environment, admin_token=token)
    with_users = replace(settings, environment=environment, users={user.name: user for user in users})
    return Visitor(create_app(replace(service.runtime, settings=with_users)).test_client())


def text_of(response: Any) -> str:
    """Return the main text of a page, without tags and extra whitespace."""
    assert response.status_code == 200, response.text
    main = response.text.partition("<main")[2]
    return " ".join(
        re.sub(r"<[^>]+>", " ", main).replace("&#39;", "'").replace("&gt;", ">").replace("&#34;", '"').split()
    )
