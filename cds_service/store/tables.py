"""The tables, as the newest version has them; ``migrations/versions`` makes them, and a test holds the two together.

Instants are text in UTC to the microsecond (``instants.text_of``) and days are ISO 8601: the same order and the same
digits in SQLite and in PostgreSQL.
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

# One row for each piece of feedback. outcome_timestamp is the one sent, or empty where none was sent.
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
    # Free text of a user, who may have written of a patient: it is kept here and nowhere else.
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

# What a card was about: its uuid is a keyed hash, and tells nobody.
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

# Each is looked up by its key alone, so that SQLite needs no second tree for row ids.
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

# Evidence pages, each closed under a key that the store does not hold. ``key`` is SHA-256 of the id in the link,
# ``browser`` a keyed hash of the cookie of the browser that opened it first.
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

# What one browser did in the workbench, closed under a key that ends with the service. ``key`` is SHA-256 of its name.
WORKBENCH_SESSIONS = Table(
    "workbench_sessions",
    METADATA,
    Column("key", LargeBinary(32), primary_key=True),
    Column("expires", BigInteger, nullable=False),
    Column("sealed", Text, nullable=False),
    Index("workbench_sessions_by_expiry", "expires"),
)

# One row that the readiness check writes, and one for each kind of work that is taken in turns.
PULSE = Table(
    "pulse",
    METADATA,
    Column("name", String(20), primary_key=True),
    Column("at", String(27), nullable=False),
)

# A documentation form that is open: closed under a key of the server and the browser's cookie.
FORM_SESSIONS = Table(
    "form_sessions",
    METADATA,
    Column("key", LargeBinary(32), primary_key=True),
    Column("expires", BigInteger, nullable=False),
    Column("server_key", String(8), nullable=False),
    Column("sealed", Text, nullable=False),
    Index("form_sessions_by_expiry", "expires"),
)
