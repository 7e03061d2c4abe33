"""An account's lookup tables: what a destination calls the shop's products, locations and payment methods."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar

from marshmallow.validate import Length

from mappings import setting_fields as fields
from mappings.labels import N_

Value = TypeVar("Value")
NormalizeKey = Callable[[str], str]


class LookupTable(dict[str, Value], Generic[Value]):
    """Rows by their keys as written. A row is found by any key that normalizes to the same text.

    Args:
        normalize_key: by default keys must be equal.
    """

    def __init__(
        self, rows: Mapping[str, Value] | Iterable[tuple[str, Value]] = (), normalize_key: NormalizeKey = str
    ) -> None:
        super().__init__(rows)
        self._rows_by_normalized_key = (
            dict(self) if normalize_key is str else {normalize_key(key): value for key, value in self.items()}
        )
        self._normalize_key = normalize_key

    def find(self, *keys: str | None) -> Value | None:
        """Return the row of the first key that has one."""
        for key in keys:
            if key is not None and (row := self._rows_by_normalized_key.get(self._normalize_key(key))) is not None:
                return row
        return None

    def subset(self, keys: Iterable[str]) -> Self:
        """Return the rows that any of these keys finds."""
        normalized_keys = {self._normalize_key(key) for key in keys}
        return type(self)(
            ((key, row) for key, row in self.items() if self._normalize_key(key) in normalized_keys),
            self._normalize_key,
        )

    def overridden_by(self, rows: "LookupTable[Value]") -> Self:
        """Return a copy of the table in which these rows take the place of those with equivalent keys."""
        normalized_keys = {self._normalize_key(key) for key in rows}
        others = {key: row for key, row in self.items() if self._normalize_key(key) not in normalized_keys}
        return type(self)({**others, **rows}, self._normalize_key)

    def updated(self, rows: Mapping[str, Value]) -> Self:
        """Return a copy of the table with these rows added or replaced."""
        return type(self)({**self, **rows}, self._normalize_key)


class LookupTableField(fields.Dict):
    """A setting that is a table: in connector.toml, or in a CSV file named there.

    Args:
        choices_setting: the account's setting whose keys are the only valid values.
    """

    default_error_messages = {"invalid": "must be a table, or the name of a .csv file."}

    def __init__(
        self,
        values: fields.Field[Any],
        *,
        keys: fields.Field[Any] | None = None,
        normalize_key: NormalizeKey = str,
        choices_setting: str | None = None,
        **kwargs: Any,
    ) -> None:
        nonempty_text = fields.String(validate=Length(min=1, error=N_("must not be empty.")))
        super().__init__(keys=keys or nonempty_text, values=values, **kwargs)
        self.normalize_key = normalize_key
        self.choices_setting = choices_setting

    @property
    def columns(self) -> list[str]:
        """The columns of a CSV file after the key."""
        if isinstance(self.value_field, fields.Nested):
            return [field.data_key or name for name, field in self.value_field.schema.fields.items()]
        return ["value"]

    @property
    def is_nested(self) -> bool:
        """Whether a row is a table itself, such as `{ id = 12 }`."""
        return isinstance(self.value_field, fields.Nested)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> LookupTable[Any]:
        rows = super()._deserialize(value, *args, **kwargs)  # type: ignore[no-untyped-call]
        return LookupTable(rows, self.normalize_key)


def find_row(account: Any, table: str, keys: Sequence[str]) -> Any:
    """Return the row of an account's table; None if the row or the table does not exist."""
    rows = getattr(account, table, None)
    return rows.find(*keys) if isinstance(rows, LookupTable) else None
