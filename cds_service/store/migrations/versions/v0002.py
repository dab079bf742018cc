"""An index of feedback by its reception, which finds expired feedback without reading the rest."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("feedback_by_reception", "feedback", ["received_at"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("feedback_by_reception", "feedback")
