"""Options of facts, which several kinds have."""
