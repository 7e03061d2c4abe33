"""Mutants of the guarantees about content: bodies, messages, logs and authentication."""

from connector.core import outcomes, signatures
from connector.database import attempts, deliveries, events, postgresql, sqlite
from connector.database.sql import statements
from connector.delivery import deliver, recording
from connector.ingestion import receive, verification
from connector.operations import probe
from connector.settings import loader
from connector.worker import worker
from mappings import contracts, destination, fields, phones, problems, settings, text
from mappings.addresses import postcodes
from mappings.destinations import rayo
from mappings.destinations.centelar import request as centelar_request
from mappings.destinations.lapyme import request as lapyme_request
from mappings.money import allocation
from mappings.storefronts.woocommerce import money as woocommerce_money
from tests.mutants.mutant import Invariant, Mutant

NOT_INVENTED = Invariant(
    number=6,
    promise="What the order does not hold is a named problem; what cannot be said is listed.",
    mutants=(
        Mutant(
            breaks="an address without a number is sent as “S/N”",
            at=rayo.RayoAccount,
            old='    no_exterior_missing: str = "problem"',
            new='    no_exterior_missing: str = "S/N"',
            tests=("tests/mappings/destinations/test_rayo.py::test_problem_uses_the_merchant_field_name",),
        ),
        Mutant(
            breaks="a currency that LaPyme does not know goes as pesos",
            at=lapyme_request.LapymeOrderRequest.currency,
            old="return self.account.currencies.get(self.order.currency)",
            new='return self.account.currencies.get(self.order.currency, "PES")',
            tests=("tests/mappings/destinations/test_lapyme.py::test_unmapped_currency_is_a_problem",),
        ),
        Mutant(
            breaks="a gateway that nobody knows goes as a credit card",
            at=centelar_request.CentelarOrderRequest.find_payment_type,
            old="return next((type_ for type_ in types if type_), None)",
            new='return next((type_ for type_ in types if type_), "creditcard")',
            tests=("tests/mappings/destinations/test_centelar.py::test_gateway_without_a_row_is_a_problem_naming_it",),
        ),
        Mutant(
            breaks="digits are cut off a telephone number until it fits",
            at=phones,
            old="    return digits\n\n\ndef is_possible",
            new="    return digits[:wanted]\n\n\ndef is_possible",
            tests=("tests/mappings/test_phones.py::test_other_numbers_are_problems_and_never_truncated",),
        ),
        Mutant(
            breaks="what a wallet paid is a discount",
            at=woocommerce_money.find_payment_key,
            old="if isinstance(key, str) and PAYMENT_FEE_KEY.search(key):",
            new="if False:",
            tests=(
                "tests/mappings/money/test_money_rules.py"
                "::test_what_a_wallet_paid_is_a_payment_and_the_sale_stays_whole",
            ),
        ),
        Mutant(
            breaks="a refund that names no product is subtracted without a word",
            at=woocommerce_money.subtract_refund_of_no_line,
            old="replace(reduced, unallocated_refund=amount, tax=tax)",
            new="replace(reduced, tax=tax)",
            tests=(
                "tests/mappings/storefronts/test_woocommerce_refunds.py"
                "::test_refund_of_no_product_is_subtracted_from_all_in_proportion",
            ),
        ),
        Mutant(
            breaks="a key that the store's API rejects passes for good",
            at=probe.probe_store,
            old="elif is_proof and status in (401, 403):",
            new="elif False:",
            tests=("tests/operations/test_doctor.py::test_key_that_may_not_read_orders_is_a_fault_that_names_it",),
        ),
        Mutant(
            breaks="amounts are rounded before their sums are compared",
            at=allocation.round_amounts,
            old="charges=[*rounded.charges, *nonzero_charges(rounding=rounding)]",
            new="charges=rounded.charges",
            tests=("tests/mappings/money/test_money_rules.py::test_documented_order_of_three_decimals",),
        ),
        Mutant(
            breaks="a SKU is sent with its blanks folded",
            at=fields.Identifier._deserialize,
            old="is_escaped=self.is_escaped, is_verbatim=True)",
            new="is_escaped=self.is_escaped)",
            tests=("tests/mappings/test_integrations.py::test_sku_is_only_trimmed",),
        ),
        Mutant(
            breaks="characters that nobody sees travel with the text",
            at=text.clean_text,
            old='        value = remove_unseen(value, except_for=WORD_JOINER if keeps_word_joiner else "")\n',
            new="",
            tests=("tests/mappings/test_integrations.py::test_unseen_characters_count_as_nothing_in_every_field",),
        ),
        Mutant(
            breaks="a postcode of four digits gets a zero whatever state it is of",
            at=postcodes.complete_postal_code,
            old='\n        and is_of_state("0" + compact, country, state)\n',
            new="\n",
            tests=("tests/mappings/addresses/test_regions.py::test_postcode_is_normalized_and_never_invented",),
        ),
        Mutant(
            breaks="the customer's note is dropped without a word",
            at=rayo.RayoOrderRequest.warnings,
            old='            yield Problem(code="not_sent", path=("note",), params={"vendor": "Rayo"})',
            new="            return",
            tests=("tests/mappings/destinations/test_rayo.py::test_data_rayo_cannot_receive_is_a_warning",),
        ),
        Mutant(
            breaks="what could not be said is not kept with the delivery",
            at=statements,
            old="    warnings = :warnings,\n",
            new="",
            tests=("tests/e2e/test_order_flow.py::test_data_the_destination_cannot_receive_is_a_warning[sqlite]",),
        ),
    ),
)

NO_ORDER = "tests/ingestion/test_receive.py::test_event_without_a_paid_order_is_recorded_and_ignored"

ACCOUNTED_FOR = Invariant(
    number=7,
    promise="Every event is ignored with a reason or has a delivery for every account; every delivery says its state.",
    mutants=(
        Mutant(
            breaks="only the first of a route's accounts gets the order",
            at=loader.Settings.accounts_for,
            old="for route in routes for account in route.accounts}",
            new="for route in routes for account in route.accounts[:1]}",
            tests=("tests/ingestion/test_receive.py::test_order_has_a_delivery_per_routed_account[sqlite]",),
        ),
        Mutant(
            breaks="only the first of a store's routes counts",
            at=loader.Settings.accounts_for,
            old="for route in self.routes_of(store_id) if route.accepts",
            new="for route in self.routes_of(store_id)[:1] if route.accepts",
            tests=("tests/ingestion/test_receive.py::test_order_has_a_delivery_per_routed_account[sqlite]",),
        ),
        Mutant(
            breaks="what is no order is ignored without a reason",
            at=events.insert_events,
            old='"reason": None if webhook.is_accepted else webhook.ignore_reason.to_json(),',
            new='"reason": None,',
            tests=(NO_ORDER,),
        ),
        Mutant(
            breaks="an order that no route takes is told as accepted",
            at=events.apply_event,
            old='    batch.change_event(event, status="ignored", reason=reason.to_json())\n',
            new="",
            tests=(NO_ORDER,),
        ),
        Mutant(
            breaks="what cannot be mapped is parked without its problems",
            at=deliveries.park_unmappable,
            old='values = {"problems": dump_problems(problems), "missing',
            new='values = {"missing',
            tests=("tests/delivery/test_order_versions.py::test_unmappable_order_is_parked_with_its_problems[sqlite]",),
        ),
        Mutant(
            breaks="a cancellation that came during an attempt is forgotten",
            at=attempts.record_all_sent,
            old="        elif result.decision.state != State.DELIVERED:\n",
            new="        elif False:\n",
            tests=("tests/database/test_claims.py::test_cancellation_while_sending_alerts_and_prevents_retries",),
        ),
        Mutant(
            breaks="what a dead process was sending stays so for ever",
            at=worker.Worker.recover,
            old="""in recover_interrupted(
            database, destinations_with_idempotency=self.runtime.destinations_with_idempotency
        ):""",
            new="in []:",
            tests=("tests/database/test_claims.py::test_claims_of_a_dead_process_are_recovered_immediately[sqlite]",),
        ),
    ),
)

CONTRACT_HOLDS = Invariant(
    number=8,
    promise="A body that breaks the destination's contract never leaves; a reply that does is no success.",
    mutants=(
        Mutant(
            breaks="a body is not judged by the contract",
            at=destination.Destination.build_request,
            old="if errors := self.contract.validate_request(body):",
            new="if errors := []:",
            tests=("tests/mappings/test_contracts.py::test_body_that_violates_only_the_contract_is_refused",),
        ),
        Mutant(
            breaks="what a body's own schema finds wrong is passed over",
            at=destination.Destination.build_request,
            old="*order_request.problems(), *problems]",
            new="*order_request.problems()]",
            tests=("tests/mappings/destinations/test_rayo.py::test_problem_uses_the_merchant_field_name",),
        ),
        Mutant(
            breaks="a reply is not judged by the contract",
            at=destination.Destination.parse_order_id,
            old="        if self.contract.validate_response(response):\n            return None\n",
            new="",
            tests=("tests/mappings/test_contracts.py::test_rayo_reference_is_a_uuid",),
        ),
        Mutant(
            breaks="a 2xx without an id is success",
            at=outcomes.classify,
            old="return (Outcome.DELIVERED, remote_id) if is_id else (Outcome.AMBIGUOUS, None)",
            new="return Outcome.DELIVERED, remote_id",
            tests=("tests/delivery/test_outcomes.py::test_rayo_response_without_a_uuid_is_no_success",),
        ),
    ),
)

LOOKS_LIKE_A_PING = "tests/ingestion/test_receive.py::test_payload_resembling_a_ping_needs_a_signature"

# Not among these: a comparison that takes longer the more is right. No test can see time.
SIGNED = Invariant(
    number=9,
    promise="Signatures are checked over the raw bytes before parsing; a store without a secret does not start.",
    mutants=(
        Mutant(
            breaks="every webhook counts as signed",
            at=verification.require_signature,
            old="if not is_signed_by_any(storefront.signature, secrets, body, headers):",
            new="if False:",
            tests=("tests/ingestion/test_receive.py::test_unauthenticated_webhook_is_refused_and_not_recorded",),
        ),
        Mutant(
            breaks="the signature is checked over JSON that was parsed and written again",
            at=verification.require_signature,
            old="is_signed_by_any(storefront.signature, secrets, body, headers):",
            new="is_signed_by_any(storefront.signature, secrets, json.dumps(json.loads(body)).encode(), headers):",
            tests=("tests/ingestion/test_receive.py::test_signature_covers_the_raw_body[sqlite]",),
        ),
        Mutant(
            breaks="the body is parsed before its signature is checked",
            at=verification.require_signature,
            old="    secrets = [storefront.signing_key(secret)",
            new="    parse_json_object(body)\n    secrets = [storefront.signing_key(secret)",
            tests=(LOOKS_LIKE_A_PING,),
        ),
        Mutant(
            breaks="a webhook without a signature passes",
            at=signatures.is_signed_by_any,
            old="    return any(\n        hmac",
            new="    return not received or any(\n        hmac",
            tests=("tests/core/test_signatures.py::test_webhook_without_a_signature_is_refused",),
        ),
        Mutant(
            breaks="a store without secrets starts",
            at=settings.StoreSchema,
            old=', required=True, validate=Length(min=1, error="needs at least one secret.")',
            new="",
            tests=("tests/settings/test_loader.py::test_all_errors_are_reported_together",),
        ),
        Mutant(
            breaks="another shop's webhook passes, since one app's secret signs for all",
            at=receive.receive_webhook,
            old="if not storefront.belongs_to_store(headers, payload, store):",
            new="if False:",
            tests=(
                "tests/delivery/test_thin_webhooks.py::test_webhook_of_another_shop_is_refused_despite_a_valid_signature[sqlite]",
                "tests/ingestion/test_receive.py::test_body_of_another_shop_is_refused_though_its_header_names_this_one[sqlite]",
            ),
        ),
    ),
)

NO_LOG = "tests/e2e/test_privacy.py::test_logs_contain_no_secrets_or_personal_data[sqlite]"

NO_DISCLOSURE = Invariant(
    number=10,
    promise="Secrets and personal data reach no log line, no exception's text and no URL.",
    mutants=(
        Mutant(
            breaks="the destination's reply is logged",
            at=recording.log_attempt,
            old="        status=attempt.status,",
            new="        status=attempt.status,\n        reply=attempt.reply,\n        sent=delivery.body,",
            tests=(NO_LOG,),
        ),
        Mutant(
            breaks="an order's problems, which quote it, are logged",
            at=recording.record_not_ready,
            old="problems=len(problems))",
            new="problems=problems)",
            tests=(NO_LOG,),
        ),
        Mutant(
            breaks="the exception of an order that cannot be mapped quotes it",
            at=problems.MappingError.__init__,
            old="super().__init__(f\"The order has {len(problems)} problem{'' if len(problems) == 1 else 's'}.\")",
            new='super().__init__("; ".join(map(render_problem, problems)))',
            tests=("tests/mappings/test_schema.py::test_mapping_error_text_contains_no_order_data",),
        ),
        Mutant(
            breaks="SQLite's errors quote the row",
            at=sqlite.create_sqlite_engine,
            old="hide_parameters=True",
            new="hide_parameters=False",
            tests=("tests/e2e/test_privacy.py::test_database_errors_contain_no_parameters[sqlite]",),
        ),
        Mutant(
            breaks="PostgreSQL's errors quote the row",
            at=postgresql.create_postgresql_engine,
            old="hide_parameters=True",
            new="hide_parameters=False",
            tests=("tests/e2e/test_privacy.py::test_database_errors_contain_no_parameters[postgresql]",),
        ),
        Mutant(
            breaks="a fault of a contract quotes the value",
            at=contracts.ContractValidator.describe_error,
            old='return "has a key that is not documented"',
            new="return fault.message",
            tests=("tests/mappings/test_contracts.py::test_error_names_path_and_rule_but_not_the_value",),
        ),
        Mutant(
            breaks="settings show their secrets when they are printed",
            at=settings.Store,
            old="    secrets: list[str] = field(default_factory=list, repr=False)",
            new="    secrets: list[str] = field(default_factory=list)",
            tests=("tests/e2e/test_privacy.py::test_settings_repr_contains_no_secrets[sqlite]",),
        ),
        Mutant(
            breaks="the token goes into the address",
            at=deliver.send,
            old="query=destination.query_params(account),",
            new='query={**destination.query_params(account), "token": sending.bearer or ""},',
            tests=("tests/e2e/test_privacy.py::test_request_urls_contain_no_secrets_or_personal_data[sqlite]",),
        ),
    ),
)

OF_WORDS = (NOT_INVENTED, ACCOUNTED_FOR, CONTRACT_HOLDS, SIGNED, NO_DISCLOSURE)
