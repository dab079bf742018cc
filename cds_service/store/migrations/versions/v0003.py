"""Evidence pages: the encrypted page behind a card's link, until it expires."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "evidence_pages",
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("card", sa.String(36), nullable=False),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("server_key", sa.String(8), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("browser", sa.LargeBinary(32)),
    )
    op.create_index("evidence_pages_by_expiry", "evidence_pages", ["expires"])


def downgrade() -> None:
    """Drop the table with all unopened pages."""
    op.drop_table("evidence_pages")
