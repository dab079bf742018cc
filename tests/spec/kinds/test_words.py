"""The kind of fact `words`."""

import base64

import pytest

from cds_service.errors import PolicyError
from tests.charts import MINIMAL, named
from tests.loading import policy_of
from tests.spec.pieces import HUM, Json, answered, is_yes
from tests.spec.tables import Row, Table, held

HOARSE = {
    "kind": "words",
    "title": "Hoarseness in the words of a report",
    "codes": "hoarseness",
    "resources": ["DiagnosticReport", "DocumentReference", "Observation", "Condition", "Procedure"],
    "state": "ever",
    "when_absent": "unknown",
}
SETS = {
    "hoarseness": {
        "title": "Hoarseness",
        "text": ["hoarse"],
        "text_together": {"any_of": ["raspy", "rough"], "beside": ["voice", "larynx"]},
        "unless": ["dog"],
        "codes": ["SNOMED CT|50219008"],
    },
    "larynx-image": {"title": "Image of the larynx", "text": ["mri larynx"], "codes": []},
}
AGAINST = {"fact": "hoarse", "says": "a report says so", "source": "primer"}
SHOWN = {"contrary": [AGAINST | {"to_confirm": True}]}


def report(words: str | None = None, **more) -> Json:
    return {"image": {"report": "", "text": "MRI larynx", "date": "2026-02-01", "words": words} | more}


def shows(*words: str, truth: str = "unknown", omits: tuple[str, ...] = ()) -> Json:
    return {"criteria": {"asked": truth}, "says": list(words), "omits": list(omits)}


WORDS = Table(
    "words",
    "Found if the free text of `resources` contains a phrase of `codes`: in a conclusion, a report as text or HTML, "
    "an impression among the results, a value, or a note. `said` states how the text must use the phrase: `so` (also "
    "suspected), `not so`, or `either`. Words of `text_together` also count beside the record's name. `records` "
    "limits which records the service reads, `expected_of` names the records for which the card reports that no words "
    "were sent or read, and `number` describes a number to read beside its words. The service shows the sentence as "
    "written, to be confirmed. No test may read this fact: it is a hint, contrary, or for review.",
    {"hum": HUM, "hoarse": HOARSE},
    is_yes("hum"),
    (
        Row("attested, nothing in words", answered(hum=True), "met"),
        Row("attested, and a report says so", answered(hum=True) | report("Hoarse."), "unknown"),
        Row("attested, and a report denies it", answered(hum=True) | report("Not hoarse."), "met"),
        Row("a report alone", report("Hoarse."), "unknown"),
        Row("attested no, and a report denies it", answered(hum=False) | report("Not hoarse."), "not-met"),
    ),
    sets=SETS,
    beside={"contrary": [AGAINST]},
)
CONFIRMED = Table(
    "",
    "",
    WORDS.facts,
    WORDS.test,
    (
        Row("to confirm, beside an answer", answered(hum=True) | report("Hoarse."), "met"),
        Row(
            "to confirm, shown while met",
            answered(hum=True) | report("Hoarse since May."),
            "",
            expect=shows("MRI larynx: “Hoarse since May.”, 2026-02-01 (by its words, to confirm)", truth="met"),
        ),
    ),
    sets=SETS,
    beside=SHOWN,
)


def _hinted(**more) -> Table:
    """The kind as a hint, with more members."""
    return Table(
        "",
        "",
        {"hum": HUM, "hoarse": HOARSE | more},
        is_yes("hum"),
        (),
        sets=SETS,
        beside={"hints": [{"fact": "hoarse", "says": "a report says so", "settled_by": "a second ear"}]},
    )


TABLES = (WORDS, CONFIRMED)

test_rows = held(*TABLES)


def differences(table: Table, items: Json, expect: Json) -> tuple[str, ...]:
    return table.differences(Row("", items, "", expect=expect))


@pytest.mark.parametrize(
    ("words", "quote"),
    named(
        ("a phrase", "The patient is hoarse.", "The patient is hoarse."),
        ("a suspicion", "Possibly hoarse.", "Possibly hoarse."),
        ("one of two sentences", "Gait normal. Hoarse voice.", "Hoarse voice."),
        ("the last, which sums up", "Slightly hoarse.\nImpression: very hoarse.", "very hoarse."),
        ("a line broken for its length", "The patient is\nhoarse.", "The patient is hoarse."),
        ("words together", "The voice is raspy.", "The voice is raspy."),
        ("words beside the report's own name", "Raspy.", "Raspy."),
        ("below a heading of findings", "INDICATION: cough\nFINDINGS: hoarse", "hoarse"),
    ),
)
def test_what_a_report_says_is_shown_as_written_and_confirmed_by_somebody(words, quote):
    said = shows(f"“{quote}”", "by its words, to confirm", "Needs: a second ear")
    said["says"][1] = "to confirm"
    assert differences(_hinted(), report(words), said) == ()


@pytest.mark.parametrize(
    "items",
    named(
        ("denied", report("Not hoarse.")),
        ("of the past", report("History of hoarse voice, resolved.")),
        ("of a relative", report("Mother hoarse.")),
        ("a question", report("INDICATION: hoarse?\nFINDINGS: none")),
        ("beside a word that means something else", report("The dog was hoarse.")),
        ("entered in error", report("Hoarse.", status="entered-in-error")),
        ("words apart from their company", report("Raspy.", text="MRI knee")),
        ("its own name", report(None, text="MRI larynx because hoarse")),
    ),
)
def test_what_a_report_does_not_say_is_not_shown(items):
    assert differences(_hinted(), items, shows(omits=("by its words", "a report says so"))) == ()


def test_an_abnormal_finding_is_read_wherever_it_stands():
    found = _hinted(resources=["Observation", "Condition", "Procedure"])
    for items in (
        {"voice": {"observation": "", "text": "Voice", "value": "Raspy", "date": "2026-02-01"}},
        {"voice": {"condition": "ICD-10-CM|M25.561", "words": "Hoarse too.", "date": "2026-02-01"}},
        {"voice": {"procedure": "CPT|97110", "words": "Hoarse too.", "date": "2026-02-01"}},
    ):
        assert differences(found, items, shows("to confirm")) == ()


IMPRESSION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "Impression"},
    "effectiveDateTime": "2026-02-01",
    "valueString": "Hoarse.",
}


def test_the_impression_of_a_report_is_the_reports():
    image = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "MRI larynx"}}
    image |= {"effectiveDateTime": "2026-02-01", "result": [{"reference": "Observation/impression"}]}
    items = {"image": {"resource": image}, "impression": {"resource": IMPRESSION}}
    found = _hinted(expected_of="larynx-image")
    expect = shows("MRI larynx: “Hoarse.”", omits=("not sent", "Impression: “"))
    assert differences(found, items, expect) == ()


def test_a_coded_conclusion_is_shown():
    image = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "MRI larynx"}}
    coded = {"coding": [{"system": "http://snomed.info/sct", "code": "50219008"}]}
    items = {"image": {"resource": image | {"conclusionCode": [coded]}}}
    expect = shows("MRI larynx: “made up", "(by its coded conclusion, to confirm)")
    assert differences(_hinted(), items, expect) == ()


def form(text: str | bytes | None, kind: str = "text/plain") -> Json:
    image = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "MRI larynx"}}
    attachment = {"contentType": kind}
    if text is not None:
        raw = text.encode() if isinstance(text, str) else text
        attachment["data"] = base64.b64encode(raw).decode() if kind != "broken" else "%%%"
    return {"image": {"resource": image | {"presentedForm": [attachment]}}}


@pytest.mark.parametrize(
    ("items", "says"),
    named(
        ("plain text", form("Hoarse."), "“Hoarse.”"),
        ("HTML", form("<p>Voice</p><p><b>Hoarse</b> &amp; weak.</p>", "text/html"), "“Hoarse &amp; weak.”"),
        ("a charset", form("Hoarse é.".encode("latin-1"), "text/plain; charset=iso-8859-1"), "“Hoarse é.”"),
        ("a PDF", form("Hoarse.", "application/pdf"), "its report was not read: application/pdf is not read"),
        ("an address alone", form(None), "its report was not read: its text was not sent"),
        ("nothing", report(None), "its words were not sent"),
        ("an unknown charset", form("x", "text/plain; charset=klingon"), "its text could not be read"),
        ("a charset that it does not keep", form(b"\xff\xfe\xff", "text/plain; charset=utf-8"), "could not be read"),
        ("too long", form("Hoarse. " * 2000), "is longer than CDS\\_SERVICE\\_MAX\\_TEXT\\_CHARACTERS"),
    ),
)
def test_a_report_is_read_or_said_not_to_be(items, says):
    assert differences(_hinted(expected_of="larynx-image"), items, shows(says)) == ()


def test_broken_base64_could_not_be_read_and_leaves_a_contradiction_possible():
    items = form("Hoarse.")
    items["image"]["resource"]["presentedForm"][0]["data"] = "SG9hcnNl*"
    assert differences(_hinted(expected_of="larynx-image"), items, shows("could not be read, it is not base64")) == ()
    assert WORDS.differences(Row("", answered(hum=True) | items, "unknown")) == ()


@pytest.mark.parametrize(
    ("said", "words", "is_shown"),
    named(
        ("so, said", "so", "Hoarse.", True),
        ("not so, denied", "not so", "Not hoarse.", True),
        ("not so, said", "not so", "Hoarse.", False),
        ("either, denied", "either", "Not hoarse.", True),
        ("either, of the past", "either", "Previously hoarse.", True),
    ),
)
def test_how_it_must_stand_there(said, words, is_shown):
    expect = shows(f"“{words}”") if is_shown else shows(omits=(words,))
    assert differences(_hinted(said=said), report(words), expect) == ()


def test_only_the_records_of_a_set_are_read():
    found = _hinted(records="larynx-image")
    assert differences(found, report("Hoarse."), shows("“Hoarse.”")) == ()
    assert differences(found, report("Hoarse.", text="MRI knee"), shows(omits=("“Hoarse.”",))) == ()


def test_the_number_beside_its_words_is_shown():
    stated = {"label": "roughness", "of": ["hoarse"], "unit": "%", "spelled": ["%", "percent"], "range": [0, 100]}
    found = _hinted(number=stated)
    assert differences(found, report("Hoarse at 40 percent."), shows("roughness 40 %, “Hoarse at 40 percent.”")) == ()
    assert differences(found, report("Hoarse at 400 percent."), shows("MRI larynx: “Hoarse")) == ()


def test_words_beyond_the_look_back_do_not_count():
    found = _hinted(look_back_days=365)
    assert differences(found, report("Hoarse.", date="2025-03-15"), shows("“Hoarse.”")) == ()
    assert differences(found, report("Hoarse.", date="2025-03-14"), shows(omits=("“Hoarse.”",))) == ()


def test_markup_in_a_report_renders_nothing():
    assert differences(_hinted(), report("Hoarse <img src=x> [a](http://b)"), shows(omits=("<img", "[a](http"))) == ()


@pytest.mark.parametrize("place", ["test", "patient_view"])
def test_no_test_may_read_words(place, refused):
    documents = WORDS.documents()
    if place == "test":
        documents["policy"]["criteria"][0]["test"] = is_yes("hoarse")
    else:
        documents["policy"]["patient_view"] = {"when": is_yes("hoarse")}
    assert "settles nothing" in refused(documents)


@pytest.fixture
def refused():
    def why(documents: Json) -> str:
        with pytest.raises(PolicyError) as found:
            policy_of(MINIMAL, documents)
        return "\n".join(found.value.problems)

    return why
