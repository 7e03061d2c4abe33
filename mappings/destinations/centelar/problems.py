"""The problems that only Centelar has."""

from mappings.labels import N_

#: Code -> English template.
TEMPLATES = {
    "centelar_no_billing_address": N_("%(where)s is missing: the storefront gives no address with a street."),
    "centelar_billing_without_street": N_("Billing address has no street: the shipping address is sent instead."),
    "centelar_pickup_address_not_sent": N_("Shipping address is not sent: the customer collects the order."),
    "centelar_no_branch": N_("%(where)s “%(value)s” is unknown to Centelar"),
    "centelar_no_product_code": N_("%(where)s “%(value)s” has no code at Centelar"),
    "centelar_no_location": N_("Location “%(value)s” is unknown to Centelar"),
    "centelar_negative_payment": N_("%(where)s > “%(gateway)s” of %(amount)s is negative."),
    "centelar_no_payment_type": N_("%(where)s > “%(gateway)s” has no type (%(types)s)"),
    "centelar_free_order": N_("Payments are missing: the order is free. The account's `free_orders` can be “send”."),
    "centelar_payments_unknown": N_(
        "Payments are missing: the storefront does not say how much was paid in which way."
    ),
    "centelar_unpaid": N_("Payments are missing: the order is not paid."),
    "centelar_document_not_sent": N_("Tax document “%(value)s” is not sent: it is neither a CUIT nor a DNI."),
    "centelar_wrong_cuit_check_digit": N_(
        "Tax document: the check digit of CUIT %(number)s is wrong; it is sent as it is."
    ),
    "centelar_company_not_sent": N_("Company is not sent: Centelar has no field for its name."),
}
