"""Evidence pages in the store: closed to whoever has store and keys, open to the first browser that has the link."""

import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from sqlalchemy import select, text

from cds_service.clock import Deadline
from cds_service.operations.counting import NoMetrics
from cds_service.operations.sealing import SealError, keys_of
from cds_service.store import evidence_pages
from cds_service.store.database import Store, open_store
from cds_service.store.failures import StoreError
from cds_service.store.page_keys import KEPT_FOR, USED_FOR, GivenKeys, KeptKeys
from cds_service.store.retention import Retention, RetentionLimits, added_up, prune_evidence
from cds_service.store.sealed_pages import NotShown, OpenedPage, SealedPages, ToClose, cookie_text
from cds_service.store.tables import EVIDENCE_PAGES

START = datetime(2026, 11, 23, 14, tzinfo=UTC)
CONTENT = b'{"says": "low back pain M54.59 since 2023-02, duloxetine"}'
LIMITS = RetentionLimits(audit_days=30, feedback_days=60, audit_bytes=10**9, cards=10**6, feedback=10**6, evidence=100)


class Clock:
    """A time that a test moves."""

    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sealed(store: Store, tmp_path, clock) -> SealedPages:
    return SealedPages(store, KeptKeys(tmp_path / "keys"), 8, ["general", "other"], clock)


def soon() -> Deadline:
    return Deadline(10)


def made(sealed: SealedPages, *cards: str, client: str = "general") -> list[tuple[str, str]]:
    """The id and the secret of the link of each card's page."""
    _, expires = sealed.times()
    links = sealed.add([ToClose(CONTENT, card, client, expires) for card in cards], soon())
    return [tuple(link.split("#")) for link in links]


def test_a_link_opens_its_page_in_the_browser_that_opened_it_first(sealed):
    ((name, secret),) = made(sealed, "card-1")
    assert sealed.client_of(name, soon()) == "general"
    first = sealed.open(name, secret, "", soon())
    assert (first.content, first.card, first.client) == (CONTENT, "card-1", "general")
    again = sealed.open(name, secret, cookie_text(first.cookie), soon())
    assert again == first


@pytest.mark.parametrize("cookie", ["", "not a cookie", cookie_text(bytes(32))])
def test_a_second_browser_is_refused(sealed, cookie):
    ((name, secret),) = made(sealed, "card-1")
    assert isinstance(sealed.open(name, secret, "", soon()), OpenedPage)
    assert sealed.open(name, secret, cookie, soon()) is NotShown.ELSEWHERE


def test_one_browser_opens_many_pages_and_the_rows_do_not_tell_that_it_is_one(sealed, store):
    links = made(sealed, "card-1", "card-2")
    first = sealed.open(*links[0], "", soon())
    assert sealed.open(*links[1], cookie_text(first.cookie), soon()).cookie == first.cookie
    with store.reading() as connection:
        browsers = connection.execute(select(EVIDENCE_PAGES.c.browser)).scalars().all()
    assert len(set(browsers)) == 2


def test_without_its_secret_nobody_binds_a_page(sealed):
    ((name, secret), (_, other)) = made(sealed, "card-1", "card-2")
    for wrong in (other, "", "x" * 43, secret[:-1], secret + "A"):
        assert sealed.open(name, wrong, "", soon()) is NotShown.GONE
    assert isinstance(sealed.open(name, secret, "", soon()), OpenedPage)


@pytest.mark.parametrize("name", ["", "A" * 22, "../../x", "☃", "A" * 5000])
def test_an_id_that_never_was_is_gone(sealed, name):
    assert sealed.client_of(name, soon()) is None
    assert sealed.open(name, "A" * 43, "", soon()) is NotShown.GONE


def test_a_page_is_gone_after_its_hours(sealed, clock):
    ((name, secret),) = made(sealed, "card-1")
    clock.now = START + timedelta(hours=8, seconds=-1)
    assert isinstance(sealed.open(name, secret, "", soon()), OpenedPage)
    clock.now = START + timedelta(hours=8)
    assert sealed.open(name, secret, "", soon()) is NotShown.GONE
    assert sealed.client_of(name, soon()) is None


def test_a_page_of_a_client_that_may_no_longer_call_is_gone(sealed, store, tmp_path, clock):
    ((name, secret),) = made(sealed, "card-1", client="other")
    revoked = SealedPages(store, KeptKeys(tmp_path / "keys"), 8, ["general"], clock)
    assert revoked.open(name, secret, "", soon()) is NotShown.GONE
    assert revoked.client_of(name, soon()) is None


def test_every_call_has_a_link_of_its_own(sealed):
    links = made(sealed, *["card-1"] * 50)
    assert len(set(chain.from_iterable(links))) == 100


# --- what whoever has the store, or the keys, or both, can read ------------------------------------------------------


def stored(store: Store, folder) -> bytes:
    """All bytes that the database holds of pages, and of SQLite the whole of its files."""
    with store.reading() as connection:
        rows = connection.execute(text("SELECT * FROM evidence_pages")).all()
    written = repr([tuple(bytes(item) if isinstance(item, memoryview) else item for item in row) for row in rows])
    files = [path.read_bytes() for path in folder.glob("store.sqlite*")] if store.address.file else []
    return b"".join([written.encode(), *files])


def test_the_store_shows_nothing_of_a_page_nor_of_its_link(sealed, store, tmp_path):
    ((name, secret),) = made(sealed, "card-1")
    opened = sealed.open(name, secret, "", soon())
    found = stored(store, tmp_path)
    for word in (b"back pain", b"M54", b"2023-02", b"duloxetine", name.encode(), secret.encode()):
        assert word not in found
    for secret_bytes in (opened.cookie, cookie_text(opened.cookie).encode()):
        assert secret_bytes not in found


def test_the_file_of_the_store_has_no_readable_word_of_a_page(tmp_path, clock):
    with closing(open_store(None, tmp_path)) as store:
        made(SealedPages(store, KeptKeys(tmp_path / "keys"), 8, ["general"], clock), "card-1")
    found = b"\n".join(path.read_bytes() for path in tmp_path.glob("store.sqlite*"))
    readable = subprocess.run(
        ["grep", "-aoE", "[[:print:]]{4,}"], input=found, capture_output=True, check=True
    ).stdout.decode()
    assert "card-1" in readable
    assert not any(word in readable for word in ("back pain", "M54", "2023-02", "duloxetine", "says"))


def test_store_and_keys_together_open_nothing_without_the_link(sealed, store, tmp_path, clock):
    made(sealed, "card-1")
    keys = KeptKeys(tmp_path / "keys").at(clock.now)
    with store.reading() as connection:
        row = connection.execute(select(EVIDENCE_PAGES)).one()
    closed = {"key": row.server_key, "sealed": row.sealed}
    for guess in (keys, keys.with_secret(bytes(32)), keys.with_secret(bytes(row.key))):
        with pytest.raises(SealError):
            guess.open(closed, bytes(row.key).hex())


def test_a_row_that_was_moved_to_another_id_does_not_open(sealed, store):
    ((first, secret), (second, _)) = made(sealed, "card-1", "card-2")
    with store.writing() as connection:
        rows = connection.execute(select(EVIDENCE_PAGES.c.key, EVIDENCE_PAGES.c.card, EVIDENCE_PAGES.c.sealed)).all()
        sealed_of = {row.card: row for row in rows}
        moved = EVIDENCE_PAGES.update().where(EVIDENCE_PAGES.c.key == sealed_of["card-2"].key)
        connection.execute(moved.values(sealed=sealed_of["card-1"].sealed))
    assert sealed.open(second, secret, "", soon()) is NotShown.GONE
    assert isinstance(sealed.open(first, secret, "", soon()), OpenedPage)


# --- keys ------------------------------------------------------------------------------------------------------------


def test_the_key_is_made_once_for_all_processes_and_is_the_owners_alone(tmp_path):
    first, second = KeptKeys(tmp_path / "keys"), KeptKeys(tmp_path / "keys")
    assert first.at(START).ids == second.at(START).ids
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_a_key_is_rotated_and_the_older_one_opens_for_a_day(store, tmp_path, clock):
    sealed = SealedPages(store, KeptKeys(tmp_path / "keys"), 8, ["general"], clock)
    beside = SealedPages(store, KeptKeys(tmp_path / "keys"), 8, ["general"], clock)
    (before,) = KeptKeys(tmp_path / "keys").at(START).ids
    clock.now = START + USED_FOR - timedelta(hours=1)
    (link,) = made(sealed, "card-1")
    clock.now = START + USED_FOR
    (later,) = made(beside, "card-2")
    assert isinstance(sealed.open(*link, "", soon()), OpenedPage)
    assert isinstance(sealed.open(*later, "", soon()), OpenedPage)
    newest, older = KeptKeys(tmp_path / "keys").at(clock.now).ids
    assert older == before
    assert KeptKeys(tmp_path / "keys").at(clock.now + KEPT_FOR).ids == (newest,)


def test_keys_of_the_setting_are_used_as_they_are(store, clock):
    new, old = keys_of(f"{'A' * 43}="), keys_of(f"{'B' * 42}A=")
    (link,) = made(SealedPages(store, GivenKeys(old), 8, ["general"], clock), "card-1")
    both = GivenKeys(type(new)({**new.by_id, **old.by_id}))
    assert SealedPages(store, GivenKeys(new), 8, ["general"], clock).open(*link, "", soon()) is NotShown.GONE
    assert isinstance(SealedPages(store, both, 8, ["general"], clock).open(*link, "", soon()), OpenedPage)


@pytest.mark.parametrize("content", ["nonsense", "2026-11-23T14:00:00+00:00 AAAA\n", "2026-11-23 not-base64\n"])
def test_a_file_that_holds_no_keys_says_what_to_do(tmp_path, content):
    (tmp_path / "keys").write_text(content)
    with pytest.raises(StoreError, match="does not hold the keys of evidence pages; remove it"):
        KeptKeys(tmp_path / "keys").at(START)


# --- what goes -------------------------------------------------------------------------------------------------------


def test_expired_pages_and_those_of_revoked_clients_are_removed_and_told(sealed, store, clock):
    made(sealed, "card-1")
    clock.now = START + timedelta(hours=1)
    made(sealed, "card-2")
    made(sealed, "card-3", client="other")
    told: list[str] = []
    now = START + timedelta(hours=8, minutes=5)
    removed = added_up(prune_evidence(store, 100, now, ["general"], lambda page: told.append(page.card)))
    assert removed == {("evidence", "age"): 2}
    assert sorted(told) == ["card-1", "card-3"]
    assert evidence_pages.number(store) == 1


def test_beyond_the_cap_those_that_expire_first_go(sealed, store, clock):
    for hour in range(4):
        clock.now = START + timedelta(hours=hour)
        made(sealed, *(f"card-{hour}-{number}" for number in range(10)))
    told: list[str] = []
    removed = added_up(prune_evidence(store, 20, clock.now, ["general"], lambda page: told.append(page.card)))
    assert removed == {("evidence", "cap"): 21}
    assert evidence_pages.number(store) == 19
    assert {card[:6] for card in told} == {"card-0", "card-1", "card-2"}


def test_the_running_service_removes_them_in_its_background(sealed, store, tmp_path, clock):
    made(sealed, "card-1")
    told: list[str] = []
    retention = Retention(
        store, tmp_path / "audit", LIMITS, NoMetrics(), clients=["general"], ended=lambda page: told.append(page.card)
    )
    retention.run(START + timedelta(hours=7))
    assert told == []
    retention.run(START + timedelta(hours=8, minutes=1))
    assert told == ["card-1"]
    assert evidence_pages.number(store) == 0
