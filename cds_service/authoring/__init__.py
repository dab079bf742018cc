"""The bench of rule set authors: cases, mutations, the check of a folder."""
