"""An account's tables: what a destination calls the shop's products, places and payments, row by row.

Pure: where rows are kept, and who changes them, is not known here.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from shlex import quote
from typing import Any, Generic, Self, TypeVar

from marshmallow.validate import Length

from mappings import setting_fields as fields

Value = TypeVar("Value")
NormalizeKey = Callable[[str], str]


class LookupTable(dict[str, Value], Generic[Value]):
    """Rows by their keys as they were written. They are found by keys that are alike.

    Args:
        alike: what keys that mean the same have in common; by default they must be the same.
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
        """Return the rows whose keys are alike any of these."""
        normalized_keys = {self._normalize_key(key) for key in keys}
        return type(self)(
            ((key, row) for key, row in self.items() if self._normalize_key(key) in normalized_keys),
            self._normalize_key,
        )

    def updated(self, rows: Mapping[str, Value]) -> Self:
        """Return the same table with these rows in the place of those of their keys."""
        return type(self)({**self, **rows}, self._normalize_key)


class LookupTableField(fields.Dict):
    """A setting that is a table: in connector.toml, or in a CSV file that it names."""

    default_error_messages = {"invalid": "must be a table, or the name of a .csv file."}

    def __init__(
        self,
        values: fields.Field[Any],
        *,
        keys: fields.Field[Any] | None = None,
        normalize_key: NormalizeKey = str,
        **kwargs: Any,
    ) -> None:
        nonempty_text = fields.String(validate=Length(min=1, error="must not be empty."))
        super().__init__(keys=keys or nonempty_text, values=values, **kwargs)
        self.normalize_key = normalize_key

    @property
    def columns(self) -> list[str]:
        """What stands in a CSV file beside each key."""
        if isinstance(self.value_field, fields.Nested):
            return [field.data_key or name for name, field in self.value_field.schema.fields.items()]
        return ["value"]

    @property
    def is_nested(self) -> bool:
        """Whether a row holds a table of its own, such as `{ id = 12 }`."""
        return isinstance(self.value_field, fields.Nested)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> LookupTable[Any]:
        rows = super()._deserialize(value, *args, **kwargs)  # type: ignore[no-untyped-call]
        return LookupTable(rows, self.normalize_key)


#: Where the sentence of a missing row comes to the row.
ADD_ROW_MARKER = ": add a row "


class MissingRowProblem(str):
    """A problem that one more row solves: the sentence itself, which knows the row."""

    __slots__ = ("keys", "table")

    table: str
    keys: tuple[str, ...]  # under any of which the row may be; the first is the one to show

    @classmethod
    def create(cls, description: str, *, account: str, table: str, keys: Sequence[str], value: str) -> Self:
        """Return the sentence that says `what` is wrong, the row to add, and the command that adds it.

        Args:
            account: its table's name.
            value: what the row is to hold, in capitals: `PRODUCT_ID`, or `id=ID`.
        """
        key = keys[0]
        column, equals_sign, placeholder = value.rpartition("=")
        row = f"{{ {column} = {placeholder} }}" if equals_sign else f'"{value}"'
        end_of_options = "-- " if key.startswith("-") else ""
        command = f"connector table set --account {account} {end_of_options}{table} {quote(key)} {value}"
        quoted_key = json.dumps(key, ensure_ascii=False)
        problem = cls(f"{description}{ADD_ROW_MARKER}{quoted_key} = {row} to `{table}`, or run `{command}`.")
        problem.table, problem.keys = table, tuple(keys)
        return problem


def find_row(account: Any, table: str, keys: Sequence[str]) -> Any:
    """Return the row of an account's table; None where there is none, nor such a table."""
    rows = getattr(account, table, None)
    return rows.find(*keys) if isinstance(rows, LookupTable) else None


def missing_rows_in(problems: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the table and the keys of each row that some of these problems miss."""
    return sorted({(problem.table, problem.keys) for problem in problems if isinstance(problem, MissingRowProblem)})
