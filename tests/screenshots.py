"""The pictures of the documentation: `python -m tests.screenshots` takes them again into docs/images/."""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cds_service.app import create_app
from cds_service.installation import installation_of
from cds_service.settings.settings import Settings
from tests import panels
from tests.browser import Faults, Look, browser, listening, opened
from tests.made_up_feedback import fill
from tests.shipped import PUBLIC_URL, TODAY, library
from tests.waiting import leave_out_what_others_set

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).parent.parent / "docs" / "images"
MOST_BYTES = 250_000
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its file, the page, its size in pixels, what is done on the page before, and of which part of the
    page it is, a CSS selector: its upper left corner is the picture's. Without one it is of the window.
    """

    name: str
    path: str
    width: int = 1120
    height: int = 840
    before: "Callable[[Page], object]" = lambda page: None
    part: str = ""

    @property
    def look(self) -> Look:
        """How the page is opened: a part keeps its size in a window that is wide enough for all."""
        return Look() if self.part else Look(self.width)

    def of(self, page: "Page") -> bytes:
        """The picture of a page that was opened."""
        self.before(page)
        corner = {"x": 0.0, "y": 0.0}
        if self.part:
            page.evaluate("scrollTo(0, 0)")
            found = page.locator(self.part).bounding_box()
            assert found is not None, self.part
            corner = {"x": found["x"], "y": found["y"]}
        clip: Any = corner | {"width": self.width, "height": self.height}
        return page.screenshot(animations="disabled", caret="hide", full_page=bool(self.part), clip=clip)


def sign(page: "Page") -> None:
    """Signs what is drafted, and waits for the card."""
    page.locator("#cards > .moment").filter(has_text="When the chart was opened").wait_for()
    page.locator("#sign").click()
    page.locator("#cards > .moment").filter(has_text="When the orders were signed").wait_for()


def in_panel(page: "Page") -> None:
    """Signs what is drafted, and shows the card as wide as the panel of an EHR."""
    page.get_by_label("EHR panel (380 px)").check()
    sign(page)


def in_formats(wanted: Sequence[Any]) -> "Callable[[Page], object]":
    """The card of the opening story in these formats, on a page of its own."""

    def shown(page: "Page") -> None:
        page.goto("about:blank")
        page.set_content(panels.formats("typical-gaps", wanted))

    return shown


PICTURES = (
    Picture("card.png", "/#typical-gaps", 380, 790, in_panel, "#cards > .moment .advice"),
    Picture("card-formats.png", "/", 1612, 610, in_formats(panels.FORMATS)),
    Picture("card-commonmark.png", "/", 412, 586, in_formats(panels.FORMATS[1:2])),
    Picture("workbench.png", "/#typical-gaps", 1240, 880, sign),
    Picture("statement.png", f"/policies/{library().policies[0].id}"),
    Picture("feedback.png", "/feedback"),
)


@contextmanager
def service() -> Iterator[str]:
    """The service with all that it can show, and feedback that nobody gave; gives its address."""
    with TemporaryDirectory() as folder:
        settings = Settings(state=Path(folder))
        with closing(installation_of(settings, library(), only_this_machine=True)) as installation:
            assert installation.store is not None
            fill(installation.store)
            with listening(create_app(settings, library(), PUBLIC_URL, lambda: TODAY, installation)) as address:
                yield address


def take(folder: Path = IMAGES) -> None:
    """Takes every picture. Raises RuntimeError where a page has a fault or a picture is too large."""
    folder.mkdir(parents=True, exist_ok=True)
    with service() as address, browser() as chromium:
        for picture in PICTURES:
            faults = Faults()
            with opened(chromium, picture.look, faults) as page:
                page.set_viewport_size({"width": picture.look.width, "height": picture.height})
                page.goto(address + picture.path)
                found = smaller(picture.of(page))
            if faults.seen:
                raise RuntimeError(f"{picture.path}: {'; '.join(faults.seen)}")
            if len(found) > MOST_BYTES:
                raise RuntimeError(f"{picture.name} has {len(found)} bytes; at most {MOST_BYTES} are allowed.")
            (folder / picture.name).write_bytes(found)
            print(f"{picture.name}: {picture.width} × {picture.height}, {len(found) / 1000:.0f} kB")


def smaller(png: bytes) -> bytes:
    """The same picture, packed as tightly as zlib can; the browser packs quickly (PNG, third edition, section 10)."""
    chunks = list(_chunks(png))
    packed = zlib.compress(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")), 9)
    head, *_ = (data for kind, data in chunks if kind == b"IHDR")
    found = SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    return min(found, png, key=len)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        yield kind, png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    leave_out_what_others_set()
    take()
