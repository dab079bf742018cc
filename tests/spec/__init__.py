"""The specification of the policy language: a file for each kind of fact, word of tests, option and part of a policy.

Each is tables of patients, held by the real service, and what else is asked of that word alone. ``page`` prints the
first table of every file into cards/README.md.
"""

import pytest

# A row that fails shows what differs.
pytest.register_assert_rewrite("tests.spec.tables")
