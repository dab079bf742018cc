"""Tools for rule set authors: cases, mutations, and the check of a folder."""
