"""Say where each field of a body came from. Nobody declares it: it is found by experiment.

One value of the order, or one setting, is altered at a time and everything is mapped again: what changes in the body
came from there. So it is true of every spoke, of what is computed too, and it cannot age. Nothing of it runs unless
somebody asks: one order takes some hundred mappings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any, Literal

from marshmallow import fields as wire

from mappings import DESTINATIONS, STOREFRONTS
from mappings.order import LABELS, Dispatch
from mappings.preview.dry_run import Path, leaves, show_path, try_mapping
from mappings.preview.perturb import alter, objects_in, put, trim_tables, values_in
from mappings.schema import DestinationSchema, MappingError, label_of
from mappings.settings import Account, Store

#: How each destination's hub object calls what becomes the body's lines, which `Dispatch.number_line` numbers.
PRODUCTS = "products"
#: No platform's order has as many values, lists' later items apart.
MOST_PLACES = 3_000
#: In the place of what could not be made: it shows nothing.
NOT_MADE = object()

Part = Literal["order", "store", "account"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A value of the order's payload, or a setting of the store or of the account."""

    part: Part
    path: str  # `shipping_address.address1`, `line_items[*].price`, `meta_data:_billing_dni`; `currencies.ARS`

    def __str__(self) -> str:
        return self.path if self.part == "order" else f"setting {self.path} of the {self.part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one field of a body came from.

    Args:
        sources: what its value is made of: it follows each of them.
        deciders: what else it depends on, such as a country by which a phone is read. It does not follow these.
    """

    field: str
    label: str  # in a merchant's words
    value: Any
    hub: str  # the hub's path, as the destination declares it
    sources: list[Source]
    deciders: list[Source]

    @property
    def note(self) -> str | None:
        """What is to be said where there is no source."""
        if self.sources:
            return None
        if self.deciders:
            return "chosen by these"
        return "nothing says it" if self.value is None else "unknown: nothing that was tried changes it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What an order becomes, and where each field of it came from.

    With problems there is no body; the origins are then of the fields that could be filled all the same.
    """

    body: dict[str, Any] | None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)


def explain(store: Store, account: Account, payload: Mapping[str, Any], *, is_overruled: bool = False) -> Explained:
    """Return what `payload` becomes at `account`, and where each field came from. See `try_mapping`."""
    trial = try_mapping(store, account, payload, is_overruled=is_overruled)
    case = Case(order=payload, store=store, account=account)
    return Explained(
        body=trial.body, problems=trial.problems, warnings=trial.warnings, origins=list(find_origins(case))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that a body is made of, of which an experiment alters a part."""

    order: Mapping[str, Any]  # the payload
    store: Store
    account: Account

    def dispatch(self) -> Dispatch:
        """Raises `MappingError`."""
        order = STOREFRONTS[self.store.storefront].read(self.order, self.store)
        return DESTINATIONS[self.account.destination].dispatch_of(order, self.account, self.store)

    def draft(self) -> dict[str, Any]:
        """Return the body as it is written, not judged; `NOT_MADE` stands where altered values make none.

        Products stand in it by the order's line that they are of: one line more or less must not make another of each.
        """
        schema = self.schema
        body: dict[str, Any] = dict.fromkeys((name for name, _, _ in schema.getters), NOT_MADE)
        with suppress(Exception):  # an altered setting may be any nonsense
            dispatch = self.dispatch()
            for getter in schema.getters:
                name, _, declared = getter
                with suppress(Exception):
                    made = schema.dump(dispatch, getters=[getter])
                    if declared.attribute == PRODUCTS:
                        made = {name: dict(zip(number_products(dispatch), made[name], strict=True))}
                    del body[name]
                    body |= made
        return body

    @property
    def schema(self) -> DestinationSchema:
        return DESTINATIONS[self.account.destination].schema_of(self.account)

    def altered(self, changes: Mapping["Place", Any]) -> "Case":
        parts: dict[str, Any] = {"order": self.order, "store": self.store, "account": self.account}
        for place, value in changes.items():
            parts[place.part] = put(parts[place.part], place.path, value)
        return Case(**parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A value that an experiment can alter, and pairs of values to put in its place."""

    part: Part
    path: Path
    pairs: tuple[tuple[Any, Any], ...]

    @property
    def pattern(self) -> tuple[str, ...]:
        """Its path, alike for every item of a list."""
        return (self.part, *("*" if isinstance(step, int) else step for step in self.path))

    def altered(self, pair: int, which: int) -> Any:
        return self.pairs[min(pair, len(self.pairs) - 1)][which]


def find_origins(case: Case) -> Iterator[Origin]:
    """Yield the origin of each field of the body; none where the order cannot be read at all."""
    try:
        dispatch = case.dispatch()
    except MappingError:
        return
    body = case.draft()
    trimmed = replace(case, account=trim_tables(case.account, case.order))
    case = trimmed if trimmed.draft() == body else case
    places = list(islice(find_places(case), MOST_PLACES))
    mattering = set(find_relevant(case, body, sorted(places, key=lambda place: place.pattern)))
    relevant = [place for place in places if place in mattering]
    sources: dict[Path, list[Place]] = {}
    deciders: dict[Path, list[Place]] = {}
    for place in relevant:
        followed, changed = try_place(case, body, [place])
        for path in changed:
            (sources if path in followed else deciders).setdefault(path, []).append(place)
    numbers = number_products(dispatch)
    for path, value in leaves(body):
        if value is NOT_MADE:
            continue
        if value is not None and path not in sources and path not in deciders:
            # Those that do nothing alone come first: a state's name and its code, before the country that both need.
            idle = [place for place in places if place not in mattering]
            together = find_together(case, body, idle, path) or find_together(case, body, places, path)
            followed, _ = try_place(case, body, together)
            (sources if path in followed else deciders)[path] = together or find_objects(case, body, path)
        shown = tuple(numbers.index(step) if isinstance(step, tuple) else step for step in path)
        hub, label = name_field(case.schema, shown, dispatch)
        named = name_sources(case, sources.get(path, []))
        yield Origin(
            field=show_path(shown),
            label=label,
            value=value,
            hub=hub,
            sources=named,
            deciders=[one for one in name_sources(case, deciders.get(path, [])) if one not in named],
        )


def number_products(dispatch: Dispatch) -> list[tuple[int, int]]:
    """Return for each product of the body the number of the order's line, and how many of that line go before it."""
    numbers = [dispatch.number_line(place) for place in range(len(getattr(dispatch, PRODUCTS, ())))]
    return [(number, numbers[:place].count(number)) for place, number in enumerate(numbers)]


def find_relevant(case: Case, body: Mapping[str, Any], places: Sequence[Place], depth: int = 1) -> Iterator[Place]:
    """Yield the places that matter to the body. All below one path are altered together: most do nothing, at once."""
    for _, group in groupby(places, key=lambda place: place.pattern[:depth]):
        members = list(group)
        if not any(
            case.altered({place: place.altered(pair, 0) for place in members}).draft() != body
            for pair in range(max(len(place.pairs) for place in members))
        ):
            continue
        if len({place.pattern for place in members}) == 1:
            yield from members
        else:
            yield from find_relevant(case, body, members, depth + 1)


def try_place(case: Case, body: Mapping[str, Any], places: Sequence[Place]) -> tuple[set[Path], set[Path]]:
    """Return the fields that follow `places`, which are altered together, and all that change with them.

    A field follows where two alterations give it two new values; where both give the same, it only depends.
    """
    followed: set[Path] = set()
    changed: set[Path] = set()
    for pair in range(max((len(place.pairs) for place in places), default=0)):
        one, other = ({place: place.altered(pair, which) for place in places} for which in (0, 1))
        by_one = dict(find_changes(body, case.altered(one).draft()))
        by_other = by_one if one == other else dict(find_changes(body, case.altered(other).draft()))
        changed |= by_one.keys() | by_other.keys()
        followed |= {path for path in by_one.keys() & by_other.keys() if by_one[path] != by_other[path]}
    return followed, changed


def find_together(case: Case, body: Mapping[str, Any], places: Sequence[Place], path: Path) -> list[Place]:
    """Return the fewest places that change a field only together, as a state's name and its code do."""

    def changes_it(altered: Iterable[Place]) -> bool:
        draft = case.altered({place: place.altered(0, 0) for place in altered}).draft()
        return path in dict(find_changes(body, draft))

    needed = list(places)
    if not changes_it(needed):
        return []
    size = len(needed)
    while size := size // 2:
        for start in range(len(needed) - size, -1, -size):  # from the end: what is taken out moves nothing before it
            rest = needed[:start] + needed[start + size :]
            if changes_it(rest):
                needed = rest
    return needed


def find_objects(case: Case, body: Mapping[str, Any], path: Path) -> list[Place]:
    """Return the objects of the payload without which a field is another, such as an address to ship to."""
    objects = [Place(part="order", path=place, pairs=((None, None),)) for place in objects_in(case.order)]
    return [place for place in objects if path in try_place(case, body, [place])[1]]


def find_changes(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the fields of `old` that are something else in `new`, with what they are there."""
    if new is NOT_MADE:
        return
    if isinstance(old, Mapping) and old and isinstance(new, Mapping):
        for step, value in old.items():
            yield from find_changes(value, new.get(step), (*path, step))
    elif isinstance(old, list) and old and isinstance(new, list) and new:
        if len(old) == len(new):  # else nobody knows which is which
            for place, (one, other) in enumerate(zip(old, new, strict=True)):
                yield from find_changes(one, other, (*path, place))
    elif old != new:
        for leaf, _ in leaves(old, path):
            yield leaf, new if leaf == path else None


# --- what can be altered ---


def find_places(case: Case) -> Iterator[Place]:
    parts: dict[Part, Any] = {"order": case.order, "account": case.account, "store": case.store}
    for part, whole in parts.items():
        for path, value in values_in(whole):
            if pairs := tuple(alter(value)):
                is_said = part == "order"  # a setting is never absent, and a value of the order may be
                yield Place(part=part, path=path, pairs=(*pairs, *([(None, None)] if is_said else [])))


# --- what they are called ---


def name_field(schema: Any, path: Path, dispatch: Dispatch) -> tuple[str, str]:
    """Return the hub's path of a field, as the destination's schema declares it, and what a merchant calls it."""
    labels = {**LABELS, **dispatch.labels}
    hub: list[str] = []
    words: list[str] = []
    for step in path:
        if isinstance(step, int):
            is_product = hub[-1:] == [PRODUCTS]
            words.append(f"line {dispatch.number_line(step) if is_product else step + 1}")
            hub[-1] += f"[{step}]"
            continue
        declared = next(each for name, _, each in schema.walk if name == step)
        attribute = declared.attribute or step
        hub.append(attribute)
        words.append(label_of(attribute, labels, str(step)))
        inner = declared.inner if isinstance(declared, wire.List) else declared
        schema = inner.schema if isinstance(inner, wire.Nested) else None
    return ".".join(hub), " > ".join(words)


def name_sources(case: Case, places: Iterable[Place]) -> list[Source]:
    """Name each place; the same one of several items is named once."""
    alike: dict[tuple[str, ...], list[Place]] = {}
    for place in places:
        name = item_name(case, place)
        alike.setdefault((*place.pattern[:-1], name) if name else place.pattern, []).append(place)
    return [Source(part=group[0].part, path=show_places(case, group)) for group in alike.values()]


def show_places(case: Case, alike: Sequence[Place]) -> str:
    first = alike[0]
    if name := item_name(case, first):
        return f"{show_path(first.path[:-2])}:{name}"
    return show_path(first.path) if len(alike) == 1 else ".".join(first.pattern[1:]).replace(".*", "[*]")


def item_name(case: Case, place: Place) -> str | None:
    """Return what a list's item of a name and a value is called, as settings such as `document_from` call it."""
    if place.part != "order" or len(place.path) < 2 or not isinstance(place.path[-2], int):
        return None
    item: Any = case.order
    for step in place.path[:-1]:
        item = item[step]
    name = item.get("name", item.get("key")) if "value" in item else None
    return name if isinstance(name, str) else None
