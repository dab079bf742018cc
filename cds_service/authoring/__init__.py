"""The bench of those who write policies: their cases, what cards must be, and the check of a whole folder."""
