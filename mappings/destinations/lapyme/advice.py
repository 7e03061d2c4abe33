"""What LaPyme adds to the advice on an order's page."""

from mappings.advice import UNAUTHORIZED, Advice
from mappings.labels import N_

ADVICE = Advice(
    panel="LaPyme",
    # Unverified: that LaPyme shows local time.
    time_zone="America/Argentina/Buenos_Aires",
    time_zone_label=N_("Argentine time"),
    steps={
        "uncertain": (
            N_("Search LaPyme's orders for the text of the notes below, which names the order."),
            N_(
                "Send again repeats the same content with the same idempotency key: if LaPyme has the order, it "
                "returns its ID instead of creating another one."
            ),
        ),
        "refused": (
            N_(
                "The response's `details` name the field. The customer and the warehouse of the account must exist "
                "in LaPyme, and so must the products and tax rates of its tables."
            ),
        ),
        # Its OpenAPI, read 2026-11-21.
        UNAUTHORIZED: (
            N_(
                "Create an API key in LaPyme with the scope sales:write: the key of account %(account)s "
                "(`%(setting)s`) is not accepted."
            ),
        ),
    },
)
