"""What Centelar adds to the advice on an order's page."""

from mappings.advice import UNAUTHORIZED, Advice
from mappings.labels import N_

ADVICE = Advice(
    panel="Centelar",
    # Unverified: that Centelar shows local time.
    time_zone="America/Argentina/Buenos_Aires",
    time_zone_label=N_("Argentine time"),
    steps={
        "uncertain": (N_("Search Centelar's orders for the code in `ext_code` below, which identifies the order."),),
        "refused": (
            N_(
                "Check that Centelar has each product under the code that was sent, and that `connection_id` is the "
                "number of the shop's integration. Centelar does not document its errors: if the response does not "
                "help, send it to Centelar."
            ),
        ),
        UNAUTHORIZED: (
            N_(
                "Centelar does not document its credentials. Ask Centelar for valid ones: those of account "
                "%(account)s (`%(setting)s`) are not accepted."
            ),
        ),
    },
)
