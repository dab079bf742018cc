"""Feedback by the time of its reception, so that what is past its time is found without reading the rest."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the index."""
    op.create_index("feedback_by_reception", "feedback", ["received_at"])


def downgrade() -> None:
    """Drops the index."""
    op.drop_index("feedback_by_reception", "feedback")
