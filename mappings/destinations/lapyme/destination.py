"""LaPyme: where an order is posted, and what a response means."""

from typing import Any

from mappings.advice import Clue, list_clues
from mappings.destination import Destination, Outcome
from mappings.destinations.lapyme.account import LapymeAccount, LapymeAccountSchema
from mappings.destinations.lapyme.advice import ADVICE
from mappings.destinations.lapyme.customers import LapymeCustomerApi
from mappings.destinations.lapyme.request import LapymeOrderRequest
from mappings.destinations.lapyme.responses import classify_conflict
from mappings.destinations.lapyme.sample import SAMPLE
from mappings.destinations.lapyme.schema import LapymeOrderSchema
from mappings.destinations.lapyme.setup import SETUP_PLAN
from mappings.labels import N_
from mappings.money.invoice_lines import format_cents


class Lapyme(Destination[LapymeAccount]):
    name = "lapyme"
    order_schema = LapymeOrderSchema
    request_class = LapymeOrderRequest
    settings_schema = LapymeAccountSchema
    path = "/api/v1/orders"
    order_id_path = "data.order.id"
    idempotency_header = "Idempotency-Key"
    probe_path = "/api/v1/warehouses"  # its OpenAPI, read 2026-11-21; needs the scope warehouses:read
    probe_checks_credentials = True
    customer_api = LapymeCustomerApi()
    setup_plan = SETUP_PLAN
    sample = SAMPLE
    advice = ADVICE

    def find_clues(self, body: Any) -> list[Clue]:
        notes = list_clues(body, [(N_("Notes"), "notes")])
        return [*notes, Clue(label=N_("Total"), value=format_cents(body["totals"]["total"]))]

    def classify_response(self, status: int, body: Any) -> Outcome | None:
        return classify_conflict(body) if status == 409 else None
