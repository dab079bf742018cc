"""The self-check: the service evaluates known-answer patients and validates its own parts."""
