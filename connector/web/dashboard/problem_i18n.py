"""Problems in the browser's language. They are kept in English, as `where > label, what is wrong, what would be right`.

A sentence that is not known here is shown as it is kept: half of a translation would say something else.
"""

import re

from flask_babel import get_locale
from flask_babel import gettext as _

from mappings.labels import LABELS

#: Parts of an address for which a store may say where its customers write them.
ADDRESS_PARTS = ("neighbourhood", "street number", "interior number", "address")


def n_(text: str) -> str:
    """Mark a text for the catalogue of translations, which is looked up when it is shown."""
    return text


#: `mappings.order.LABELS` and what stands beside them.
LABEL_MESSAGES = {
    one: one
    for one in (
        *(n_("amount"), n_("Billing address"), n_("barcode"), n_("Charges"), n_("city"), n_("code"), n_("country")),
        *(n_("Currency"), n_("Current total"), n_("Customer"), n_("neighbourhood"), n_("Tax document"), n_("E-mail")),
        *(n_("first name"), n_("name"), n_("last name"), n_("address"), n_("second address line"), n_("Products")),
        *(n_("Customer note"), n_("street number"), n_("Order id"), n_("Order number"), n_("Payments"), n_("phone")),
        *(n_("Date of the order"), n_("postcode"), n_("quantity"), n_("Shipping address"), n_("Shipping"), n_("SKU")),
        *(n_("state"), n_("street"), n_("tax"), n_("total"), n_("interior number"), n_("price"), n_("company")),
    )
}
LINE_LABEL = (re.compile(r"line (?P<number>\d+)"), n_("line %(number)s"))
#: What follows a label.
PROBLEM_PATTERNS = [
    (re.compile(pattern), said)
    for pattern, said in (
        (r"(?P<what>.+) is missing\.", n_("%(what)s is missing.")),
        (r"(?P<what>.+) has (?P<count>\d+) digits; (?P<right>\d+) are needed\.",
         n_("%(what)s has %(count)s digits; %(right)s are needed.")),
        (r"(?P<what>.+) is not a number of (?P<country>\w+)\.", n_("%(what)s is not a number of %(country)s.")),
        (r"(?P<what>.+) “(?P<code>.*)” is not a postcode of (?P<country>\w+)\.",
         n_("%(what)s “%(code)s” is not a postcode of %(country)s.")),
        (r"(?P<what>.+) “(?P<word>.*)” is not served; only (?P<only>.+)\.",
         n_("%(what)s “%(word)s” is not served; only %(only)s.")),
        (r"(?P<what>.+) is not an amount of money\.", n_("%(what)s is not an amount of money.")),
        (r"(?P<what>.+) is not text\.", n_("%(what)s is not text.")),
        (r"(?P<what>.+) is not sent: (?P<where>\w+) has no field for it\.",
         n_("%(what)s is not sent: %(where)s has no field for it.")),
        (r"(?P<what>.+) has no SKU: name one in the account's `charges`\.",
         n_("%(what)s has no SKU: name one in the account's `charges`.")),
    )
]  # fmt: skip
#: Whole sentences: why an order or a webhook is left aside, and what alerts say.
SENTENCES = {
    one: one
    for one in (
        n_("The order is a test."),
        n_("The order is a draft."),
        n_("The order is cancelled."),
        n_("This is a test notification."),
        n_("no route takes its topic"),
        n_("it speaks of no order"),
        n_("the order was cancelled before: a person decides"),
        n_("the store says that it is cancelled"),
        n_("its newest version is not paid"),
        n_("Payments are missing: the order is not paid."),
        n_("The order was cancelled, and a newer version of it is not: a person decides."),
        n_("The order was cancelled at the store after it had been sent: act at the destination."),
        n_("The order was cancelled at the store, and may have reached the destination: look there."),
        n_("the connection ended without a whole answer (RemoteProtocolError)"),
    )
}


def is_about_address(problem: str) -> bool:
    path, _colon, _rest = problem.partition(" is missing")
    return problem.startswith(LABELS["ship_to"]) and path.endswith(ADDRESS_PARTS)


def translate_problem(problem: str) -> str:
    """A problem, a reason or an alert in the browser's language; as it is kept where it is not known."""
    if str(get_locale()) == "en":
        return problem
    if problem in SENTENCES:
        return str(_(problem))
    *path, statement = problem.split(" > ")
    for pattern, message in PROBLEM_PATTERNS:
        if matched := pattern.fullmatch(statement):
            values = matched.groupdict()
            values["what"] = translate_label(values["what"])
            translated = " > ".join([*map(translate_label, path), _(message, **values)])
            return translated[:1].upper() + translated[1:]
    return problem


def translate_label(label: str) -> str:
    if matched := LINE_LABEL[0].fullmatch(label):
        return str(_(LINE_LABEL[1], **matched.groupdict()))
    lower = label[:1].lower() + label[1:]
    return str(_(label if label in LABEL_MESSAGES else lower if lower in LABEL_MESSAGES else label))
