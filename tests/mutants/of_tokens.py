"""Mutants of the guarantees about the access tokens of stores' APIs."""

from connector.clients import store_tokens, storefront_api
from connector.core import access_token, token_cipher
from connector.database import store_tokens as vaults
from connector.operations import authorize
from tests.mutants.mutant import Invariant, Mutant

TOKENS = "tests/clients/test_store_tokens.py"
AUTHORIZE = "tests/operations/test_authorize.py"

TOKEN_LIVES = Invariant(
    number=18,
    promise="A store's token is renewed before it expires and once when it is rejected, and is kept encrypted only.",
    mutants=(
        Mutant(
            breaks="a token is used until it expires",
            at=access_token.AccessToken,
            old="self.expires_at - min(RENEW_BEFORE, (self.expires_at - self.obtained_at) / 2)",
            new="self.expires_at",
            tests=(f"{TOKENS}::test_token_is_renewed_before_it_expires",),
        ),
        Mutant(
            breaks="a valid token is given up when it cannot be renewed",
            at=store_tokens.StoreTokens._renew,
            old="if valid is None:\n    raise",
            new="raise",
            tests=(f"{TOKENS}::test_valid_token_is_used_while_it_cannot_be_renewed",),
        ),
        Mutant(
            breaks="a rejected token is not replaced",
            at=storefront_api.StoreApi.request,
            old="result.status != 401 or not self.tokens.may_change",
            new="True",
            tests=(f"{TOKENS}::test_revoked_token_is_replaced_after_one_rejection",),
        ),
        Mutant(
            breaks="processes do not wait for each other's exchange",
            at=vaults.DatabaseVault.try_lock,
            old="acquire_lock(self.database, self._lock_name, self._holder, lease_s=LOCK_TTL_S)",
            new="True",
            tests=(f"{TOKENS}::test_processes_and_threads_that_start_at_once_make_one_exchange",),
        ),
        Mutant(
            breaks="rejected credentials look like an outage",
            at=store_tokens.exchange_failure,
            old="result.status in REJECTING_STATUSES or (result.is_success and code)",
            new="False",
            tests=(f"{TOKENS}::test_request_without_a_token_says_why",),
        ),
        Mutant(
            breaks="a 404 of the exchange says that the order is gone",
            at=store_tokens.exchange_failure,
            old="result.status if is_failing else None",
            new="result.status",
            tests=(f"{TOKENS}::test_request_without_a_token_says_why",),
        ),
        Mutant(
            breaks="the token is stored as it is",
            at=token_cipher.TokenCipher.encrypt,
            old="self._newest.encrypt(json.dumps([owner, token]).encode()).decode()",
            new="json.dumps([owner, token])",
            tests=(
                f"{TOKENS}::test_token_is_stored_encrypted",
                f"{AUTHORIZE}::test_token_is_kept_encrypted_and_not_shown",
            ),
        ),
        Mutant(
            breaks="the token of another app is used",
            at=token_cipher.TokenCipher._decrypt,
            old="encrypted_owner != owner or not isinstance(token, str)",
            new="not isinstance(token, str)",
            tests=(f"{TOKENS}::test_token_of_another_app_is_not_used",),
        ),
        Mutant(
            breaks="a token stays encrypted with the old key",
            at=vaults.DatabaseVault.load,
            old="not self.cipher.is_current(row.token, owner=self.owner)",
            new="False",
            tests=(f"{TOKENS}::test_token_is_encrypted_again_with_the_newest_key",),
        ),
        Mutant(
            breaks="the token of another shop is kept for the store",
            at=authorize.find_shop,
            old="if authorization.is_of_store(grant, shop)",
            new="if True",
            tests=(f"{AUTHORIZE}::test_code_of_another_app_or_shop_is_refused",),
        ),
    ),
)

OF_TOKENS = (TOKEN_LIVES,)
