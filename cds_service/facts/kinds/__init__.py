"""The kinds of facts: one file each, with all that the kind is and does."""
