"""Every ICD-10-CM code of the lumbar and sacral spine as the reason of an order: it opens it, asks, or does neither.

The list is pinned from the release that it names, so that a family that grows or shrinks shows here.
"""

import json
from pathlib import Path

import pytest

from cds_service.fhir.terminology import ICD10CM
from tests.shipped import library

DECIDED = json.loads((Path(__file__).parent / "lumbar_codes.json").read_text(encoding="utf-8"))
FIRST, SECOND = "isass-restorative-neurostimulation-2023", "isass-si-joint-fusion-2020"


def outcome(policy, code):
    """What a code does as the reason of an order whose own code is right."""
    rule = policy.orders
    if rule.here.match((ICD10CM, code)):
        return "opens"
    return "asks" if rule.unspecific.match((ICD10CM, code)) or ICD10CM not in rule.elsewhere_by_code else "not"


@pytest.mark.parametrize("decided", ["opens", "asks", "not"])
def test_each_code_of_the_low_back_is_decided_for_the_first_statement(decided):
    policy = library().policy(FIRST)
    assert [code for code in DECIDED[FIRST][decided] if outcome(policy, code) != decided] == []


def test_each_code_of_the_low_back_is_decided_for_the_second_statement():
    """The code of that procedure names its site, so that no reason makes an order of it concern another rule set."""
    policy = library().policy(SECOND)
    every = {code for codes in DECIDED[FIRST].values() for code in codes}
    opens = set(DECIDED[SECOND]["opens"])
    assert {code: outcome(policy, code) for code in every} == {
        code: "opens" if code in opens else "asks" for code in every
    }
    assert opens <= every


def test_a_disease_of_the_lumbar_spine_is_never_another_site():
    elsewhere = DECIDED[FIRST]["not"]
    assert [code for code in elsewhere if code[:3] in ("M47", "M51", "M53", "M54") and code[-1] in "67"] == []
