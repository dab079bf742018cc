"""Sessions of the workbench: what one browser did to the demo charts, closed, until it is idle for hours."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "workbench_sessions",
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
    )
    op.create_index("workbench_sessions_by_expiry", "workbench_sessions", ["expires"])


def downgrade() -> None:
    """Drops the table; what was written into demo charts is gone."""
    op.drop_table("workbench_sessions")
