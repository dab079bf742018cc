"""A kind of fact and a word of tests that do not ship: schema, loading, reading, page and check know them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cds_service.app import create_app
from cds_service.authoring.check import Wishes, check_folder
from cds_service.authoring.mutations import mutations
from cds_service.errors import PolicyError
from cds_service.facts import gather, logic
from cds_service.facts.comparing import limits_in_words
from cds_service.facts.context import Context
from cds_service.facts.evidence import Evidence, Fact
from cds_service.facts.kind import NumberKind, Rules
from cds_service.facts.logic import Truth
from cds_service.facts.vocabulary import VOCABULARY, Vocabulary
from cds_service.facts.word import ListWord, list_of_tests
from cds_service.library import Library
from cds_service.policy.loading.folder import load_policy, read_all_documents
from cds_service.policy.model import FactRule
from cds_service.policy.model import Test as Node
from cds_service.settings.settings import Settings
from cds_service.verdicts import criteria
from tests.charts import BASE, FORMS, MINIMAL, TODAY, attested, chart, minimal, patient


class BirthMonth(NumberKind):
    """The month in which the patient was born."""

    name = "birth-month"

    def types(self, rule: FactRule) -> frozenset[str]:
        return super().types(rule) | {"Patient"}

    def read(self, rule: FactRule, context: Context) -> Fact:
        born = context.chart.patient.get("birthDate", "") if context.chart.patient else ""
        if len(born) < len("1970-01"):
            return Fact(rule, notes=("the birth date has no month",))
        month = int(born[5:7])
        shown = Evidence(f"Patient/{context.chart.patient_id}", rule.title, f"month {month}", None)
        return Fact(rule, ((month, month),), (shown,))

    def compared(self, test: Node, rule: FactRule) -> str:
        return f"month {limits_in_words(test)}"

    def origin(self, rule: FactRule, facts: Rules) -> str:
        return "the month of the birth date"


class NoneOf(ListWord):
    """Met where no part is."""

    name = key = "none"
    schema = {"none": list_of_tests(1)}  # noqa: RUF012 - declared ClassVar in its base
    heading = "None of these:"
    separator = "; nor "
    swapped_with = "any"
    swap_advice = "no case meets one of these tests: add one"

    def fold(self, truths: list[Truth]) -> Truth:
        return logic.negation(logic.some(truths))


OWN = Vocabulary(
    {**VOCABULARY.kinds, "birth-month": BirthMonth()},
    {**VOCABULARY.words, "none": NoneOf()},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = shutil.copytree(MINIMAL, tmp_path / MINIMAL.name)
    policy: dict[str, Any] = json.loads((made / "policy.json").read_text(encoding="utf-8"))
    policy["facts"]["born-in"] = {"kind": "birth-month", "title": "Month of birth", "when_absent": "unknown"}
    late, silent = {"fact": "born-in", "at_least": 7}, {"fact": "can-hum-attested", "is": False}
    policy["criteria"][0]["test"] = {"none": [late, silent]}
    (made / "policy.json").write_text(json.dumps(policy), encoding="utf-8")
    return made


def test_the_vocabulary_that_ships_refuses_them(folder):
    with pytest.raises(PolicyError) as refused:
        load_policy(folder, VOCABULARY)
    told = "\n".join(refused.value.problems)
    assert "birth-month" in told
    assert "none" in told


@pytest.mark.parametrize(
    ("born", "hums", "truth", "reason"),
    [
        ("1970-01-01", True, "met", ""),
        ("1970-01-01", None, "unknown", "the records do not settle it"),
        ("1970-08-01", None, "not-met", "the chart says the opposite"),
        ("1970", True, "unknown", "the records do not settle it; the birth date has no month"),
    ],
)
def test_they_are_read_and_decided(folder, born, hums, truth, reason):
    policy = load_policy(folder, OWN)
    answered = {} if hums is None else {minimal().facts["can-hum-attested"].item: {"valueBoolean": hums}}
    on_record = chart(patient(birthDate=born), attested(answered))
    known = gather.gather(policy, on_record, FORMS, TODAY)
    found = criteria.find(policy, policy.criteria[:1], known, on_record)["adult"]
    assert (found.truth.value, found.reason) == (truth, reason)


def test_they_stand_on_the_page_of_the_policy(folder):
    library = Library((load_policy(folder, OWN),), BASE)
    client = create_app(Settings(), library, "http://127.0.0.1:8080", lambda: TODAY).test_client()
    page = client.get(f"/policies/{MINIMAL.name}", headers={"Accept": "text/html"}).get_data(as_text=True)
    for said in ("None of these:", "Month of birth: month at least 7", "the month of the birth date"):
        assert said in page


def test_they_are_checked_and_mistaken_as_the_others_are(folder):
    report = check_folder(folder, BASE, Wishes(TODAY, mutations=False), vocabulary=OWN)
    assert report.policy is not None
    changes = {
        str(mutation).partition(": ")[2]
        for mutation in mutations(read_all_documents(folder, OWN), load_policy(folder, OWN))
    }
    assert {
        "$.criteria[0].test: 'none' read as 'any'",
        "$.criteria[0].test.none[0].at_least: 7 moved to 8",
        "$.criteria[0].test.none[1].is: false read as true",
    } <= changes
