"""Settings shared by all tests."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

from cds_service.store.database import Store, open_store
from tests.postgresql import Cluster, cluster

# The clock of a busy machine decides no test, and a failing example is printed rather than kept in a folder.
settings.register_profile("repeatable", deadline=None, database=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL of our own, started when a test first asks for it."""
    with cluster() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str | None:
    """The address of an empty store, once in SQLite (None: a file in ``tmp_path``) and once in PostgreSQL."""
    return request.getfixturevalue("postgresql").database() if request.param == "postgresql" else None


@pytest.fixture
def store(store_url: str | None, tmp_path: Path) -> Iterator[Store]:
    """An empty store, once in SQLite and once in PostgreSQL."""
    with closing(open_store(store_url, tmp_path)) as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory):
    """What servers of the tests keep is kept in a folder of the tests."""
    os.environ["CDS_SERVICE_STATE"] = str(tmp_path_factory.mktemp("state"))
