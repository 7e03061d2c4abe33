"""Pauses, pruning, who did it, and the accounts that an event's routes named.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("accounts", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("deliveries", sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notes", sa.Column("who", sa.String(), nullable=True))
    op.add_column("circuits", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("circuits", sa.Column("pause_reason", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("circuits", "pause_reason")
    op.drop_column("circuits", "paused_at")
    op.drop_column("notes", "who")
    op.drop_column("deliveries", "pruned_at")
    op.drop_column("events", "accounts")
