"""How a shop lets an app read its orders: it installs the app, which gets a code and exchanges it for a token.

https://tiendanube.github.io/api-documentation/authentication, read 2026-11-30. The token does not expire. It is valid
until the shop uninstalls the app, or the app gets another one.
"""

from mappings.access_tokens import AppAuthorization, TokenGrant, TokenRequest
from mappings.storefronts.tiendanube.store import TiendanubeStore


class TiendanubeAuthorization(AppAuthorization[TiendanubeStore]):
    def installation_url(self, store: TiendanubeStore) -> str:
        return f"{store.auth_url}/apps/{store.client_id}/authorize"

    def token_request(self, store: TiendanubeStore, code: str) -> TokenRequest:
        return TokenRequest(
            url=f"{store.auth_url}/apps/authorize/token",
            data={
                "client_id": store.client_id or "",
                "client_secret": store.client_secret or "",
                "grant_type": "authorization_code",
                "code": code,
            },
            is_json=True,
            headers={"User-Agent": store.user_agent},
        )

    def is_of_store(self, grant: TokenGrant, store: TiendanubeStore) -> bool:
        """`user_id` is the shop's number."""
        return grant.shop_id == store.store_id
