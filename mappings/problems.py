"""What is wrong with an order, as a value: stored as JSON, rendered in the reader's language, grouped by cause."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Any, Self, TypeAlias

from marshmallow import ValidationError

from mappings.addresses.ambiguity import render_readings, render_reason
from mappings.correctable_fields import render_field
from mappings.labels import N_, WORDS, Translate, render_path, untranslated

#: A table of texts is a param that `PARAM_RENDERERS` makes a phrase of.
TextTable = Sequence[tuple[str, ...]]
ParamValue: TypeAlias = "str | int | TextTable | Problem | None"
#: Fields of the canonical order and their values.
FieldValues = tuple[tuple[str, str], ...]

#: Code -> English template. `%(where)s` is the rendered path, the other names are the problem's params.
TEMPLATES: dict[str, str] = {
    "missing": N_("%(where)s is missing."),
    "missing_plural": N_("%(where)s are missing."),
    "nothing_charged": N_("%(where)s are missing: nothing was charged."),
    "not_an_object": N_("%(where)s is not an object."),
    "not_an_integer": N_("%(where)s is not a whole number."),
    "not_a_number": N_("%(where)s is not a number."),
    "not_a_list": N_("%(where)s is not a list."),
    "not_text": N_("%(where)s is not text."),
    "not_a_boolean": N_("%(where)s is neither true nor false."),
    "not_a_datetime": N_("%(where)s is not a date and time with an offset."),
    "not_money": N_("%(where)s is not an amount of money."),
    "not_a_money_list": N_("%(where)s is not a list of amounts of money."),
    "not_a_quantity": N_("%(where)s “%(value)s” is not a whole number of at least %(minimum)s."),
    "negative": N_("%(where)s must not be negative."),
    "unknown_field": N_("%(where)s is not a field of this vendor."),
    "invalid": N_("%(where)s is not valid."),
    "wrong_digit_count": N_("%(where)s has %(digits)s digits; %(needed)s are needed."),
    "foreign_phone": N_("%(where)s is not a number of %(country)s."),
    "not_a_phone": N_("%(where)s is not a telephone number."),
    "placeholder": N_("%(where)s is a placeholder."),
    "not_a_postcode": N_("%(where)s “%(value)s” is not a postcode of %(country)s."),
    "not_served": N_("%(where)s “%(value)s” is not served; only %(choices)s."),
    # What merchants' own classes and stock validators of marshmallow say.
    "text": "%(where)s %(text)s",
    # The order as a whole.
    "test_order": N_("The order is a test."),
    "draft_order": N_("The order is a draft."),
    "customer_erased": N_("The store erased the customer's data: the order cannot be sent any more."),
    "cancelled_order": N_("The order is cancelled."),
    "refunded_order": N_("The order's payment was refunded or voided."),
    "unknown_payment_status": N_(
        "%(vendor)s does not document the payment status “%(value)s”: look there whether the order is paid, and if it "
        "is, retrigger it with `force`."
    ),
    "contract_broken": N_("The body breaks %(destination)s's contract: %(violation)s"),
    # Why a webhook is ignored. None of them has a param: it could be personal data.
    "topic_without_order": N_("The topic does not contain an order."),
    "topic_without_whole_order": N_("The topic does not contain the whole order."),
    "order_not_named": N_("The webhook names no order."),
    "not_an_order": N_("This is not an order."),
    "test_notification": N_("This is a test notification."),
    "customer_erased_at_store": N_(
        "The store erased the customer's data from the order: a request to erase it here is recorded."
    ),
    # What looks wrong in a webhook. None of them has a param, either.
    "topic_says_paid": N_("The topic says that the order is paid, and the body does not: it counts as not paid."),
    "topic_says_cancelled": N_(
        "The topic says that the order is cancelled, and the body does not: it counts as not cancelled."
    ),
    "topic_says_deleted": N_(
        "The topic says that the order is deleted, and the body holds the order: it counts as not deleted."
    ),
    "kit_divided": N_("%(where)s > “%(product)s” is a kit: its price of %(amount)s is divided among its parts."),
    # What is shipped.
    "nothing_is_shipped": N_("The order has nothing to ship: none of its products is shipped."),
    "nothing_left_to_ship": N_(
        "Nothing is left to ship: everything was sent already, is collected, or is sent by another service."
    ),
    "partly_collected": N_(
        "A part of the order is collected (“%(collected)s”) and the rest is shipped, and the storefront does not say "
        "which products."
    ),
    "partly_sent": N_("A part of the order was sent already, and the storefront does not say which products."),
    "unclear_pickup": N_(
        "%(where)s > “%(name)s” sounds like a collection, and the shipping address is blank. If the customer collects, "
        "add “%(method)s” to the store's `pickup_methods`; if not, enter the shipping address at the store."
    ),
    # Addresses.
    "ambiguous_address": N_("%(where)s “%(line)s” is ambiguous, because %(reason)s: %(readings)s."),
    "postcode_of_other_state": N_("%(where)s “%(value)s” is of another state, not of %(state)s."),
    "postcode_of_states": N_("%(where)s “%(value)s” is of %(owners)s, not of %(state)s."),
    "wrong_rfc_check_digit": N_("Tax document: the check digit of RFC %(number)s is wrong."),
    # Money.
    "negative_charge": N_(
        "Charges > %(kind)s of %(amount)s exceeds the price of the products, and %(vendor)s accepts no negative lines."
    ),
    "no_charge_sku": N_("Charges > %(kind)s of %(amount)s has no SKU"),
    "charge_taken_off": N_(
        "Charges > %(kind)s of %(amount)s is subtracted from the products: %(vendor)s accepts no negative lines."
    ),
    "charge_added": N_("Charges > %(kind)s of %(amount)s is added to the products."),
    "refund_without_products": N_(
        "%(where)s of %(amount)s name no product: every unit is sent, and amounts are reduced in proportion."
    ),
    "total_mismatch": N_("Total: %(terms)s = %(sum)s, but %(charged)s was charged."),
    "payments_mismatch": N_("Payments: %(terms)s = %(sum)s, but %(charged)s was charged."),
    # Which customer of the destination the order is booked on.
    "several_customers": N_("Customer: several have this %(identifier)s; the account's customer is used."),
    "unnamed_customer": N_("Customer: the order has no name to create one with; the account's customer is used."),
    "customer_not_created": N_("Customer: creating one failed (status %(status)s); the account's customer is used."),
    # What the destination has no field for.
    "not_sent": N_("%(where)s is not sent: %(vendor)s has no field for it."),
}

#: What completes a template whose problem is solved by one more row of a table.
ADD_ROW = N_("%(problem)s: add a row %(row)s to `%(table)s`, or run `%(command)s`.")
MISSING_ROW = N_("%(problem)s: a row is missing in a table.")

#: Params that hold facts of the connector or the destination, and never what an order says.
PUBLIC_PARAMS = frozenset(
    {
        "attempt",
        "choices",
        "country",
        "days",
        "destination",
        "error",
        "exception",
        "fields",
        "host",
        "identifier",
        "kind",
        "minimum",
        "needed",
        "orders",
        "outcome",
        "problem",
        "remote_id",
        "status",
        "topic",
        "types",
        "url",
        "vendor",
        "violation",
    }
)
HIDDEN = "…"
#: How a problem is named where “…” would stand for everything in it.
CAUSE_TEMPLATES = {"ambiguous_address": N_("%(where)s “%(line)s” must be checked.")}
OR = N_("%(first)s or %(last)s")


def render_word(word: ParamValue, translate: Translate) -> str:
    """One of `WORDS`: a kind of charge, or what a customer is searched by."""
    return translate(WORDS.get(str(word), str(word)))


def render_terms(terms: Any, translate: Translate) -> str:
    """Return "products 100.00 + shipping 10.00 − discount 5.00".

    Args:
        terms: (key of `WORDS`, or a gateway's name in quotes; amount with two decimals).
    """
    labels = [translate(WORDS.get(key, key)) for key, _ in terms]
    signed = [
        f"{'−' if amount.startswith('-') else '+'} {label} {amount.removeprefix('-')}"
        for label, (_, amount) in zip(labels, terms, strict=True)
    ]
    return " ".join([f"{labels[0]} {terms[0][1]}", *signed[1:]])


def render_alternatives(table: Any, translate: Translate) -> str:
    """Return "A, B or C" for the names in the table's one row."""
    *names, last = table[0]
    return translate(OR) % {"first": ", ".join(names), "last": last} if names else str(last)


#: Params that are not shown as they are.
PARAM_RENDERERS: Mapping[str, Callable[[Any, Translate], str]] = {
    "delivery_reason": render_word,
    "delivery_state": render_word,
    "entered": lambda rows, translate: ", ".join(render_field(field, translate) for (field,) in rows),
    "field": render_word,
    "identifier": render_word,
    "kind": render_word,
    "outcome": render_word,
    "owners": render_alternatives,
    "readings": render_readings,
    "reason": lambda table, translate: render_reason(table[0], translate),
    "terms": render_terms,
    "types": render_alternatives,
}


def register_templates(templates: Mapping[str, str]) -> None:
    """Add an integration's own codes, each with its English template.

    Raises:
        ValueError: a code is registered already, with another template.
    """
    for code, template in templates.items():
        if TEMPLATES.setdefault(code, template) != template:
            raise ValueError(f"the problem code {code!r} is registered twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something about one order that a person must correct, or (as a warning) should know.

    Args:
        code: one of `TEMPLATES`.
        path: keys of `LABELS`, and numbers of lines from 1: `("ship_to", "phone")`, `("lines", 2, "sku")`.
        params: what the template names. It may be personal data: only the order's own page shows it.
        table: the account's lookup table that lacks a row; `params` then hold `account` and `placeholder`.
        keys: the row may be under any of these.
        fields: what a person can enter to solve it, see `mappings.corrections`.
        readings: the values of such fields for each way to read the order's text.

    Raises:
        ValueError: the code is not registered.
    """

    code: str
    path: tuple[str | int, ...] = ()
    params: Mapping[str, ParamValue] = field(default_factory=dict, hash=False)
    table: str | None = None
    keys: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    readings: tuple[FieldValues, ...] = ()

    def __post_init__(self) -> None:
        if self.code not in TEMPLATES:
            raise ValueError(f"{self.code!r} is not a registered problem code")

    @property
    def fingerprint(self) -> str:
        """What similar problems have in common, without personal data: "missing:ship_to/phone"."""
        return f"{self.code}:{'/'.join(step for step in self.path if isinstance(step, str))}"

    @classmethod
    def from_fingerprint(cls, fingerprint: str) -> Self:
        """Return the problem that a fingerprint stands for, for `render_cause`."""
        code, _, path = fingerprint.partition(":")
        return cls(code=code, path=tuple(path.split("/")) if path else ()) if code in TEMPLATES else cls(code="invalid")

    def without_order_data(self) -> Self:
        """Return the problem with only its public params: the same for all orders that fail alike."""
        params = {
            name: value.without_order_data() if isinstance(value, Problem) else value
            for name, value in self.params.items()
            if name in PUBLIC_PARAMS
        }
        return type(self)(code=self.code, path=self.path, params=params, table=self.table)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads. The fingerprint is there to search rows by."""
        value: dict[str, Any] = {"fingerprint": self.fingerprint, "code": self.code}
        if self.path:
            value["path"] = list(self.path)
        if self.params:
            value["params"] = {
                name: param.to_json() if isinstance(param, Problem) else param for name, param in self.params.items()
            }
        if self.table is not None:
            value |= {"table": self.table, "keys": list(self.keys)}
        if self.fields:
            value["fields"] = list(self.fields)
        if self.readings:
            value["readings"] = [[list(pair) for pair in reading] for reading in self.readings]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read a stored problem. If its integration is no longer installed, only its path is read."""
        params = {name: parse_param(param) for name, param in value.get("params", {}).items()}
        return cls(
            code=value["code"] if value["code"] in TEMPLATES else "invalid",
            path=tuple(value.get("path", ())),
            params=params,
            table=value.get("table"),
            keys=tuple(value.get("keys", ())),
            fields=tuple(value.get("fields", ())),
            readings=tuple(tuple((name, text) for name, text in reading) for reading in value.get("readings", ())),
        )


def parse_param(value: Any) -> ParamValue:
    """Read a stored param."""
    if isinstance(value, list):
        return tuple(tuple(map(str, row)) for row in value)
    return Problem.from_json(value) if isinstance(value, Mapping) else value


@dataclass(frozen=True, slots=True)
class FieldError:
    """A message for marshmallow's tree of errors: a problem of the field that it is stored under."""

    code: str
    params: Mapping[str, ParamValue] = field(default_factory=dict)


def field_error(code: str, field_name: str | None = None, **params: ParamValue) -> ValidationError:
    """Return the exception that a field, a validator or a schema's hook raises.

    Args:
        field_name: the field at fault, where a hook of the schema raises.
    """
    errors: Any = [FieldError(code, params)]
    return ValidationError(errors if field_name is None else {field_name: errors})


class MappingError(Exception):
    """An order cannot be mapped. The exception's text says only how many problems there are: they may be personal."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"The order has {len(problems)} problem{'' if len(problems) == 1 else 's'}.")
        self.problems = list(problems)


def dump_problems(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [problem.to_json() for problem in problems]


def load_problems(values: Iterable[Mapping[str, Any]]) -> list[Problem]:
    return [Problem.from_json(value) for value in values]


def render_problem(problem: Problem, translate: Translate = untranslated) -> str:
    """Return the sentence with the order's data, as in “Shipping address > phone has 3 digits; 10 are needed.”."""
    text = render_template(TEMPLATES[problem.code], problem.path, problem.params, translate)
    if problem.table is None:
        return text
    row, command = describe_row(problem)
    return translate(ADD_ROW) % {"problem": text, "row": row, "table": problem.table, "command": command}


def render_problems(problems: Iterable[Problem], translate: Translate = untranslated) -> list[str]:
    return [render_problem(problem, translate) for problem in problems]


def render_cause(problem: Problem, translate: Translate = untranslated) -> str:
    """Return the sentence without what the order says, which “…” stands for. It may leave the order's page."""
    template = CAUSE_TEMPLATES.get(problem.code, TEMPLATES[problem.code])
    params = problem.without_order_data().params
    text = render_template(template, problem.path, params, translate, render_nested=render_cause)
    return text if problem.table is None else translate(MISSING_ROW) % {"problem": text}


def render_template(
    template: str,
    path: Sequence[str | int],
    params: Mapping[str, ParamValue],
    translate: Translate,
    *,
    render_nested: Callable[[Problem, Translate], str] = render_problem,
) -> str:
    values = TemplateValues(where=render_path(path, translate))
    for name, value in params.items():
        if isinstance(value, Problem):
            values[name] = render_nested(value, translate)
        else:
            values[name] = PARAM_RENDERERS[name](value, translate) if name in PARAM_RENDERERS else str(value)
    translation = translate(template)
    text = translation % values
    return text[:1].upper() + text[1:] if translation.startswith("%(where)s") else text


class TemplateValues(dict[str, str]):
    """A template's values; “…” for those that are not shown."""

    def __missing__(self, name: str) -> str:
        return HIDDEN


def describe_row(problem: Problem) -> tuple[str, str]:
    """Return the row that is missing, as connector.toml writes it, and the command that adds it.

    `placeholder` is what the row is to hold, in capitals: `PRODUCT_ID`, or `id=ID`.
    """
    account, value = str(problem.params["account"]), str(problem.params["placeholder"])
    key = problem.keys[0]
    column, equals_sign, placeholder = value.rpartition("=")
    row = f"{{ {column} = {placeholder} }}" if equals_sign else f'"{value}"'
    end_of_options = "-- " if key.startswith("-") else ""
    command = f"connector table set --account {account} {end_of_options}{problem.table} {quote(key)} {value}"
    return f"{json.dumps(key, ensure_ascii=False)} = {row}", command


def missing_rows_in(problems: Iterable[Problem]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the table and the keys of each row that these problems miss."""
    return sorted({(problem.table, problem.keys) for problem in problems if problem.table is not None})
