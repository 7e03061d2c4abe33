"""Deliveries are found by the order's number and by the destination's id; who paused an account is kept.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, column in (("deliveries_of_number", "order_number"), ("deliveries_of_remote_id", "remote_id")):
        is_there = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, "deliveries", [column], unique=False, sqlite_where=is_there, postgresql_where=is_there)
    op.create_table(
        "account_actions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("account_actions")
    op.drop_index("deliveries_of_remote_id", table_name="deliveries")
    op.drop_index("deliveries_of_number", table_name="deliveries")
