"""Mutants of the guarantees about credentials that operators enter."""

from connector.core import token_cipher
from connector.database import circuits, claims
from connector.delivery import prepare
from connector.settings import credentials
from tests.mutants.mutant import Invariant, Mutant

TESTS = "tests/operations/test_credentials.py"

CREDENTIALS_REPLACED = Invariant(
    number=32,
    promise="An entered key is used instead of the configured one until that changes, and the old key does no harm.",
    mutants=(
        Mutant(
            breaks="a worker claims with a key that was replaced",
            at=claims.claim_deliveries,
            old="circuit.credentials_version > credentials_version",
            new="False",
            tests=(f"{TESTS}::test_worker_that_does_not_have_the_new_key_yet_claims_nothing",),
        ),
        Mutant(
            breaks="the late rejection of an old key stops the account",
            at=circuits.count_failure,
            old="is_unauthorized and circuit.credentials_version > report.credentials_version",
            new="False",
            tests=(f"{TESTS}::test_rejection_of_the_old_key_that_comes_late_stops_nobody",),
        ),
        Mutant(
            breaks="an entered key wins although the configuration changed",
            at=credentials.credential_use,
            old="digest_configured(account, credential.setting) == credential.replaced",
            new="True",
            tests=(
                f"{TESTS}::test_key_survives_a_restart_until_the_configured_one_changes",
                f"{TESTS}::test_key_is_not_sent_to_another_address",
            ),
        ),
        Mutant(
            breaks="bytes of an ambiguous attempt are sent again with another key",
            at=prepare.prepare,
            old="credentials_changed_since(runtime.database, account.id, delivery.locked_since)",
            new="False",
            tests=(f"{TESTS}::test_order_whose_attempt_was_ambiguous_with_the_old_key_is_not_sent_with_the_new_one",),
        ),
        Mutant(
            breaks="a key that was moved to another account is used",
            at=token_cipher.TokenCipher._decrypt,
            old="encrypted_owner != owner or not isinstance(token, str)",
            new="not isinstance(token, str)",
            tests=(f"{TESTS}::test_row_that_was_moved_to_another_account_is_not_used",),
        ),
    ),
)

OF_CREDENTIALS = (CREDENTIALS_REPLACED,)
