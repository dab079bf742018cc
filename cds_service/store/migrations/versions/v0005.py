"""Sessions of the documentation form: an open form, encrypted, until it is finished or abandoned."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "form_sessions",
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("server_key", sa.String(8), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
    )
    op.create_index("form_sessions_by_expiry", "form_sessions", ["expires"])


def downgrade() -> None:
    """Drop the table; users must launch open forms again."""
    op.drop_table("form_sessions")
