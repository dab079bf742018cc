"""Evidence pages of calls, each encrypted with a server key and a secret that only its link contains.

The database and the server's key together cannot decrypt a page without the link. The first browser that opens a page
owns it; after that, a link that was passed on or logged opens nothing.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from cds_service.clock import Deadline
from cds_service.operations.sealing import SealError
from cds_service.store import evidence_pages
from cds_service.store.database import Store
from cds_service.store.evidence_pages import ClosedPage
from cds_service.store.page_keys import PageKeys
from cds_service.store.session_rows import bytes_of, key_of, text_of

ID_BYTES, SECRET_BYTES, COOKIE_BYTES = 16, 32, 32


class ToClose(NamedTuple):
    """A page to store: its content, its card and client, and its expiry."""

    content: bytes
    card: str
    client: str
    expires: datetime


class NotShown(Enum):
    """The reason for not showing a page: it does not exist (anymore), or another browser owns it."""

    GONE = "gone"
    ELSEWHERE = "elsewhere"


class OpenedPage(NamedTuple):
    """An opened page with its card and client; ``cookie`` is the cookie that its browser must have from now on."""

    content: bytes
    card: str
    client: str
    cookie: bytes


def _now() -> datetime:
    return datetime.now(UTC)


class SealedPages:
    """The pages of one installation, which expire after ``hours``. Safe for several threads and processes.

    ``clients`` are the ids of the clients that may call; other clients' pages are gone too. ``now`` returns the time
    with a time zone, ``random`` unpredictable bytes.
    """

    def __init__(
        self,
        store: Store,
        keys: PageKeys,
        hours: float,
        clients: Collection[str],
        now: Callable[[], datetime] = _now,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store, self._keys, self._clients = store, keys, frozenset(clients)
        self._lives, self._now, self._random = timedelta(hours=hours), now, random

    def times(self) -> tuple[datetime, datetime]:
        """The creation and expiry times of a page made now, both in UTC."""
        made = self._now().astimezone(UTC)
        return made, made + self._lives

    def add(self, pages: Sequence[ToClose], deadline: Deadline) -> list[str]:
        """Store pages; returns the end of each link: the page's id, ``#``, its secret. Raises StoreError."""
        if not pages:
            return []
        keys = self._keys.at(self._now())
        rows, links = [], []
        for page in pages:
            name, secret = self._random(ID_BYTES), self._random(SECRET_BYTES)
            key = key_of(name)
            closed = keys.with_secret(secret).seal(page.content, key.hex(), self._random)
            until = int(page.expires.timestamp())
            rows.append(ClosedPage(key, page.card, page.client, until, closed["key"], closed["sealed"]))
            links.append(f"{text_of(name)}#{text_of(secret)}")
        with self._store.within(deadline):
            evidence_pages.add(self._store, rows)
        return links

    def client_of(self, name: str, deadline: Deadline) -> str | None:
        """The client whose call made the page with this id; None if it is missing or expired. Raises StoreError."""
        page = self._found(name, deadline)
        return page.client if page is not None else None

    def open(self, name: str, secret: str, cookie: str, deadline: Deadline) -> OpenedPage | NotShown:
        """The page behind a link with its id and secret, for a browser with ``cookie`` ("" for none).

        Only a caller with the secret binds a page to a browser. Raises StoreError.
        """
        page = self._found(name, deadline)
        given = bytes_of(secret, SECRET_BYTES)
        if page is None or given is None:
            return NotShown.GONE
        keys = self._keys.at(self._now())
        try:
            closed = {"key": page.server_key, "sealed": page.sealed}
            content = keys.with_secret(given).open(closed, page.key.hex())
        except SealError:
            return NotShown.GONE
        held = bytes_of(cookie, COOKIE_BYTES) or self._random(COOKIE_BYTES)
        with self._store.within(deadline):
            # Each page has a different hash for the same browser, so the rows do not reveal what a browser opened.
            bound = evidence_pages.bind(self._store, page.key, hashlib.sha256(page.key + held).digest())
        return OpenedPage(content, page.card, page.client, held) if bound else NotShown.ELSEWHERE

    def _found(self, name: str, deadline: Deadline) -> ClosedPage | None:
        given = bytes_of(name, ID_BYTES)
        if given is None:
            return None
        with self._store.within(deadline):
            page = evidence_pages.find(self._store, key_of(given), self._now())
        return page if page is not None and page.client in self._clients else None


def cookie_text(cookie: bytes) -> str:
    """A cookie as the browser stores it."""
    return text_of(cookie)
