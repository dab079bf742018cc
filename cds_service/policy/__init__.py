"""A rule set in memory, and how a folder becomes one."""
