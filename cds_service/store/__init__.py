"""The data that outlives a call: feedback, cards shown, tokens seen, open forms and pages, in SQLite or PostgreSQL."""
