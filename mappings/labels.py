"""What merchants call the parts of the canonical order: the names of fields in problems and previews.

The English texts are the keys of the translations: gettext looks them up when a page is rendered.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

#: gettext of the caller: takes an English text, returns it in the reader's language.
Translate = Callable[[str], str]


def N_(text: str) -> str:  # noqa: N802  # gettext's name for a text that is marked here and translated where it is shown
    return text


class Sentence(str):
    """An English text that is made of a template and values, so that it can be rendered in another language.

    Args:
        template: a text that is marked with `N_`.
        values: by the names in the template. Those that are sentences are rendered, too.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Self:
        sentence = super().__new__(cls, template % values if values else template)
        sentence.template, sentence.values = template, values
        return sentence


def render_sentence(text: str, translate: Translate) -> str:
    """Return a text in the caller's language."""
    if not isinstance(text, Sentence):
        return translate(text)
    values = {
        name: render_sentence(value, translate) if isinstance(value, Sentence) else value
        for name, value in text.values.items()
    }
    return translate(text.template) % values if values else translate(text.template)


#: Key in a path -> label.
LABELS: Mapping[str, str] = {
    "address": N_("address"),
    "amount": N_("amount"),
    "barcode": N_("barcode"),
    "bill_to": N_("Billing address"),
    "branch": N_("branch"),
    "charges": N_("Charges"),
    "city": N_("city"),
    "code": N_("code"),
    "company": N_("company"),
    "country": N_("country"),
    "currency": N_("Currency"),
    "current_total": N_("Current total"),
    "customer": N_("Customer"),
    "district": N_("neighbourhood"),
    "document": N_("Tax document"),
    "document.kind": N_("kind of tax document"),
    "document.number": N_("tax document"),
    "email": N_("E-mail"),
    "first_name": N_("first name"),
    "gateway": N_("type of payment"),
    "full_name": N_("name"),
    "last_name": N_("last name"),
    "line1": N_("address"),
    "line2": N_("second address line"),
    "lines": N_("Products"),
    "name": N_("name"),
    "note": N_("Customer note"),
    "number": N_("street number"),
    "order_id": N_("Order id"),
    "order_number": N_("Order number"),
    "payments": N_("Payments"),
    "phone": N_("phone"),
    "pickup_id": N_("branch where the customer collects"),
    "placed_at": N_("Date of the order"),
    "postal_code": N_("postcode"),
    "products": N_("Products"),
    "quantity": N_("quantity"),
    "refunds": N_("Refunds"),
    "ship_to": N_("Shipping address"),
    "shipping": N_("Shipping"),
    "sku": N_("SKU"),
    "state": N_("state"),
    "street": N_("street"),
    "tax": N_("tax"),
    "total": N_("total"),
    "unit": N_("interior number"),
    "unit_and_reference": N_("interior number"),
    "unit_cents": N_("price"),
}
#: The label of an empty path: the order as a whole.
ORDER_LABEL = N_("The order")

#: Paths as whole phrases, since languages order their parts differently. Other paths are joined part by part.
PATH_PHRASES = (
    N_("Shipping address > %(field)s"),
    N_("Billing address > %(field)s"),
    N_("Charges > %(field)s"),
    N_("Charges > line %(number)s > %(field)s"),
    N_("Customer > %(field)s"),
    N_("Payments > %(field)s"),
    N_("Payments > line %(number)s > %(field)s"),
    N_("Products > %(field)s"),
    N_("Products > line %(number)s > %(field)s"),
    N_("Refunds > line %(number)s > %(field)s"),
    N_("Shipping > %(field)s"),
    N_("Shipping > line %(number)s > %(field)s"),
)
#: A line of a list as a whole.
LINE_PHRASES = (
    N_("line %(number)s"),
    N_("Charges > line %(number)s"),
    N_("Payments > line %(number)s"),
    N_("Products > line %(number)s"),
    N_("Refunds > line %(number)s"),
    N_("Shipping > line %(number)s"),
)

#: Words of ours in sentences: the terms of a sum, what a customer is searched by, outcomes of attempts, and states.
WORDS: Mapping[str, str] = {
    "tax document": N_("tax document"),
    "e-mail": N_("e-mail"),
    "country": N_("country"),
    "currency": N_("currency"),
    "state": N_("state"),
    "products": N_("products"),
    "shipping": N_("shipping"),
    "discount": N_("discount"),
    "duties": N_("duties"),
    "fee": N_("fee"),
    "rounding": N_("rounding"),
    "tip": N_("tip"),
    "delivered": N_("delivered"),
    "refused": N_("refused"),
    "not_processed": N_("not processed"),
    "unauthorized": N_("credentials rejected"),
    "token_expired": N_("token expired"),
    "ambiguous": N_("no clear response"),
    "conflict": N_("idempotency key already used"),
    "waiting": N_("waiting"),
    "sending": N_("sending"),
    "parked": N_("parked"),
    "discarded": N_("discarded"),
    "unmappable": N_("unmappable"),
    "uncertain": N_("uncertain"),
    "exhausted": N_("exhausted"),
    "cancelled": N_("cancelled"),
    "filtered": N_("filtered"),
    "by hand": N_("by hand"),
    "expired": N_("expired"),
}


def untranslated(text: str) -> str:
    """The English text itself: the default where a function takes a `Translate`."""
    return text


def render_path(path: Sequence[str | int], translate: Translate = untranslated) -> str:
    """Render a path: "Shipping address > phone" for `("ship_to", "phone")`.

    `("lines", 2, "sku")` gives "Products > line 2 > SKU". A key without a label stays as it is.
    """
    if not path:
        return translate(ORDER_LABEL)
    last = path[-1]
    line_numbers = [step for step in path if isinstance(step, int)]
    numbers = {f"number{index or ''}": number for index, number in enumerate(line_numbers)}
    names = iter(numbers)
    steps = [f"line %({next(names)})s" if isinstance(step, int) else escape(LABELS.get(step, step)) for step in path]
    if len(path) == 1:
        return translate(LABELS.get(last, last)) if isinstance(last, str) else translate(steps[0]) % numbers
    values: dict[str, str | int] = {**numbers}
    if isinstance(last, str):
        steps[-1], values["field"] = "%(field)s", translate(LABELS.get(last, last))
    phrase = " > ".join(steps)
    translation = translate(phrase)
    if translation != phrase:
        return translation % values
    return " > ".join(render_path((step,), translate) for step in path)


def escape(text: str) -> str:
    return text.replace("%", "%%")
