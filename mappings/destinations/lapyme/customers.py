"""LaPyme's customers: how one is found by tax document or e-mail, and how one is created.

Sources: https://docs.lapyme.com.ar/api-reference/api, listar-clientes and crear-cliente, and the SDK that is generated
from their OpenAPI: github.com/LaPyme/lapyme-ts, docs/sdks/customers/README.md, src/models/api-customer-list-response.ts
and api-customer-mutation-request.ts. Read 2026-11-22.
"""

import re
from collections.abc import Mapping
from typing import Any

from mappings.customer_lookup import CustomerApi, CustomerPage, CustomerQuery
from mappings.destination import Outcome
from mappings.destinations.lapyme.account import UUID_PATTERN, LapymeAccount
from mappings.destinations.lapyme.responses import classify_conflict
from mappings.order import Order
from mappings.payload_paths import get_path
from mappings.person_names import buyer_name
from mappings.tax_ids import TaxId, parse_tax_id
from mappings.text import match_key

#: `tax_id_type` by `TaxId.kind`.
TAX_ID_TYPES = {"cuit": "CUIL/CUIT", "dni": "DNI"}


def normalized_document(order: Order) -> str | None:
    """Return the number of the tax document; the text as written if it is not one."""
    document = parse_tax_id(order.document) if order.document else None
    return document.number if document else order.document


class LapymeCustomerApi(CustomerApi[LapymeAccount]):
    path = "/api/v1/customers"

    def queries_for(self, order: Order, account: LapymeAccount) -> list[CustomerQuery]:
        """Return the document, then the e-mail; nothing if a row names the customer or `customers` is “default”."""
        if account.customers == "default" or account.customer_id_by_document.find(normalized_document(order)):
            return []
        queries = []
        if document := tax_id_of(order):
            number = document.number
            # Unverified: whether LaPyme stores a CUIT with its dashes, and finds it by the digits alone.
            dashed = (f"{number[:2]}-{number[2:10]}-{number[10]}",) if document.kind == "cuit" else ()
            queries.append(CustomerQuery(label="tax document", value=number, search_terms=(number, *dashed)))
        if email := email_of(order):
            queries.append(CustomerQuery(label="e-mail", value=email.casefold(), search_terms=(email,)))
        return queries

    def may_create(self, account: LapymeAccount) -> bool:
        return account.customers == "find_or_create"

    def search_params(self, term: str, cursor: str | None) -> dict[str, str]:
        return {"query": term, "limit": "100", **({"cursor": cursor} if cursor else {})}

    def parse_page(self, response: Any, query: CustomerQuery, order: Order) -> CustomerPage | None:
        """Return exact matches only: the search also finds names and parts of numbers."""
        customers = response.get("data") if isinstance(response, Mapping) else None
        if not isinstance(customers, list) or not all(isinstance(customer, Mapping) for customer in customers):
            return None
        document = tax_id_of(order)
        ids = [
            customer.get("id")
            for customer in customers
            if matches_query(customer, query, document.number if document else None)
        ]
        cursor = response.get("next_cursor") if response.get("has_more") is True else None
        return CustomerPage(
            ids=[id_ for id_ in ids if is_uuid(id_)], cursor=cursor if isinstance(cursor, str) else None
        )

    def build_request(self, order: Order) -> dict[str, Any] | None:
        company = order.bill_to.company if order.bill_to else None
        document = tax_id_of(order)
        is_company = document is not None and document.is_company is True
        name = (company if is_company else None) or " ".join(part for part in buyer_name(order) if part)
        if not name:
            return None
        values = {
            "name": name,
            "company_name": company if is_company else None,
            "email": email_of(order),
            "phone": order.phone_to_call,
            "tax_id": document.number if document else None,
            "tax_id_type": TAX_ID_TYPES[document.kind] if document else None,
        }
        return {key: value for key, value in values.items() if value is not None}

    def created_id(self, response: Any) -> str | None:
        customer_id = get_path(response, "data.customer.id")
        return customer_id if is_uuid(customer_id) else None

    def is_duplicate(self, status: int, body: Any) -> bool:
        return status == 409  # its document exists, or its key was used

    def is_in_progress(self, status: int, body: Any) -> bool:
        return status == 409 and classify_conflict(body) in (Outcome.CONFLICT, Outcome.AMBIGUOUS)


def tax_id_of(order: Order) -> TaxId | None:
    document = parse_tax_id(order.document) if order.document else None
    return document if document and document.kind in TAX_ID_TYPES else None


def email_of(order: Order) -> str | None:
    email = order.email or (order.customer.email if order.customer else None)
    return email if email and "@" in email else None


def matches_query(customer: Mapping[str, Any], query: CustomerQuery, document: str | None) -> bool:
    """Return whether a search result is the customer.

    An e-mail counts only where the tax documents do not contradict it: people share addresses.
    """
    tax_id = match_key(str(customer.get("tax_id") or ""))
    if query.label == "tax document":
        return tax_id == query.value
    has_other_tax_id = bool(tax_id and document and tax_id != document)
    return str(customer.get("email") or "").casefold() == query.value and not has_other_tax_id


def is_uuid(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(UUID_PATTERN, value) is not None
