"""The problems that only LaPyme has."""

from mappings.labels import N_

#: Code -> English template.
TEMPLATES = {
    "lapyme_no_product": N_("%(where)s “%(value)s” has no product at LaPyme"),
    "lapyme_no_tax_rate": N_("%(where)s “%(value)s” has no tax rate at LaPyme"),
    "lapyme_no_delivery_method": N_("%(where)s > “%(value)s” has no delivery method at LaPyme"),
    "lapyme_no_warehouse": N_("Location “%(value)s” has no warehouse at LaPyme"),
    "lapyme_no_customer": N_("%(where)s “%(value)s” has no customer at LaPyme"),
    "lapyme_document_not_sent": N_("Tax document is not sent: LaPyme books the order on the account's customer."),
    "lapyme_company_not_sent": N_("Company is not sent: LaPyme books the order on the account's customer."),
    "lapyme_customer_not_searched": N_(
        "Customer: this is the account's; a delivery searches LaPyme for the order's customer."
    ),
    "lapyme_customer_not_found": N_(
        "Customer: LaPyme has none with this document or e-mail; the account's customer is used."
    ),
    "lapyme_other_tax": N_(
        "Tax: the storefront calculated %(storefront_tax)s, the account's rates give %(account_tax)s."
    ),
}
