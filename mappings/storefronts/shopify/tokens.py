"""The access tokens of a shop's own app, which are valid for a day.

Apps from the Dev Dashboard get them with the client credentials grant:
https://shopify.dev/docs/apps/build/authentication-authorization/client-credentials-grant, read 2026-11-30.
"""

from mappings.access_tokens import TokenRequest
from mappings.storefronts.shopify.store import ShopifyStore


def build_token_request(store: ShopifyStore) -> TokenRequest | None:
    """Return the exchange of the app's credentials; None if the store has none.

    Unverified: whether a new token ends the ones before it.
    """
    if store.client_id is None or store.client_secret is None:
        return None
    return TokenRequest(
        url=f"{store.api_url}/admin/oauth/access_token",
        data={
            "grant_type": "client_credentials",
            "client_id": store.client_id,
            "client_secret": store.client_secret,
        },
        headers={"Accept": "application/json"},
    )
