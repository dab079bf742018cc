"""Settings shared by all tests."""

from hypothesis import settings

# The clock of a busy machine decides no test, and a failing example is printed rather than kept in a folder.
settings.register_profile("repeatable", deadline=None, database=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")
