"""An invented account at LaPyme."""

from mappings.samples import SampleAccount

SAMPLE = SampleAccount(
    country="AR",
    settings={
        "api_key": "clave",
        "customer_id": "5b0c7a1e-52d3-4f6a-9e0b-6d1f0c2a3b4c",
        "assigned_warehouse_id": "7a1f0c52-93be-4b6f-8c2d-0e5f6a7b8c9d",
        "charges": {"tip": "PROPINA", "fee": "RECARGO"},
    },
)
