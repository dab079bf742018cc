"""What is worked out once of an empty chart says the same as the code that reads a chart: facts and findings."""

from random import Random

import pytest

from cds_service.chart.arrivals import arrived
from cds_service.chart.chart import Chart
from cds_service.facts.evidence import Known
from cds_service.facts.gather import gather
from cds_service.fhir.free_text import FreeText, words
from cds_service.fhir.phrase_index import PhraseIndex
from cds_service.policy.model import Policy
from cds_service.verdicts import criteria
from tests.second_reading.page import RULE_SETS
from tests.shipped import TODAY, library
from tests.varied_charts import Varied

CHARTS = 200


def policy_of(name: str) -> Policy:
    return next(policy for policy in library().policies if policy.id == name)


def chart_of(policy: Policy, sent: dict) -> Chart:
    came = arrived(sent, library().prefetch_keys, "p1")
    types, lexicon = library().policy_reads.of([policy])
    return Chart.of(
        came.resources, came.listings, patient_id="p1", types=types, lexicon=lexicon, addresses=came.addresses
    )


def known_of(policy: Policy, chart: Chart, *, silence: bool) -> Known:
    silent = library().silences(policy).facts if silence else None
    return gather(policy, chart, library().questionnaires(policy), TODAY, silent=silent)


@pytest.mark.parametrize("name", RULE_SETS)
def test_silent_facts_and_findings_are_those_that_reading_the_chart_gives(name):
    random, policy = Random(f"silence {name}"), policy_of(name)
    silences = library().silences(policy)
    keys = dict(library().prefetch_keys)
    silent_facts = silent_findings = beside_what_is_told = 0
    for _ in range(CHARTS // len(RULE_SETS)):
        made = Varied(random, name)
        sent = made.sent(made.records(), keys)
        read = known_of(policy, chart_of(policy, sent), silence=False)
        chart = chart_of(policy, sent)
        known = known_of(policy, chart, silence=True)
        assert known == read, sent
        every = (*policy.criteria, *policy.variants.values())
        found = criteria.find(policy, every, known, chart, silences.findings)
        assert found == criteria.find(policy, every, read, chart), sent
        silent_facts += sum(known.whole.get(key) is item.fact for key, item in silences.facts.facts.items())
        quiet = sum(found[key] is item.finding for key, item in silences.findings.items() if key in found)
        silent_findings += quiet
        beside_what_is_told += quiet if chart.why_missing or chart.unreadable or chart.dropped else 0
    assert silent_facts > 10 * CHARTS
    assert silent_findings > CHARTS // 10
    assert beside_what_is_told > CHARTS // 10


def test_a_list_that_failed_makes_no_fact_silent_that_reads_it():
    policy = policy_of(RULE_SETS[0])
    keys = dict(library().prefetch_keys)
    whole = {key: {"resourceType": "Bundle", "entry": []} for key in keys}
    silent = library().silences(policy).facts.facts
    asked: set[str] = set()
    for key, kind in keys.items():
        known = known_of(policy, chart_of(policy, whole | {key: {"resourceType": "OperationOutcome"}}), silence=True)
        reading = [name for name, item in silent.items() if kind in item.types and name in known.whole]
        asked.update(reading)
        assert not any(known.whole[name] is silent[name].fact for name in reading)
    assert asked


def test_phrases_are_found_by_how_they_begin_wherever_they_stand():
    phrases = tuple(f" {phrase} " for phrase in ("low back pain", "low back", "back", "pain score", "w o contrast"))
    index = PhraseIndex(phrases)
    for text in ("Low back pain", "MRI, low-back W/O contrast", "backs", "pain", "score of pain; pain score", ""):
        plain = words(text)
        assert set(index.found_in(FreeText(text))) == {phrase for phrase in phrases if phrase in plain}
