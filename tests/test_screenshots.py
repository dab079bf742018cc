"""The pictures of the documentation: each is in the table, is shown and described, and is small."""

import re
import struct
from base64 import b64encode
from pathlib import Path

import pytest

from tests.browser import Faults, opened
from tests.screenshots import IMAGES, MOST_BYTES, PICTURES, service, smaller

ROOT = Path(__file__).parent.parent
SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)]+\.png)\)")


def shown() -> dict[str, str]:
    """File name -> its description, over README.md and docs/."""
    found = {}
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for words, target in SHOWN.findall(page.read_text(encoding="utf-8")):
            assert (page.parent / target).resolve().parent == IMAGES
            found[Path(target).name] = words
    return found


def test_every_picture_is_taken_and_shown_and_no_other_lies_about():
    names = {picture.name for picture in PICTURES}
    assert {path.name for path in IMAGES.iterdir()} == names
    assert set(shown()) == names


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_small_has_its_size_and_is_described(picture):
    png = (IMAGES / picture.name).read_bytes()
    assert len(png) <= MOST_BYTES
    assert struct.unpack(">II", png[16:24]) == (picture.width, picture.height)
    assert len(shown()[picture.name].split()) > 5


def test_the_pages_of_the_pictures_have_no_fault_and_a_smaller_picture_is_the_same(chromium):
    saved = 0
    with service() as address:
        for picture in PICTURES:
            faults = Faults()
            with opened(chromium, picture.look, faults) as page:
                answer = page.goto(address + picture.path)
                assert answer is not None
                assert answer.ok
                png = picture.of(page)
                packed = smaller(png)
                assert len(packed) <= len(png)
                saved += len(png) - len(packed)
                assert page.evaluate(SAME, [b64encode(data).decode() for data in (png, packed)])
            assert faults.seen == []
    assert saved > 0


SAME = """async ([one, other]) => {
  const pixels = async packed => {
    const bytes = Uint8Array.from(atob(packed), letter => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), context = canvas.getContext('2d');
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  };
  const [first, second] = [await pixels(one), await pixels(other)];
  return first.length === second.length && first.every((value, place) => value === second[place]);
}"""
