"""An answered form in the EHR: what is written, that it is there, and what becomes of every refusal."""

import json
from datetime import date
from typing import Any

import pytest

from cds_service.chart.chart import Chart
from cds_service.clock import Deadline
from cds_service.documentation import writing
from cds_service.documentation.answers import FormAnswer
from cds_service.documentation.resources import FormOccasion, ResponseWriter, Signer
from cds_service.documentation.writing import EhrWriter, WriteRefusal
from cds_service.ehr.received import OutgoingError, Received
from cds_service.facts import gather
from cds_service.facts.attesters import DEFAULT_ACCEPTS
from cds_service.facts.evidence import Fact
from cds_service.fhir.models import problems
from cds_service.questionnaire.questions import groups, questions
from tests.form_ehr import BASE, FormEhr, registration
from tests.shipped import library

RULES = library().policy("isass-restorative-neurostimulation-2023")
assert RULES is not None
CANONICAL = "https://cds.example"
ASKED = {item.link_id: item for item in questions(RULES)}
SIGNER = Signer("Practitioner/dr-1", "Dr. Alex Example", "207XS0117X", "Orthopedic surgeon of the spine")
OCCASION = FormOccasion("form-1", "Patient/p1", ("Coverage/c1",), ("ServiceRequest/o1",), "2026-11-29T10:00:00+00:00")
ANSWERS = [
    FormAnswer(
        ASKED["can-operate-device"],
        True,
        "2026-11-02",
        ("DocumentReference/n1",),
        "clinic note",
        "",
        ("Condition/d",),
        "mild",
    ),
    FormAnswer(ASKED["fit-for-implant"], False, why_not="an <open> wound"),
    FormAnswer(ASKED["disability"], "44", "2026-11-01"),
]


def writer() -> ResponseWriter:
    return ResponseWriter(RULES, "https://cds.example", groups(RULES), OCCASION, SIGNER)


def ehr_writer(ehr: FormEhr, **app) -> EhrWriter:
    return EhrWriter(ehr, registration(**app), "token", Deadline(5))


def created(ehr: FormEhr):
    maker = writer()
    return ehr_writer(ehr).create(maker.response(ANSWERS, status="completed"), unless=maker.identifier, read_back=True)


def test_a_draft_that_names_no_role_yet_is_fhir():
    by = SIGNER._replace(role_code="", role="")
    draft = ResponseWriter(RULES, "https://cds.example", groups(RULES), OCCASION, by).response(
        ANSWERS, status="in-progress"
    )
    assert list(problems(draft)) == []


@pytest.mark.parametrize("status", ["completed", "in-progress"])
def test_the_response_is_fhir(status):
    response = writer().response(ANSWERS, status=status)
    assert list(problems(response)) == []
    assert response["questionnaire"].endswith("|2023")
    assert ("attester" in json.dumps(response["item"])) == (status == "completed")


def test_the_other_resources_are_fhir():
    maker = writer()
    response = maker.response(ANSWERS, status="completed")
    (score,) = maker.observations(ANSWERS, "QuestionnaireResponse/1")
    assert score["valueQuantity"] == {"value": 44, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    for resource in (
        score,
        maker.provenance(["QuestionnaireResponse/1"], "QuestionnaireResponse/1"),
        maker.document(response),
    ):
        assert list(problems(resource)) == []


def test_a_score_of_the_chart_is_not_written_again():
    assert (
        writer().observations([FormAnswer(ASKED["disability"], "44", is_found=True)], "QuestionnaireResponse/1") == []
    )


def test_the_narrative_shows_what_users_wrote_as_text():
    div = writer().response(ANSWERS, status="completed")["text"]["div"]
    assert "an &lt;open&gt; wound" in div
    assert "Dr. Alex Example" in div


def replace_occasion(form: str, authored: str) -> ResponseWriter:
    """Who makes the resources of another form."""
    occasion = OCCASION._replace(form=form, authored=authored)
    return ResponseWriter(RULES, CANONICAL, groups(RULES), occasion, SIGNER)


def read(resources: list[dict[str, Any]]) -> list[Fact]:
    """The facts of a chart that holds these resources, as the next call reads them."""
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1978-05-28"}
    types, lexicon = library().policy_reads.of([RULES])
    came: dict[str, list[dict[str, Any]]] = {"Patient": [patient]}
    for resource in resources:
        came.setdefault(resource["resourceType"], []).append(resource)
    chart = Chart.of(came, {}, patient_id="p1", types=types, lexicon=lexicon)
    form = f"{CANONICAL}/Questionnaire/{RULES.id}|{RULES.edition}"
    known = gather.gather(RULES, chart, frozenset({form}), date(2026, 11, 29), None, accepts=DEFAULT_ACCEPTS)
    return list(known.whole.values())


def test_what_is_written_is_what_the_next_call_reads():
    known = read([writer().response(ANSWERS, status="completed") | {"id": "r1"}])
    fact = next(fact for fact in known if fact.rule.item == "can-operate-device")
    (shown,) = fact.evidence
    assert (fact.values, shown.attested.by, shown.attested.kind) == ((True,), "Dr. Alex Example", "clinician")
    assert (shown.attested.observed, shown.attested.in_spite_of[0].reference) == ("2026-11-02", "Condition/d")


def test_of_two_forms_the_newer_one_counts_and_the_numbers_that_were_copied_from_both_contradict_neither():
    older = replace_occasion("form-1", "2026-11-27T10:00:00+00:00")
    newer = replace_occasion("form-2", "2026-11-29T10:00:00+00:00")
    chart = []
    for number, (maker, score, operates) in enumerate(((older, "44", False), (newer, "57", True)), 1):
        given = [FormAnswer(ASKED["disability"], score), FormAnswer(ASKED["can-operate-device"], operates)]
        (copy,) = maker.observations(given, f"QuestionnaireResponse/r{number}")
        chart += [maker.response(given, status="completed") | {"id": f"r{number}"}, copy | {"id": f"o{number}"}]
    known = read(chart)
    assert {fact.values for fact in known if fact.rule.item == "can-operate-device"} == {(True,)}
    assert {fact.values for fact in known if fact.rule.item == "disability"} == {((57.0, 57.0),)}


def test_what_a_newer_form_does_not_answer_an_older_one_still_does():
    older = replace_occasion("form-1", "2026-11-27T10:00:00+00:00")
    newer = replace_occasion("form-2", "2026-11-29T10:00:00+00:00")
    first = older.response([FormAnswer(ASKED["can-operate-device"], True)], status="completed") | {"id": "r1"}
    second = newer.response([FormAnswer(ASKED["fit-for-implant"], True)], status="completed") | {"id": "r2"}
    known = {fact.rule.item: fact.values for fact in read([first, second])}
    assert (known["can-operate-device"], known["fit-for-implant"]) == ((True,), (True,))


def test_saved_is_said_after_it_was_read_again():
    ehr = FormEhr()
    done = created(ehr)
    assert (done.reference, done.read_back, done.refusal) == ("QuestionnaireResponse/new-1", True, None)
    methods = [(method, url.removeprefix(BASE)) for method, url, _, _ in ehr.calls]
    assert methods == [("POST", "/QuestionnaireResponse"), ("GET", "/QuestionnaireResponse/new-1")]


def test_a_second_try_makes_no_second_one():
    ehr = FormEhr()
    assert created(ehr).reference == created(ehr).reference
    assert len(ehr.wrote) == 1


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        ((401, {}), WriteRefusal.SIGNED_OUT),
        ((403, {}), WriteRefusal.FORBIDDEN),
        ((404, {}), WriteRefusal.UNSUPPORTED),
        ((405, {}), WriteRefusal.UNSUPPORTED),
        ((409, {}), WriteRefusal.CHANGED),
        ((412, {}), WriteRefusal.CHANGED),
        ((422, {}), WriteRefusal.INVALID),
        ((500, {}), WriteRefusal.UNAVAILABLE),
        (OutgoingError("timeout"), WriteRefusal.UNAVAILABLE),
        (OutgoingError("unreachable"), WriteRefusal.UNAVAILABLE),
        ((200, {"resourceType": "Bundle"}), WriteRefusal.UNREADABLE),
    ],
)
def test_each_refusal_is_named(answer, refusal):
    ehr = FormEhr()
    ehr.answers["POST", "/QuestionnaireResponse"] = answer
    done = created(ehr)
    assert (done.reference, done.refusal) == ("", refusal)


def test_what_the_ehr_says_of_a_refusal_is_reported():
    ehr = FormEhr()
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "subject is unknown"}]}
    ehr.answers["POST", "/QuestionnaireResponse"] = (422, outcome)
    assert created(ehr).said == "subject is unknown"


@pytest.mark.parametrize(
    ("location", "reference"),
    [
        (f"{BASE}/QuestionnaireResponse/7/_history/1", "QuestionnaireResponse/7"),
        ("QuestionnaireResponse/7", "QuestionnaireResponse/7"),
        ("http://inner:8080/fhir/QuestionnaireResponse/7", "QuestionnaireResponse/7"),
        (f"{BASE}/Patient/7", ""),
        ("https://evil.example/x", ""),
        (f"{BASE}/QuestionnaireResponse/../7", ""),
        ("", ""),
    ],
)
def test_where_it_was_put_is_read_below_the_server_alone(location, reference):
    ehr = FormEhr()
    ehr.post = lambda url, body, **options: Received(201, "", b"", url, location=location)  # type: ignore[method-assign]
    assert created(ehr).reference == reference


def test_what_cannot_be_read_again_is_not_said_to_be_saved():
    ehr = FormEhr()
    ehr.answers["GET", "/QuestionnaireResponse/new-1"] = (403, {})
    done = created(ehr)
    assert (done.reference, done.read_back) == ("QuestionnaireResponse/new-1", False)


@pytest.mark.parametrize(
    ("granted", "app", "form", "observations"),
    [
        ("patient/QuestionnaireResponse.crus patient/Observation.c", {}, "QuestionnaireResponse", True),
        ("patient/QuestionnaireResponse.crus", {}, "QuestionnaireResponse", False),
        (
            "patient/QuestionnaireResponse.crus patient/Observation.c",
            {"observations": False},
            "QuestionnaireResponse",
            False,
        ),
        ("patient/QuestionnaireResponse.rs patient/DocumentReference.crs", {}, "DocumentReference", False),
        ("patient/QuestionnaireResponse.crus", {"writes": ()}, "", False),
        ("openid", {}, "", False),
    ],
)
def test_what_will_be_written_is_what_was_granted(granted, app, form, observations):
    plan = writing.plan(registration(**app), granted)
    assert (plan.form, plan.observations) == (form, observations)


def test_the_next_rung_is_the_next_type_that_may_be_written():
    both = "patient/QuestionnaireResponse.c patient/DocumentReference.c"
    assert writing.next_rung(registration(), both, "QuestionnaireResponse") == "DocumentReference"
    assert writing.next_rung(registration(), both, "DocumentReference") == ""
    assert writing.next_rung(registration(), "patient/QuestionnaireResponse.c", "QuestionnaireResponse") == ""
