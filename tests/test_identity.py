"""Ids of cards: the same call gives the same id, and two patients never share one."""

from uuid import UUID

import pytest

from cds_service.card.ids import id_maker
from tests.charts import named

SCOPE = {
    "client": "client",
    "patient": "p1",
    "orders": "ServiceRequest/s1",
    "policy": "minimal",
    "edition": "1",
    "findings": "findings",
}


def test_the_same_scope_gives_the_same_id():
    assert id_maker(b"key", **SCOPE)("card") == id_maker(b"key", **SCOPE)("card")


@pytest.mark.parametrize("name", SCOPE)
def test_any_part_changed_changes_the_id(name):
    changed = SCOPE | {name: f"{SCOPE[name]}x"}
    assert id_maker(b"key", **changed)("card") != id_maker(b"key", **SCOPE)("card")


def test_another_key_gives_another_id():
    assert id_maker(b"another key", **SCOPE)("card") != id_maker(b"key", **SCOPE)("card")


def test_another_name_gives_another_id():
    make = id_maker(b"key", **SCOPE)
    assert len({make("card"), make("suggestion:coil"), make("suggestion:driver")}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    named(
        ("a letter moved over the border", ("p1", "1"), ("p", "11")),
        ("an empty part moved", ("p1", ""), ("", "p1")),
        ("a separator inside a part", ("p1\x1fs1", "x"), ("p1", "s1\x1fx")),
        ("a comma inside a part", ("p1,s1", "x"), ("p1", "s1,x")),
    ),
)
def test_the_borders_between_the_parts_count(one, other):
    parts = [SCOPE | dict(zip(("client", "patient"), values, strict=True)) for values in (one, other)]
    assert id_maker(b"key", **parts[0])("card") != id_maker(b"key", **parts[1])("card")


@pytest.mark.parametrize("name", ["card", "suggestion:coil", ""])
def test_an_id_is_a_uuid_of_version_five(name):
    made = id_maker(b"key", **SCOPE)(name)
    assert str(UUID(made)) == made
    assert UUID(made).version == 5
    assert UUID(made).variant == "specified in RFC 4122"


def test_an_id_can_be_made_of_text_that_is_no_good_unicode():
    broken = "ServiceRequest/\ud800"
    assert UUID(id_maker(b"key", **SCOPE | {"orders": broken})(f"suggestion:{broken}")).version == 5


def test_an_id_does_not_show_its_scope():
    assert "p1" not in id_maker(b"key", **SCOPE)("p1")
