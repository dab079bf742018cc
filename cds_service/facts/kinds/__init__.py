"""The kinds of facts: one file each, with everything that the kind does."""
