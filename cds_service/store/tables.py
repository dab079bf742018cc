"""The tables of the newest version; ``migrations/versions`` creates them, and a test compares the two.

Instants are text in UTC with microseconds (``instants.text_of``) and days are ISO 8601, so both sort and read the same
in SQLite and in PostgreSQL.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData()

# One row for each piece of feedback. outcome_timestamp is the one sent, or empty if none was sent.
FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("client", String(200), primary_key=True),
    Column("card", String(200), primary_key=True),
    Column("outcome", String(20), primary_key=True),
    Column("outcome_timestamp", String(27), primary_key=True),
    Column("happened_at", String(27), nullable=False),
    Column("received_at", String(27), nullable=False),
    Column("reason_code", String(200)),
    Column("reason_system", String(500)),
    Column("reason_display", String(500)),
    # A user's free text, which may mention a patient: it is stored only here.
    Column("user_comment", Text),
    Index("feedback_by_time", "happened_at"),
    Index("feedback_by_reception", "received_at"),
)

ACCEPTED_SUGGESTIONS = Table(
    "accepted_suggestions",
    METADATA,
    Column("client", String(200), primary_key=True),
    Column("card", String(200), primary_key=True),
    Column("outcome", String(20), primary_key=True),
    Column("outcome_timestamp", String(27), primary_key=True),
    Column("suggestion", String(200), primary_key=True),
    ForeignKeyConstraint(
        ["client", "card", "outcome", "outcome_timestamp"],
        [
            FEEDBACK.c.client,
            FEEDBACK.c.card,
            FEEDBACK.c.outcome,
            FEEDBACK.c.outcome_timestamp,
        ],
        ondelete="CASCADE",
    ),
)

# The subject of a card: its uuid is a keyed hash that reveals no patient.
CARDS_SHOWN = Table(
    "cards_shown",
    METADATA,
    Column("card", String(36), primary_key=True),
    Column("client", String(200), nullable=False),
    Column("policy", String(200), nullable=False),
    Column("edition", String(200), nullable=False),
    Column("outcome", String(40), nullable=False),
    Column("service", String(200), nullable=False),
    Column("day", String(10), nullable=False),
    Index("cards_shown_by_day", "day"),
)

SUGGESTIONS_SHOWN = Table(
    "suggestions_shown",
    METADATA,
    Column("suggestion", String(36), primary_key=True),
    Column("card", String(36), ForeignKey(CARDS_SHOWN.c.card, ondelete="CASCADE"), nullable=False),
    Column("label", String(500), nullable=False),
    Index("suggestions_shown_by_card", "card"),
)

# Lookups use only the key, so SQLite needs no second tree for row ids.
TOKENS_SEEN = Table(
    "tokens_seen",
    METADATA,
    Column("key", LargeBinary(32), primary_key=True),
    Column("expires", BigInteger, nullable=False),
    Index("tokens_seen_by_expiry", "expires"),
    sqlite_with_rowid=False,
)

ACTIVITY = Table(
    "activity",
    METADATA,
    Column("policy", String(200), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("orders", BigInteger, nullable=False),
    Column("cards", BigInteger, nullable=False),
)

# Evidence pages, each encrypted with a key that is not in the store. ``key`` is SHA-256 of the id in the link,
# ``browser`` a keyed hash of the cookie of the browser that opened the page first.
EVIDENCE_PAGES = Table(
    "evidence_pages",
    METADATA,
    Column("key", LargeBinary(32), primary_key=True),
    Column("card", String(36), nullable=False),
    Column("client", String(200), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("server_key", String(8), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("browser", LargeBinary(32)),
    Index("evidence_pages_by_expiry", "expires"),
)

# The session of one browser in the workbench, encrypted with a key that ends with the service. ``key`` is SHA-256 of
# its name.
WORKBENCH_SESSIONS = Table(
    "workbench_sessions",
    METADATA,
    Column("key", LargeBinary(32), primary_key=True),
    Column("expires", BigInteger, nullable=False),
    Column("sealed", Text, nullable=False),
    Index("workbench_sessions_by_expiry", "expires"),
)

# One row that the readiness check writes, and one for each kind of work that workers do in turns.
PULSE = Table(
    "pulse",
    METADATA,
    Column("name", String(20), primary_key=True),
    Column("at", String(27), nullable=False),
)

# An open documentation form, encrypted with a server key and the browser's cookie.
FORM_SESSIONS = Table(
    "form_sessions",
    METADATA,
    Column("key", LargeBinary(32), primary_key=True),
    Column("expires", BigInteger, nullable=False),
    Column("server_key", String(8), nullable=False),
    Column("sealed", Text, nullable=False),
    Index("form_sessions_by_expiry", "expires"),
)
