"""Sessions of the workbench: one browser's changes to the demo charts, encrypted, until it is idle for hours."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "workbench_sessions",
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
    )
    op.create_index("workbench_sessions_by_expiry", "workbench_sessions", ["expires"])


def downgrade() -> None:
    """Drop the table with all resources written into demo charts."""
    op.drop_table("workbench_sessions")
