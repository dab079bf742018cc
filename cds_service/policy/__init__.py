"""A rule set in memory, how a folder becomes one, and what prefetch it asks for."""
