"""LaPyme."""

from mappings.contracts import load_contract
from mappings.destination import Destination
from mappings.destinations.lapyme.account import LapymeAccountSchema
from mappings.destinations.lapyme.customers import CUSTOMER_API
from mappings.destinations.lapyme.request import LapymeOrderRequest
from mappings.destinations.lapyme.responses import classify_response
from mappings.destinations.lapyme.schema import LapymeOrderSchema

DESTINATION = Destination(
    name="lapyme",
    schema_class=LapymeOrderSchema,
    contract=load_contract("lapyme"),
    path="/api/v1/orders",
    order_id_path="data.order.id",
    settings_schema_class=LapymeAccountSchema,
    sample_settings={
        "api_key": "clave",
        "customer_id": "5b0c7a1e-52d3-4f6a-9e0b-6d1f0c2a3b4c",
        "assigned_warehouse_id": "7a1f0c52-93be-4b6f-8c2d-0e5f6a7b8c9d",
        "charges": {"tip": "PROPINA", "fee": "RECARGO"},
    },
    request_class=LapymeOrderRequest,
    bearer=lambda account: account.api_key,
    idempotency_header="Idempotency-Key",
    probe_path="/api/v1/warehouses",  # its OpenAPI, read 2026-11-21; needs the scope warehouses:read
    classify_response=classify_response,
    customer_api=CUSTOMER_API,
)
