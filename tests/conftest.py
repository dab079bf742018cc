"""Settings shared by all tests."""

import gc
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from cds_service.store.database import Store, open_store
from tests.browser import Faults, Look, browser, opened
from tests.compiled_templates import keep_compiled_templates
from tests.migrated_stores import keep_migrations
from tests.postgresql import Cluster, cluster
from tests.tokens import ISSUER, key_set
from tests.waiting import leave_out_what_others_set

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# The clock of a busy machine decides no test, and a failing example is printed rather than kept in a folder.
settings.register_profile("repeatable", deadline=None, database=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")

# Thousands of tests make and leave objects, of which few are garbage that only the collector finds: at Python's own
# thresholds it takes a seventh of the time.
gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors: many tests wait for servers, databases and browsers."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL of our own, started when a test first asks for it."""
    with cluster() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The address of an empty store, once in SQLite (None: a file in ``tmp_path``) and once in PostgreSQL."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        url = server.database()
        yield url
        server.give_back(url)
    else:
        yield None


@pytest.fixture
def store(store_url: str | None, tmp_path: Path) -> Iterator[Store]:
    """An empty store, once in SQLite and once in PostgreSQL."""
    with closing(open_store(store_url, tmp_path)) as opened:
        yield opened


@pytest.fixture
def clients_file(tmp_path: Path) -> Path:
    """A clients file with one client, whose keys are beside it."""
    (tmp_path / "keys.json").write_text(json.dumps(key_set("rsa")))
    path = tmp_path / "clients.toml"
    path.write_text(f'[[client]]\nid = "general"\nissuer = "{ISSUER}"\njwks_file = "keys.json"\n')
    return path


leave_out_what_others_set()
keep_compiled_templates()
keep_migrations()


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory):
    """What servers of the tests keep is kept in a folder of the tests."""
    os.environ["CDS_SERVICE_STATE"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """The one browser of a test process: each test opens its own context, in which nothing is kept."""
    with browser() as started:
        yield started


@pytest.fixture
def look() -> Look:
    """How pages are looked at; a test that is parametrized by ``look`` (``LOOKS``) takes its own."""
    return Look()


@pytest.fixture
def faults() -> Faults:
    """What went wrong in ``page`` so far."""
    return Faults()


@pytest.fixture
def page(chromium: "Browser", look: Look, faults: Faults) -> Iterator["Page"]:
    """An empty page; at the end of the test nothing may have gone wrong in it."""
    with opened(chromium, look, faults) as empty:
        yield empty
    assert faults.seen == []
