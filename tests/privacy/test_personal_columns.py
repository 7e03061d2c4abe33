"""Every column is known to be personal or not: what is added must be erased, too."""

from sqlmodel import SQLModel

from connector.database.personal_columns import IMPERSONAL_COLUMNS, personal_columns


def test_every_column_is_either_personal_or_not() -> None:
    personal = personal_columns()
    for name, table in SQLModel.metadata.tables.items():
        erased, kept = personal.get(name, set()), set(IMPERSONAL_COLUMNS.get(name, set()))
        assert not erased & kept, name
        assert erased | kept == set(table.columns.keys()), f"say in personal_columns.py what these are: {name}"
