"""The rows of tables that a parked delivery lacks.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("missing_rows", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("deliveries", "missing_rows")
