"""Centelar: where an order is posted, and what a response means."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from mappings.advice import Clue, list_clues
from mappings.destination import Destination, Outcome
from mappings.destinations.centelar.account import CentelarAccount, CentelarAccountSchema
from mappings.destinations.centelar.advice import ADVICE
from mappings.destinations.centelar.payments import PAYMENT_TYPE_CHOICES
from mappings.destinations.centelar.request import CentelarOrderRequest
from mappings.destinations.centelar.sample import SAMPLE
from mappings.destinations.centelar.schema import CentelarOrderSchema
from mappings.destinations.centelar.setup import SETUP_PLAN
from mappings.labels import N_


class Centelar(Destination[CentelarAccount]):
    name = "centelar"
    order_schema = CentelarOrderSchema
    request_class = CentelarOrderRequest
    settings_schema = CentelarAccountSchema
    path = "/api/v1.1/order"
    order_id_path = "order_id"
    order_reference_setting = "ext_code"
    setup_plan = SETUP_PLAN
    sample = SAMPLE
    advice = ADVICE

    def find_clues(self, body: Any) -> list[Clue]:
        return list_clues(
            body,
            [
                ("ext_code", "ext_code"),
                (N_("First name"), "customer.first_name"),
                (N_("Last name"), "customer.last_name"),
                (N_("Total"), "price"),
            ],
        )

    def query_params(self, account: CentelarAccount) -> Mapping[str, str]:
        return {"connection_id": str(account.connection_id)}

    def required_details(self, account: CentelarAccount) -> Set[str]:
        return {"payments"}

    def field_choices(self, field: str, account: CentelarAccount) -> Sequence[str]:
        if field == "pickup_name":
            return list(account.pickups)
        return PAYMENT_TYPE_CHOICES if field.endswith(".gateway") else ()

    def classify_response(self, status: int, body: Any) -> Outcome | None:
        """Treat a 2xx with `success: false` as a refusal."""
        # Unverified: the page shows `"success": true` alone.
        is_refusal = 200 <= status < 300 and isinstance(body, Mapping) and body.get("success") is False
        return Outcome.REFUSED if is_refusal else None
