"""Records that contradict a criterion: no answer outweighs them, but one given despite the same record."""

from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import pytest

from cds_service.chart.chart import Chart
from cds_service.chart.code_index import Lexicon
from cds_service.facts import gather
from cds_service.facts.logic import Truth
from cds_service.fhir.dates import days
from cds_service.policy import prefetch_templates
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import Contrary, Criterion, FactRule, Policy
from cds_service.verdicts import criteria
from tests import shipped
from tests.charts import ME, chart_of, patient

CHARTS = 10_000
SEED = 20261129
DAYS = ("2026-02-14", "2026-07", "2026-10-01", "2026-11-16", "2026-11-20", "2026", None)
WHEN_ANSWERED = ("2026-09-01", "2026-11-16", "2026-11-20")
NURSE = {"resourceType": "PractitionerRole", "id": "r", "code": [{"text": "Registered nurse"}]}
AUTHORS: dict[str, dict[str, Any]] = {
    "clinician": {"author": {"reference": "Practitioner/p", "display": "Dr. A. Example"}},
    "staff": {"author": {"reference": "#r", "display": "R. Example"}, "contained": [NURSE]},
    "patient": {"author": ME},
    "nobody": {},
}


class Contradiction(NamedTuple):
    """A record, and the criteria that it contradicts."""

    resource: dict[str, Any]
    criteria: frozenset[str]
    day: str | None


class Answer(NamedTuple):
    """What a form says of one criterion: yes, by whom, when, and despite which record for which reason."""

    criterion: str
    by: str
    day: str
    despite: str | None
    why: str | None


class Statement:
    """The criteria of a shipped policy that records contradict, with what a random chart needs to know of them."""

    def __init__(self, policy: Policy) -> None:
        # What is found by words is held in tests/spec/kinds/test_words.py.
        recorded = (
            replace(item, contrary=tuple(entry for entry in item.contrary if not _is_of_words(policy, entry)))
            for item in policy.criteria
        )
        self.contradicted = [item for item in recorded if item.contrary]
        read = {name for item in self.contradicted for name in (*item.test.facts(), *item.beside)}
        # What the other criteria read would be worked out for each chart, and looked at by nobody.
        self.policy = replace(policy, facts={name: rule for name, rule in policy.facts.items() if name in read})
        sets = [codes for name in read for codes in _sets_of(policy.facts[name])]
        self.keys = prefetch_templates.keys([policy])
        self.lexicon = Lexicon([sets])
        self.forms = shipped.library().questionnaires(policy)
        self.form = f"{shipped.BASE}/Questionnaire/{policy.id}|{policy.edition}"

    def items(self, criterion: Criterion) -> list[str]:
        """The linkIds under which a yes meets the criterion."""
        part = f".{self.policy.scope.parts[0].id}" if criterion.per_part and self.policy.scope else ""
        rules = [self.policy.facts[name] for name in criterion.test.facts()]
        return [f"{rule.item}{part if rule.per_part else ''}" for rule in rules if rule.item]

    def found(self, resources: list[dict[str, Any]]) -> dict[str, Truth]:
        sent: dict[str, Any] = {key: {"resourceType": "Bundle", "entry": []} for key in self.keys}
        sent["patient"] = patient()
        for resource in resources:
            key = prefetch_templates.key_of(resource["resourceType"])
            sent[key]["entry"].append({"resource": resource})
        on_record: Chart = chart_of(sent, self.keys, self.policy.resource_types | {"Patient"}, self.lexicon)
        known = gather.gather(self.policy, on_record, self.forms, shipped.TODAY)
        findings = criteria.find(self.policy, self.contradicted, known, on_record)
        return {name: finding.truth for name, finding in findings.items()}


def _is_of_words(policy: Policy, entry: Contrary) -> bool:
    return policy.facts[entry.fact].kind.is_of_words


def _sets_of(rule: FactRule) -> list[CodeSet]:
    return [codes for codes in (rule.codes, rule.site, rule.reason) if codes is not None]


def coded(codes: CodeSet, random: Random) -> dict[str, Any]:
    """A concept that a code set recognizes: by one of its codes, or by words alone."""
    # Words that count only beside others recognize nothing alone.
    phrases = [phrase for phrase in codes.phrases if phrase not in codes.together]
    # An ingredient has no code of its own: products of it are recognized.
    rows = [row for row in codes.codes if row.code]
    if rows and (not phrases or random.random() < 0.8):
        row = random.choice(rows)
        return {"coding": [{"system": row.system, "code": row.code}]}
    return {"text": random.choice(phrases).strip()}


def record_of(rule: FactRule, number: int, day: str | None, random: Random) -> dict[str, Any]:
    """A record that counts for a fact, of that day."""
    kind = random.choice(rule.resources)
    assert rule.codes is not None
    concept = coded(rule.codes, random)
    resource: dict[str, Any] = {"resourceType": kind, "id": f"r{number}", "subject": ME}
    if kind == "Condition":
        resource |= {
            "code": concept,
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "verificationStatus": {"coding": [{"code": "confirmed"}]},
            "recordedDate": day,
        }
    elif kind == "Procedure":
        resource |= {"code": concept, "status": "completed", "performedDateTime": day}
    else:
        resource |= {"medicationCodeableConcept": concept, "status": "active", "intent": "order", "authoredOn": day}
        resource |= {"effectiveDateTime": day} if kind == "MedicationStatement" else {}
    if rule.reason is not None:
        resource["reasonCode"] = [coded(rule.reason, random)]
    if rule.site is not None:
        resource["bodySite"] = [{"text": random.choice(rule.site.phrases).strip()}]
    return {name: value for name, value in resource.items() if value is not None}


def form_of(statement: Statement, answer: Answer, number: int) -> dict[str, Any]:
    """The form of one answer: a yes to all that the criterion asks, with what stands beside it."""
    criterion = statement.policy.criterion(answer.criterion)
    links = statement.items(criterion)
    items: list[dict[str, Any]] = [{"linkId": link, "answer": [{"valueBoolean": True}]} for link in links]
    for link in links:
        if answer.despite:
            named = {"valueReference": {"reference": answer.despite}}
            items.append({"linkId": f"{link}.despite", "answer": [named]})
        if answer.why:
            items.append({"linkId": f"{link}.despite-why", "answer": [{"valueString": answer.why}]})
    return {
        "resourceType": "QuestionnaireResponse",
        "id": f"q{number}",
        "subject": ME,
        "status": "completed",
        "questionnaire": statement.form,
        "authored": answer.day,
        "item": items,
        **AUTHORS[answer.by],
    }


def random_chart(statement: Statement, random: Random) -> tuple[list[Contradiction], list[Answer]]:
    """Records that contradict one or two criteria, or none, and answers to these."""
    chosen = random.sample(statement.contradicted, k=random.choice((1, 1, 2)))
    records = []
    for number in range(random.choice((0, 1, 1, 2))):
        rule = statement.policy.facts[random.choice(random.choice(chosen).contrary).fact]
        bearing = frozenset(
            item.id for item in statement.contradicted if any(entry.fact == rule.name for entry in item.contrary)
        )
        day = random.choice(DAYS)
        records.append(Contradiction(record_of(rule, number, day, random), bearing, day))
    answers = []
    for criterion in chosen:
        for _ in range(random.choice((1, 1, 2))):
            named = [f"{item.resource['resourceType']}/{item.resource['id']}" for item in records] + ["Condition/other"]
            answers.append(
                Answer(
                    criterion.id,
                    random.choice(("clinician", "clinician", "clinician", "staff", "patient", "nobody")),
                    random.choice(WHEN_ANSWERED),
                    random.choice(named) if random.random() < 0.6 else None,
                    "examined: not so" if random.random() < 0.8 else None,
                )
            )
    return records, answers


def is_answered(record: Contradiction, criterion: str, answers: list[Answer]) -> bool:
    """Whether some answer was given despite that record, with a reason, by a clinician, no earlier than it."""
    name = f"{record.resource['resourceType']}/{record.resource['id']}"
    return any(
        answer.criterion == criterion
        and answer.by == "clinician"
        and answer.despite == name
        and answer.why
        and (record.day is None or days(record.day).last <= days(answer.day).first)
        for answer in answers
    )


@pytest.mark.parametrize("policy", shipped.library().policies, ids=lambda policy: policy.id)
def test_no_criterion_is_met_while_an_active_contrary_record_stands_against_it_unanswered(policy):
    statement, random = Statement(policy), Random(f"{SEED} {policy.id}")
    met = met_in_spite = contradicted = 0
    for _ in range(CHARTS // len(shipped.library().policies)):
        records, answers = random_chart(statement, random)
        forms = [form_of(statement, answer, number) for number, answer in enumerate(answers)]
        truths = statement.found([*(item.resource for item in records), *forms])
        for name, truth in truths.items():
            criterion = name.partition(" ")[0]
            against = [item for item in records if criterion in item.criteria]
            contradicted += bool(against)
            if truth is not Truth.MET:
                continue
            met += 1
            met_in_spite += bool(against)
            unanswered = [item for item in against if not is_answered(item, criterion, answers)]
            assert not unanswered, (name, unanswered, answers)
    assert min(met, met_in_spite, contradicted) > 100, (met, met_in_spite, contradicted)
