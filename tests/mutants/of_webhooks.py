"""Mutants of the guarantees about the webhooks that the connector makes and repairs at the stores."""

from connector.operations import webhooks
from mappings import webhook_api
from tests.mutants.mutant import Invariant, Mutant

TESTS = "tests/operations/test_webhooks.py"

WEBHOOKS_BY_API = Invariant(
    number=17,
    promise="Webhooks are repaired without a gap, only while they would arrive, and no other tool's is changed.",
    mutants=(
        Mutant(
            breaks="another tool's webhook counts as one that points to an old host",
            at=webhook_api.compare_webhooks,
            old="webhook not in here and path_of(webhook.url).endswith(store_path)",
            new="webhook not in here",
            tests=(f"{TESTS}::test_strangers_are_named_and_never_touched",),
        ),
        Mutant(
            breaks="`remove` deletes every webhook of the store",
            at=webhook_api.plan_removal,
            old="if is_same_url(webhook.url, url)",
            new="if url",
            tests=(f"{TESTS}::test_strangers_are_named_and_never_touched",),
        ),
        Mutant(
            breaks="the webhook of another store, whose name begins alike, is taken",
            at=webhook_api.compare_webhooks,
            old="path_of(webhook.url).endswith(store_path)",
            new="store_path in path_of(webhook.url)",
            tests=(f"{TESTS}::test_strangers_are_named_and_never_touched",),
        ),
        Mutant(
            breaks="a disabled webhook is deleted before the new one is made",
            at=webhooks.StoreWebhookClient._requests,
            old="""\
        if change.kind in (ChangeKind.CREATE, ChangeKind.REPLACE):
            yield self.webhook_api.create_request(self.store, change.topic, self.url), False
        if webhook is not None and change.kind is ChangeKind.UPDATE:
            yield self.webhook_api.update_request(self.store, webhook, self.url), False
        if webhook is not None and change.kind in (ChangeKind.REPLACE, ChangeKind.DELETE):
            yield self.webhook_api.delete_request(self.store, webhook), True""",
            new="""\
        if webhook is not None and change.kind in (ChangeKind.REPLACE, ChangeKind.DELETE):
            yield self.webhook_api.delete_request(self.store, webhook), True
        if change.kind in (ChangeKind.CREATE, ChangeKind.REPLACE):
            yield self.webhook_api.create_request(self.store, change.topic, self.url), False
        if webhook is not None and change.kind is ChangeKind.UPDATE:
            yield self.webhook_api.update_request(self.store, webhook, self.url), False""",
            tests=(f"{TESTS}::test_disabled_webhook_is_made_anew_before_the_old_one_is_deleted",),
        ),
        Mutant(
            breaks="a disabled WooCommerce webhook is only made active",
            at=webhook_api.plan_sync,
            old="kind = ChangeKind.REPLACE if api.must_replace_disabled and not is_active else ChangeKind.UPDATE",
            new="kind = ChangeKind.UPDATE",
            tests=(f"{TESTS}::test_disabled_webhook_is_made_anew_before_the_old_one_is_deleted",),
        ),
        Mutant(
            breaks="a worker makes webhooks although their address does not answer",
            at=webhooks.StoreWebhookClient._apply,
            old="(check.is_answered or not is_requested)",
            new="check.is_answered",
            tests=(f"{TESTS}::test_worker_changes_nothing_while_the_address_does_not_answer",),
        ),
        Mutant(
            breaks="an address that redirects counts as one that answers",
            at=webhooks.check_address,
            old="result.status != 200 or result.error is not None",
            new="result.status is None or result.status >= 400 or result.error is not None",
            tests=(f"{TESTS}::test_address_where_something_else_answers_is_refused",),
        ),
        Mutant(
            breaks="what answers need not be the connector",
            at=webhooks.check_address,
            old='None if is_connector else build_message("not_the_connector")',
            new="None",
            tests=(f"{TESTS}::test_address_where_something_else_answers_is_refused",),
        ),
        Mutant(
            breaks="the worker moves the webhooks of another connector that lives",
            at=webhooks.StoreWebhookClient.repair,
            old="if not self._is_of_other_connector(change)",
            new="if change",
            tests=(f"{TESTS}::test_webhook_of_another_living_connector_is_left_to_it",),
        ),
        Mutant(
            breaks="the worker makes webhooks that a person removed",
            at=webhooks.remove_webhooks,
            old="set_webhooks_managed(runtime.database, store.id, is_managed=False)",
            new="pass",
            tests=(f"{TESTS}::test_repair_makes_missing_webhooks_only_after_a_sync",),
        ),
        Mutant(
            breaks="the worker makes no webhook anew that the storefront removed",
            at=webhook_api.plan_repair,
            old="({WebhookState.MISSING} if is_managed else set())",
            new="set()",
            tests=(f"{TESTS}::test_repair_makes_missing_webhooks_only_after_a_sync",),
        ),
    ),
)

OF_WEBHOOKS = (WEBHOOKS_BY_API,)
