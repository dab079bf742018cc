"""The first version: feedback, cards shown, tokens seen, activity of statements, and the row of the readiness check."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables in an empty database."""
    op.create_table(
        "feedback",
        sa.Column("client", sa.String(200), primary_key=True),
        sa.Column("card", sa.String(200), primary_key=True),
        sa.Column("outcome", sa.String(20), primary_key=True),
        sa.Column("outcome_timestamp", sa.String(27), primary_key=True),
        sa.Column("happened_at", sa.String(27), nullable=False),
        sa.Column("received_at", sa.String(27), nullable=False),
        sa.Column("reason_code", sa.String(200)),
        sa.Column("reason_system", sa.String(500)),
        sa.Column("reason_display", sa.String(500)),
        sa.Column("user_comment", sa.Text()),
    )
    op.create_index("feedback_by_time", "feedback", ["happened_at"])
    op.create_table(
        "accepted_suggestions",
        sa.Column("client", sa.String(200), primary_key=True),
        sa.Column("card", sa.String(200), primary_key=True),
        sa.Column("outcome", sa.String(20), primary_key=True),
        sa.Column("outcome_timestamp", sa.String(27), primary_key=True),
        sa.Column("suggestion", sa.String(200), primary_key=True),
        sa.ForeignKeyConstraint(
            ["client", "card", "outcome", "outcome_timestamp"],
            ["feedback.client", "feedback.card", "feedback.outcome", "feedback.outcome_timestamp"],
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "cards_shown",
        sa.Column("card", sa.String(36), primary_key=True),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("policy", sa.String(200), nullable=False),
        sa.Column("edition", sa.String(200), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
    )
    op.create_index("cards_shown_by_day", "cards_shown", ["day"])
    op.create_table(
        "suggestions_shown",
        sa.Column("suggestion", sa.String(36), primary_key=True),
        sa.Column("card", sa.String(36), nullable=False),
        sa.Column("label", sa.String(500), nullable=False),
        sa.ForeignKeyConstraint(["card"], ["cards_shown.card"], ondelete="CASCADE"),
    )
    op.create_index("suggestions_shown_by_card", "suggestions_shown", ["card"])
    op.create_table(
        "tokens_seen",
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("tokens_seen_by_expiry", "tokens_seen", ["expires"])
    op.create_table(
        "activity",
        sa.Column("policy", sa.String(200), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("cards", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "pulse",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("at", sa.String(27), nullable=False),
    )


def downgrade() -> None:
    """Drop all tables with their data."""
    for table in (
        "pulse",
        "activity",
        "tokens_seen",
        "suggestions_shown",
        "cards_shown",
        "accepted_suggestions",
        "feedback",
    ):
        op.drop_table(table)
