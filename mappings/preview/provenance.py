"""Finds where each field of a body comes from, by experiment.

One value of the order, or one setting, is changed at a time and the order is mapped again: the fields of the body that
change come from it. This works for every integration and for computed fields, and needs no declarations to maintain.
It runs only on request, because one order takes about a hundred mappings.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby, islice
from typing import Any, Literal

from marshmallow import fields as wire

from mappings import DESTINATIONS, STOREFRONTS
from mappings.corrections import Correction
from mappings.labels import render_path
from mappings.order_request import OrderRequest
from mappings.preview.dry_run import ValuePath, dry_run, format_path, iter_leaves
from mappings.preview.perturb import iter_object_paths, iter_values, perturb, set_path, trim_lists, trim_tables
from mappings.problems import MappingError, Problem
from mappings.schema import DestinationSchema, attribute_path, label_key
from mappings.settings import Account, Store

#: The attribute of the body's lines in every destination's order request; `order_line_number` numbers them.
PRODUCTS = "products"
#: More values than any platform's order has, not counting later items of lists.
MAX_INPUTS = 3_000
#: Stands for a field that could not be dumped.
MISSING = object()

InputPart = Literal["order", "store", "account", "entered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A value of the order's payload, a setting of the store or of the account, or what a person entered."""

    part: InputPart
    path: str  # `shipping_address.address1`, `line_items[*].price`, `meta_data:_billing_dni`; `currencies.ARS`
    entered_by: str | None = None  # the person who entered this field, or this row of a lookup table

    def __str__(self) -> str:
        if self.part == "entered":
            return f"entered by {self.entered_by}"
        return self.path if self.part == "order" else f"setting {self.path} of the {self.part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one field of a body came from.

    Args:
        sources: the values that it is made of. It changes when they change.
        depends_on: other values that it depends on, such as the country by which a phone number is parsed.
    """

    field: str
    label_path: tuple[str | int, ...]  # as of a `Problem`
    value: Any
    hub: str  # the canonical order's path, as the destination's schema declares it
    sources: list[Source]
    depends_on: list[Source]

    @property
    def label(self) -> str:
        """What merchants call the field, in English."""
        return render_path(self.label_path)

    @property
    def note(self) -> str | None:
        """An explanation where there is no source."""
        if self.sources:
            return None
        if self.depends_on:
            return "chosen by these"
        return "nothing says it" if self.value is None else "unknown: nothing that was tried changes it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedMapping:
    """The body of an order, and where each field comes from.

    With problems there is no body; the provenance then covers the fields that could be filled.
    """

    body: dict[str, Any] | None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    is_partial: bool = False  # a list of the order is longer than `MAX_ITEMS`, and the rest of it is not explained


def explain_mapping(
    store: Store,
    account: Account,
    payload: Mapping[str, Any],
    *,
    corrections: Sequence[Correction] = (),
    override_cancellation: bool = False,
) -> ExplainedMapping:
    """Return the body of an order for `account`, and where each field comes from. See `dry_run`.

    Of a long list of products, the first are explained: all of an order of 1,500 lines took 21 seconds.
    """
    result = dry_run(store, account, payload, corrections=corrections, override_cancellation=override_cancellation)
    trimmed = trim_lists(payload)
    entered = {correction.field: correction for correction in corrections}
    experiment = Experiment(order=trimmed, store=store, account=account, entered=entered)
    values = {format_path(path): value for path, value in iter_leaves(result.body or {})}
    return ExplainedMapping(
        body=result.body,
        problems=result.problems,
        warnings=result.warnings,
        origins=[replace(origin, value=values.get(origin.field, origin.value)) for origin in find_origins(experiment)],
        is_partial=trimmed != payload,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Everything that a body is made of. An experiment changes a part of it."""

    order: Mapping[str, Any]  # the payload
    store: Store
    account: Account
    entered: Mapping[str, Correction]  # by field

    def make_order_request(self) -> OrderRequest:
        """Raises `MappingError`."""
        order = STOREFRONTS[self.store.storefront].parse_order(self.order, self.store, list(self.entered.values()))
        return DESTINATIONS[self.account.destination].make_order_request(order, self.account, self.store)

    def render_unvalidated(self) -> dict[str, Any]:
        """Return the body without validating it; `MISSING` stands for fields that the altered values cannot fill.

        Products are keyed by the order's line that they come from, so that one line more or less changes no other.
        """
        fields_by_wire_name = {field.data_key or name: field for name, field in self.schema.dump_fields.items()}
        body: dict[str, Any] = dict.fromkeys(fields_by_wire_name, MISSING)
        with suppress(Exception):  # an altered setting may be invalid
            order_request = self.make_order_request()
            for wire_name, schema_field in fields_by_wire_name.items():
                with suppress(Exception):
                    rendered = single_field_schema(type(self.schema), schema_field.name).dump(order_request)
                    if schema_field.attribute == PRODUCTS:
                        lines = dict(zip(product_line_keys(order_request), rendered[wire_name], strict=True))
                        rendered = {wire_name: lines}
                    del body[wire_name]
                    body |= rendered
        return body

    @property
    def schema(self) -> DestinationSchema:
        return DESTINATIONS[self.account.destination].schema_for(self.account)

    def parts(self) -> dict[InputPart, Any]:
        return {"order": self.order, "account": self.account, "store": self.store, "entered": self.entered}

    def with_changes(self, changes: Mapping["InputValue", Any]) -> "Experiment":
        parts = self.parts()
        for input_value, value in changes.items():
            parts[input_value.part] = set_path(parts[input_value.part], input_value.path, value)
        return Experiment(**{str(part): value for part, value in parts.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class InputValue:
    """A value that an experiment can change, and pairs of replacements."""

    part: InputPart
    path: ValuePath
    pairs: tuple[tuple[Any, Any], ...]

    @property
    def pattern(self) -> tuple[str, ...]:
        """Its path, with `*` for every index."""
        return (self.part, *("*" if isinstance(step, int) else step for step in self.path))

    def variant(self, pair: int, which: int) -> Any:
        return self.pairs[min(pair, len(self.pairs) - 1)][which]


@cache
def single_field_schema(schema_class: type[DestinationSchema], field_name: str) -> DestinationSchema:
    """Return a schema that dumps a single field, so that a field that fails does not affect the others."""
    return schema_class(only=[field_name])


def find_origins(experiment: Experiment) -> Iterator[Origin]:
    """Yield the origin of each field of the body; nothing if the order cannot be read at all."""
    try:
        order_request = experiment.make_order_request()
    except MappingError:
        return
    body = experiment.render_unvalidated()
    trimmed = replace(experiment, account=trim_tables(experiment.account, experiment.order))
    experiment = trimmed if trimmed.render_unvalidated() == body else experiment
    inputs = list(islice(iter_inputs(experiment), MAX_INPUTS))
    relevant_set = set(
        find_relevant_inputs(experiment, body, sorted(inputs, key=lambda input_value: input_value.pattern))
    )
    relevant = [input_value for input_value in inputs if input_value in relevant_set]
    sources: dict[ValuePath, list[InputValue]] = {}
    depends_on: dict[ValuePath, list[InputValue]] = {}
    for input_value in relevant:
        followed, changed = observe_changes(experiment, body, [input_value])
        for path in changed:
            (sources if path in followed else depends_on).setdefault(path, []).append(input_value)
    line_keys = product_line_keys(order_request)
    for path, value in iter_leaves(body):
        if value is MISSING:
            continue
        # A number may depend on others and yet be the least of two, as what is left to ship is.
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and path not in sources and (path not in depends_on or is_number):
            # Inputs that have no effect alone come first: a state's name and code, before the country.
            irrelevant = [input_value for input_value in inputs if input_value not in relevant_set]
            joint = find_joint_inputs(experiment, body, irrelevant, path) or find_joint_inputs(
                experiment, body, inputs, path
            )
            followed, _ = observe_changes(experiment, body, joint)
            if path in followed or path not in depends_on:
                (sources if path in followed else depends_on)[path] = joint or find_required_objects(
                    experiment, body, path
                )
        display_path = tuple(line_keys.index(step) if isinstance(step, tuple) else step for step in path)
        canonical_path, label_path = describe_field(experiment.schema, display_path, order_request)
        named_sources = describe_sources(experiment, sources.get(path, []))
        yield Origin(
            field=format_path(display_path),
            label_path=label_path,
            value=value,
            hub=canonical_path,
            sources=named_sources,
            depends_on=[
                source
                for source in describe_sources(experiment, depends_on.get(path, []))
                if source not in named_sources
            ],
        )


def product_line_keys(order_request: OrderRequest) -> list[tuple[int, int]]:
    """Return for each product of the body the order's line number, and how many products of that line precede it."""
    numbers = [order_request.order_line_number(index) for index in range(len(getattr(order_request, PRODUCTS, ())))]
    counts: Counter[int] = Counter()
    keys = []
    for number in numbers:
        keys.append((number, counts[number]))
        counts[number] += 1
    return keys


def find_relevant_inputs(
    experiment: Experiment, body: Mapping[str, Any], inputs: Sequence[InputValue], depth: int = 1
) -> Iterator[InputValue]:
    """Yield the inputs that the body depends on. Inputs below one path are tried together: most have no effect."""
    for _, group in groupby(inputs, key=lambda input_value: input_value.pattern[:depth]):
        members = list(group)
        if not any(
            experiment.with_changes(
                {input_value: input_value.variant(pair, 0) for input_value in members}
            ).render_unvalidated()
            != body
            for pair in range(max(len(input_value.pairs) for input_value in members))
        ):
            continue
        if len({input_value.pattern for input_value in members}) == 1:
            yield from members
        else:
            yield from find_relevant_inputs(experiment, body, members, depth + 1)


def observe_changes(
    experiment: Experiment, body: Mapping[str, Any], inputs: Sequence[InputValue]
) -> tuple[set[ValuePath], set[ValuePath]]:
    """Return the fields that follow `inputs`, which are changed together, and all fields that change.

    A field follows the inputs if two alterations give it two new values. If both give the same value, it only depends
    on them.
    """
    followed: set[ValuePath] = set()
    changed: set[ValuePath] = set()
    for pair in range(max((len(input_value.pairs) for input_value in inputs), default=0)):
        first_values, second_values = (
            {input_value: input_value.variant(pair, which) for input_value in inputs} for which in (0, 1)
        )
        first_changes = dict(iter_changes(body, experiment.with_changes(first_values).render_unvalidated()))
        second_changes = (
            first_changes
            if first_values == second_values
            else dict(iter_changes(body, experiment.with_changes(second_values).render_unvalidated()))
        )
        changed |= first_changes.keys() | second_changes.keys()
        followed |= {
            path for path in first_changes.keys() & second_changes.keys() if first_changes[path] != second_changes[path]
        }
    return followed, changed


def find_joint_inputs(
    experiment: Experiment, body: Mapping[str, Any], inputs: Sequence[InputValue], path: ValuePath
) -> list[InputValue]:
    """Return the fewest inputs that change a field only together, as a state's name and code do."""

    def changes_field(subset: Iterable[InputValue]) -> bool:
        body_variant = experiment.with_changes(
            {input_value: input_value.variant(0, 0) for input_value in subset}
        ).render_unvalidated()
        return path in dict(iter_changes(body, body_variant))

    needed = list(inputs)
    if not changes_field(needed):
        return []
    size = len(needed)
    while size := size // 2:
        for start in range(len(needed) - size, -1, -size):  # from the end, so that earlier indexes stay valid
            rest = needed[:start] + needed[start + size :]
            if changes_field(rest):
                needed = rest
    return needed


def find_required_objects(experiment: Experiment, body: Mapping[str, Any], path: ValuePath) -> list[InputValue]:
    """Return the payload's objects whose absence changes a field, such as the shipping address."""
    objects = [
        InputValue(part="order", path=candidate, pairs=((None, None),))
        for candidate in iter_object_paths(experiment.order)
    ]
    return [candidate for candidate in objects if path in observe_changes(experiment, body, [candidate])[1]]


def iter_changes(old: Any, new: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Any]]:
    """Yield the fields of `old` that differ in `new`, with their new values."""
    if new is MISSING:
        return
    if isinstance(old, Mapping) and old and isinstance(new, Mapping):
        for step, value in old.items():
            yield from iter_changes(value, new.get(step), (*path, step))
    elif isinstance(old, list) and old and isinstance(new, list) and new:
        if len(old) == len(new):  # else items cannot be matched
            for index, (old_item, new_item) in enumerate(zip(old, new, strict=True)):
                yield from iter_changes(old_item, new_item, (*path, index))
    elif old != new:
        for leaf, _ in iter_leaves(old, path):
            yield leaf, new if leaf == path else None


def iter_inputs(experiment: Experiment) -> Iterator[InputValue]:
    for part, root in experiment.parts().items():
        for path, value in iter_values(root):
            if part == "entered" and path[-1] != "value":
                continue
            if pairs := tuple(perturb(value)):
                can_be_absent = part == "order"  # settings always have a value
                yield InputValue(part=part, path=path, pairs=(*pairs, *([(None, None)] if can_be_absent else [])))


def describe_field(schema: Any, path: ValuePath, order_request: OrderRequest) -> tuple[str, tuple[str | int, ...]]:
    """Return a field's path in the canonical order, as the destination's schema declares it, and its labels' keys."""
    canonical_steps: list[str] = []
    label_path: list[str | int] = []
    for step in path:
        if isinstance(step, int):
            is_product = canonical_steps[-1:] == [PRODUCTS]
            label_path.append(order_request.order_line_number(step) if is_product else step + 1)
            canonical_steps[-1] += f"[{step}]"
            continue
        schema_field = next(field for name, field in schema.fields.items() if (field.data_key or name) == step)
        attribute = attribute_path(schema, schema_field)
        canonical_steps.append(attribute)
        label_path.append(label_key(attribute, order_request, wire_name=step))
        inner = schema_field.inner if isinstance(schema_field, wire.List) else schema_field
        schema = inner.schema if isinstance(inner, wire.Nested) else None
    return ".".join(canonical_steps), tuple(label_path)


def describe_sources(experiment: Experiment, inputs: Iterable[InputValue]) -> list[Source]:
    """Name each input; the same field of several items is named once."""
    groups: dict[tuple[str, ...], list[InputValue]] = {}
    for input_value in inputs:
        name = item_name(experiment, input_value)
        groups.setdefault((*input_value.pattern[:-1], name) if name else input_value.pattern, []).append(input_value)
    return [describe_source(experiment, group) for group in groups.values()]


def describe_source(experiment: Experiment, group: Sequence[InputValue]) -> Source:
    first = group[0]
    if first.part == "entered":
        correction = experiment.entered[first.path[0]]
        return Source(part="entered", path=correction.field, entered_by=correction.entered_by)
    return Source(part=first.part, path=format_source_path(experiment, group))


def format_source_path(experiment: Experiment, group: Sequence[InputValue]) -> str:
    first = group[0]
    if name := item_name(experiment, first):
        return f"{format_path(first.path[:-2])}:{name}"
    return format_path(first.path) if len(group) == 1 else ".".join(first.pattern[1:]).replace(".*", "[*]")


def item_name(experiment: Experiment, input_value: InputValue) -> str | None:
    """Return the name of a list's name-value item, as paths in settings such as `document_from` use it."""
    if input_value.part != "order" or len(input_value.path) < 2 or not isinstance(input_value.path[-2], int):
        return None
    item: Any = experiment.order
    for step in input_value.path[:-1]:
        item = item[step]
    name = item.get("name", item.get("key")) if "value" in item else None
    return name if isinstance(name, str) else None
