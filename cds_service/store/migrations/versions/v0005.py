"""Sessions of the documentation form: a form that is open in a browser, closed, until it is finished or left."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "form_sessions",
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("server_key", sa.String(8), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
    )
    op.create_index("form_sessions_by_expiry", "form_sessions", ["expires"])


def downgrade() -> None:
    """Drops the table; forms that are open have to be opened again."""
    op.drop_table("form_sessions")
