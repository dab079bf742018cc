"""An attested answer does not settle a criterion while a record contradicts it or while records were not read."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.authoring.cases import told
from tests.shipped import answers, example, guide, truths

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"
RESTORATIVE = "https://cds-service.example/fhir/Questionnaire/isass-restorative-neurostimulation-2023|2023"
YES_OR_NO = [
    "physical-therapy", "pain-medication", "not-surgical-candidate", "can-operate-device", "fit-for-implant",
    "scoliosis", "structural-cause", "prior-lumbar-surgery", "leg-pain",
]  # fmt: skip


def patient_of(request: dict[str, Any]) -> dict[str, str]:
    return {"reference": f"Patient/{request['context']['patientId']}"}


def with_resource(request: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    """The call with one more resource of its patient."""
    changed = copy.deepcopy(request)
    kind = resource["resourceType"]
    key = kind[0].lower() + kind[1:]
    found = changed["prefetch"][key]
    bundle = found if isinstance(found, dict) and found.get("resourceType") == "Bundle" else {"resourceType": "Bundle"}
    entry = {"resource": resource | {"subject": patient_of(request)}}
    changed["prefetch"][key] = bundle | {"entry": [*bundle.get("entry", []), entry]}
    return changed


def diagnosis(code: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": "found",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": {"coding": [{"system": ICD, "code": code}]},
        "recordedDate": "2026-11-20",
    } | more


def operation(code: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "id": "found",
        "status": "completed",
        "code": {"coding": [{"system": CPT, "code": code}]},
        "performedDateTime": "2016-05-02",
    } | more


def form(given_on: str, **items: Any) -> dict[str, Any]:
    return {
        "resourceType": "QuestionnaireResponse",
        "id": f"form-{given_on}",
        "questionnaire": RESTORATIVE,
        "status": "completed",
        "authored": given_on,
        "author": {"reference": "Practitioner/surgeon", "display": "Dr. A. Example"},
        "item": [
            {
                "linkId": name.replace("_", "-"),
                "answer": [{"valueBoolean" if isinstance(value, bool) else "valueDecimal": value}],
            }
            for name, value in items.items()
        ],
    }


def said(request: dict[str, Any], criterion: str) -> tuple[str, str, str, list[str]]:
    """A criterion's truth and reason, what card and evidence say, and the references that the criterion names."""
    (answer,) = answers(request)
    finding = answer.decision.findings[criterion]
    named = [item.reference for item in (*finding.evidence, *finding.contrary)]
    return finding.truth.value, finding.reason, told(answer), named


def offers_codes(request: dict[str, Any]) -> bool:
    (answer,) = answers(request)
    return answer.outcome.suggests


FAILURES: dict[str, Any] = {
    "failed": lambda bundle: {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "exception"}],
    },
    "a first page": lambda bundle: bundle | {"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]},
    "in part": lambda bundle: (
        bundle
        | {
            "entry": [
                *bundle.get("entry", []),
                {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}},
            ]
        }
    ),
    "half, and a next link": lambda bundle: (
        bundle
        | {
            "entry": bundle.get("entry", [])[::2],
            "link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}],
        }
    ),
    "missing": None,
}


def failing(request: dict[str, Any], key: str, how: str) -> dict[str, Any]:
    """The same call, of which one prefetch key failed."""
    changed = copy.deepcopy(request)
    if FAILURES[how] is None:
        del changed["prefetch"][key]
    else:
        found = changed["prefetch"][key]
        bundle = found if isinstance(found, dict) and found.get("resourceType") == "Bundle" else {"entry": []}
        changed["prefetch"][key] = FAILURES[how]({"resourceType": "Bundle", "type": "searchset"} | bundle)
    return changed


def test_the_documented_charts_settle_every_criterion():
    assert set(truths(example("all-met")).values()) == {"met"}
    assert "unknown" not in truths(example("joint-all-documented")).values()


@pytest.mark.parametrize(
    ("record", "criteria"),
    [
        (diagnosis("G83.4"), ["not-surgical-candidate", "structural-cause"]),
        (diagnosis("F03.90"), ["can-operate-device"]),
        (diagnosis("Z79.01"), ["fit-for-implant"]),
        (diagnosis("M41.9"), ["scoliosis"]),
        (diagnosis("M54.16"), ["leg-pain", "structural-cause"]),
        (diagnosis("M96.1"), ["prior-lumbar-surgery"]),
        (operation("22634"), ["prior-lumbar-surgery"]),
        (operation("63030"), ["prior-lumbar-surgery"]),
    ],
    ids=[
        "cauda equina",
        "dementia",
        "anticoagulant",
        "scoliosis",
        "radiculopathy",
        "laminectomy",
        "fusion",
        "discectomy",
    ],
)
def test_a_record_that_contradicts_an_answer_is_named_beside_it(record, criteria):
    request = with_resource(example("all-met"), record)
    assert {name for name, truth in truths(request).items() if truth != "met"} == set(criteria)
    for criterion in criteria:
        truth, reason, detail, named = said(request, criterion)
        assert truth == "unknown"
        assert "record and attestation disagree" in reason
        assert any(name.startswith("QuestionnaireResponse/") for name in named)
        assert f"{record['resourceType']}/found" in named
        assert "**Conflict:**" in detail or criterion == "leg-pain"


@pytest.mark.parametrize(
    ("record", "codes"),
    [
        *((diagnosis(code), False) for code in ("G83.4", "F03.90", "Z79.01")),
        *((record, True) for record in (diagnosis("M41.9"), diagnosis("M96.1"), operation("63030"))),
    ],
)
def test_a_conflict_about_a_contraindication_or_an_urgent_record_takes_the_codes_away(record, codes):
    assert offers_codes(with_resource(example("all-met"), record)) is codes


def test_an_answer_that_does_not_meet_a_criterion_stays_not_met_beside_a_record_against_it():
    request = with_resource(example("all-met"), form("2026-11-22", structural_cause=False))
    assert truths(with_resource(request, diagnosis("G83.4")))["structural-cause"] == "not-met"


def test_a_resolved_record_contradicts_no_answer():
    resolved = diagnosis("G83.4", clinicalStatus={"coding": [{"code": "resolved"}]})
    assert set(truths(with_resource(example("all-met"), resolved)).values()) == {"met"}


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize(
    ("key", "criteria"),
    [
        ("condition", ["fit-for-implant", "structural-cause", "not-surgical-candidate", "can-operate-device"]),
        ("procedure", ["prior-lumbar-surgery", "scoliosis", "physical-therapy"]),
        ("medicationStatement", ["fit-for-implant", "pain-medication"]),
    ],
)
def test_an_answer_settles_nothing_while_a_list_behind_its_criterion_is_not_whole(key, criteria, how):
    request = failing(example("all-met"), key, how)
    for criterion in criteria:
        truth, reason, detail, _ = said(request, criterion)
        assert truth == "unknown"
        assert "not read in full: " in detail
        assert reason


@pytest.mark.parametrize("how", FAILURES)
def test_an_older_answer_does_not_stand_for_scores_that_were_not_read(how):
    request = with_resource(example("all-met"), form("2026-11-10", pain_severity=8))
    assert truths(request)["pain-severity"] == "met"
    truth, _, detail, _ = said(failing(request, "observation", how), "pain-severity")
    assert truth == "unknown"
    assert "not read in full: measurements" in detail


@pytest.mark.parametrize(
    ("record", "criteria"),
    [
        (diagnosis("M46.46", recordedDate="last week"), ["fit-for-implant", "structural-cause"]),
        (diagnosis("M46.46", verificationStatus=7), ["fit-for-implant", "structural-cause"]),
        (diagnosis("F03.90", onsetPeriod="2024"), ["can-operate-device"]),
        (operation("63047", performedDateTime="in spring"), ["prior-lumbar-surgery"]),
    ],
    ids=["a date", "a verification status", "a period", "an operation's date"],
)
def test_an_unreadable_record_of_an_exclusion_is_named_and_keeps_the_criterion_open(record, criteria):
    request = with_resource(example("all-met"), record)
    for criterion in criteria:
        truth, reason, detail, _ = said(request, criterion)
        assert truth == "unknown"
        assert f"{record['resourceType']}/found" in reason
        assert f"{record['resourceType']}/found" in detail


def test_a_recorded_onset_held_open_only_by_unread_answers_withholds_no_codes():
    request = failing(example("typical-gaps"), "questionnaireResponse", "failed")
    assert truths(request)["pain-duration"] == "unknown"
    assert offers_codes(request)


@pytest.mark.parametrize("key", ["observation", "questionnaireResponse", "medicationRequest"])
def test_an_active_infection_is_not_met_whatever_else_failed(key):
    request = failing(with_resource(example("all-met"), diagnosis("M46.46")), key, "failed")
    assert truths(request)["fit-for-implant"] == "not-met"


def test_a_measured_onset_is_met_although_the_problem_list_goes_on():
    request = failing(example("all-met"), "condition", "a first page")
    assert truths(request)["pain-duration"] == "met"


def test_blocks_of_a_form_do_not_count_while_the_procedures_were_not_read():
    request = example("joint-all-documented")
    settled = {name: truth for name, truth in truths(request).items() if name.startswith("block")}
    assert set(settled.values()) == {"met"}
    after = truths(failing(request, "procedure", "failed"))
    assert {after[name] for name in settled} == {"unknown"}


CONTRADICTING = [
    diagnosis("G83.4"), diagnosis("F03.90"), diagnosis("Z79.01"), diagnosis("M46.46"), diagnosis("M41.9"),
    diagnosis("M54.16"), diagnosis("C41.4"), diagnosis("M45.8"), diagnosis("M79.7"), diagnosis("M16.11"),
    diagnosis("M46.48"), diagnosis("S32.10XA"), diagnosis("M54.59", onsetDateTime="2026-11-01"),
    diagnosis("M46.1", onsetDateTime="2026-10-01"), diagnosis("M46.46", recordedDate="soon"),
    operation("22633"), operation("63030"), operation("27279"), operation("22612", performedDateTime="unclear"),
]  # fmt: skip
CHARTS = [
    "all-met",
    "conflicting-data",
    "broken-resources",
    "joint-all-documented",
    "joint-both-sides",
    "joint-typical-gaps",
]


@st.composite
def charts(draw: st.DrawFn) -> dict[str, Any]:
    """An attested chart, with records and later or earlier answers that may say otherwise."""
    request = example(draw(st.sampled_from(CHARTS)))
    for number, record in enumerate(draw(st.lists(st.sampled_from(CONTRADICTING), max_size=3))):
        request = with_resource(request, record | {"id": f"found-{number}"})
    for day in draw(st.sets(st.sampled_from(["2026-10-01", "2026-11-22"]))):
        items: dict[str, Any] = draw(st.dictionaries(st.sampled_from(YES_OR_NO), st.booleans(), max_size=3))
        score = draw(st.none() | st.integers(0, 10))
        request = with_resource(request, form(day, **items, **({} if score is None else {"pain-severity": score})))
    return request


@settings(max_examples=60, deadline=None)
@given(
    request=charts(),
    key=st.sampled_from([key for key in guide().library.prefetch_keys if key not in ("patient", "coverage")]),
    how=st.sampled_from(list(FAILURES)),
)
def test_a_source_that_fails_settles_nothing_newly(request, key, how):
    before, after = truths(request), truths(failing(request, key, how))
    changed = {name: (before.get(name), truth) for name, truth in after.items() if truth != before.get(name)}
    assert all(now == "unknown" for _, now in changed.values()), changed


@settings(max_examples=60, deadline=None)
@given(request=charts(), key=st.sampled_from([key for key in guide().library.prefetch_keys if key != "patient"]))
def test_a_source_that_failed_makes_no_verdict_firmer(request, key):
    before, after = verdicts(request), verdicts(failing(request, key, "failed"))
    changed = {name: (before.get(name), word) for name, word in after.items() if word != before.get(name)}
    assert all(now == "unknown" for _, now in changed.values()), changed


def verdicts(request: dict[str, Any]) -> dict[str, str]:
    (answer,) = answers(request)
    return {verdict.rule.id: verdict.truth.value for verdict in answer.decision.verdicts}


# --- dates in part ----------------------------------------------------------------------------------------------------

# The service is asked on 23 November 2026.
REFINED = {
    "2026": ("2026-01", "2026-01-01", "2026-06", "2026-11-22", "2026-11-23", "2026-11-24", "2026-12-31"),
    "2026-11": ("2026-11-01", "2026-11-22", "2026-11-23", "2026-11-24", "2026-11-30"),
    "2026-05": ("2026-05-01", "2026-05-26", "2026-05-27", "2026-05-31"),
    "2025": ("2025-01", "2025-01-01", "2025-11", "2025-11-22", "2025-11-24", "2025-12-31"),
}


def without(resource: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in names}


def pain_score(day: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "found",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "72514-3"}]},
        "effectiveDateTime": day,
        "valueQuantity": {"value": 3},
    }


MADE_ON = [
    pytest.param(
        lambda day: without(diagnosis("M46.46", abatementDateTime=day), "clinicalStatus"),
        id="the end of an infection",
    ),
    pytest.param(
        lambda day: without(diagnosis("M46.46", onsetDateTime=day), "recordedDate"),
        id="the begin of an infection",
    ),
    pytest.param(
        lambda day: diagnosis("M46.46", recordedDate=day),
        id="the record of an infection",
    ),
    pytest.param(
        pain_score,
        id="a low score beside one of a day",
    ),
    pytest.param(
        lambda day: form(day, scoliosis=False, physical_therapy=False),
        id="a form beside one of a day",
    ),
    pytest.param(lambda day: diagnosis("M54.59", onsetDateTime=day), id="the onset of pain"),
    pytest.param(lambda day: operation("63030", performedDateTime=day), id="an operation"),
    pytest.param(lambda day: operation("27096", performedDateTime=day), id="an injection"),
]


@pytest.mark.parametrize("made_on", MADE_ON)
def test_a_date_known_more_closely_never_turns_met_into_not_met_or_back(made_on):
    turned = [
        (chart, partial, day, name)
        for chart in ("all-met", "joint-all-documented")
        for partial, refined in REFINED.items()
        for before in [truths(with_resource(example(chart), made_on(partial)))]
        for day in refined
        for name, truth in truths(with_resource(example(chart), made_on(day))).items()
        if {before[name], truth} == {"met", "not-met"}
    ]
    assert turned == []
