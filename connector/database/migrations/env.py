"""Alembic's entry: runs on the connection, and inside the transaction, that `Database.migrate` opened."""

from alembic import context
from sqlmodel import SQLModel

from connector.database import models  # noqa: F401  # fills the metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
context.run_migrations()
