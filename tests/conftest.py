"""Settings shared by all tests."""

import os

import pytest
from hypothesis import settings

# The clock of a busy machine decides no test, and a failing example is printed rather than kept in a folder.
settings.register_profile("repeatable", deadline=None, database=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory):
    """What servers of the tests keep is kept in a folder of the tests."""
    os.environ["CDS_SERVICE_STATE"] = str(tmp_path_factory.mktemp("state"))
