"""An invented account at Centelar."""

from mappings.samples import SampleAccount

SAMPLE = SampleAccount(
    country="AR",
    settings={
        "connection_id": 123,
        "charges": {"tip": "PROPINA", "fee": "RECARGO"},
        "payment_types": {"bacs": "promissory", "offline": "promissory"},
    },
)
