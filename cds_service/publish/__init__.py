"""A rule set in plain English and as JSON, and what changed between two editions."""
