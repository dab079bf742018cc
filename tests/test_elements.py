"""Readers of single FHIR elements: the value, or a refusal where the JSON does not have FHIR's shape."""

from math import inf, nextafter

import pytest

from cds_service.errors import UnreadableError
from cds_service.fhir.elements import (
    concept_keys,
    concept_text,
    days_of,
    first_of,
    list_of,
    number_of,
    object_of,
    quantity_of,
    relative,
    status_of,
    text_of,
    unit_spelling,
)
from tests.charts import CPT, ICD10CM, LOINC, SNOMED, concept, named, quantity


@pytest.mark.parametrize(
    ("written", "pairs"),
    named(
        ("no concept", None, []),
        ("one coding", concept(ICD10CM, "M25.561"), [((ICD10CM, "M25.561"), False)]),
        (
            "several codings, a local one among them",
            {"coding": [{"system": "urn:local", "code": "7"}, {"system": SNOMED, "code": "30989003"}]},
            [((SNOMED, "30989003"), False)],
        ),
        (
            "two standard codings",
            {"coding": [{"system": ICD10CM, "code": "M25561"}, {"system": SNOMED, "code": "30989003"}]},
            [((ICD10CM, "M25.561"), False), ((SNOMED, "30989003"), False)],
        ),
        ("the system as OID", concept("urn:oid:2.16.840.1.113883.6.90", "M25561"), [((ICD10CM, "M25.561"), False)]),
        ("no system, but a shape that only one has", concept(None, "m25.561"), [((ICD10CM, "M25.561"), True)]),
        ("no system, and digits only", concept(None, "30989003"), []),
        ("an empty system is not a system", concept("", "39156-5"), [((LOINC, "39156-5"), True)]),
        ("a local system with a standard code", concept("urn:local", "M25.561"), []),
        ("an empty coding", {"coding": [{}]}, []),
        ("an empty list", {"coding": []}, []),
        ("text alone", {"text": "knee pain"}, []),
        ("a display without a code", {"coding": [{"system": SNOMED, "display": "Knee pain"}]}, []),
        ("members that FHIR does not know", concept(CPT, "97110", surprise=1), [((CPT, "97110"), False)]),
    ),
)
def test_the_codes_of_a_concept(written, pairs):
    assert concept_keys(written) == pairs


@pytest.mark.parametrize(
    "written",
    named(
        ("a concept that is text", "knee pain"),
        ("a concept that is a list", [concept(ICD10CM, "M25.561")]),
        ("a coding that is not a list", {"coding": {"system": ICD10CM, "code": "M25.561"}}),
        ("a coding that is text", {"coding": ["M25.561"]}),
        ("a coding that is null", {"coding": [None]}),
        ("a code that is a number", {"coding": [{"system": CPT, "code": 97110}]}),
        ("a system that is a number", {"coding": [{"system": 1, "code": "97110"}]}),
    ),
)
def test_a_concept_of_another_shape_is_refused(written):
    with pytest.raises(UnreadableError):
        concept_keys(written)


@pytest.mark.parametrize(
    ("written", "text"),
    named(
        ("text alone", {"text": "knee pain"}, "knee pain"),
        ("text and displays", {"text": "sore knee", "coding": [{"display": "Knee pain"}]}, "sore knee Knee pain"),
        ("text that is not text", {"text": 7}, ""),
        ("nothing", None, ""),
    ),
)
def test_all_that_a_concept_says_in_words(written, text):
    assert concept_text(written) == text


@pytest.mark.parametrize(
    ("written", "status"),
    named(
        ("left out", None, None),
        ("a bare string, as some servers send", "active", "active"),
        ("a concept", {"coding": [{"system": "http://x", "code": "resolved"}]}, "resolved"),
        ("an empty coding before the real one", {"coding": [{}, {"code": "refuted"}]}, "refuted"),
        ("text alone", {"text": "Active"}, "active"),
        ("an empty concept", {}, None),
    ),
)
def test_a_status(written, status):
    assert status_of(written) == status


@pytest.mark.parametrize("written", [7, ["active"], {"coding": "active"}])
def test_a_status_of_another_shape_is_refused(written):
    with pytest.raises(UnreadableError):
        status_of(written)


@pytest.mark.parametrize(
    ("part", "interval", "units"),
    named(
        ("a unit as UCUM code", {"valueQuantity": quantity(30, code="kg/m2")}, (30, 30), ("kg/m2",)),
        ("a unit as text", {"valueQuantity": quantity(30, unit="kg/m2")}, (30, 30), ("kg/m2",)),
        (
            "the code speaks before the text",
            {"valueQuantity": quantity(30, "kilos", "kg/m2")},
            (30, 30),
            ("kg/m2", "kilos"),
        ),
        ("white space and capitals in a unit", {"valueQuantity": quantity(30, unit=" KG / M2 ")}, (30, 30), ("kg/m2",)),
        ("no unit", {"valueQuantity": quantity(30)}, (30, 30), ("",)),
        ("a blank unit", {"valueQuantity": quantity(30, unit="  ")}, (30, 30), ("",)),
        ("less than", {"valueQuantity": quantity(30, comparator="<")}, (-inf, nextafter(30, -inf)), ("",)),
        ("at most", {"valueQuantity": quantity(30, comparator="<=")}, (-inf, 30), ("",)),
        ("more than", {"valueQuantity": quantity(30, comparator=">")}, (nextafter(30, inf), inf), ("",)),
        ("at least", {"valueQuantity": quantity(30, comparator=">=")}, (30, inf), ("",)),
        ("an integer", {"valueInteger": 7}, (7, 7), ("",)),
        ("nought is a number", {"valueInteger": 0}, (0, 0), ("",)),
        ("a number as text", {"valueString": " 7.5 "}, (7.5, 7.5), ("",)),
        ("a concept whose text is a number", {"valueCodeableConcept": {"text": "7"}}, (7, 7), ("",)),
        (
            "a concept whose display is a number",
            {"valueCodeableConcept": {"coding": [{"display": "8"}]}},
            (8, 8),
            ("",),
        ),
        (
            "a range",
            {"valueRange": {"low": quantity(5, code="%"), "high": quantity(7, code="%")}},
            (5, 7),
            ("%",),
        ),
        ("a range without an end", {"valueRange": {"low": quantity(5)}}, (5, inf), ("",)),
        ("a range whose unit stands at its end", {"valueRange": {"high": quantity(7, code="%")}}, (-inf, 7), ("%",)),
    ),
)
def test_the_number_in_a_value(part, interval, units):
    found = quantity_of(part)
    assert found is not None
    assert (found.interval, found.units) == (interval, units)


@pytest.mark.parametrize(
    "part",
    named(
        ("no value", {}),
        ("a reason why there is none", {"dataAbsentReason": {"text": "refused"}}),
        ("a quantity without its number", {"valueQuantity": {"unit": "%"}}),
        ("words", {"valueString": "severe"}),
        ("words around a number", {"valueString": "about 7"}),
        ("a concept of words", {"valueCodeableConcept": {"text": "severe"}}),
        ("yes", {"valueBoolean": True}),
        ("not a number", {"valueString": "nan"}),
        ("endless", {"valueString": "inf"}),
    ),
)
def test_a_value_without_a_number(part):
    assert quantity_of(part) is None


@pytest.mark.parametrize(
    "part",
    named(
        ("a quantity that is a number", {"valueQuantity": 30}),
        ("a number that is text", {"valueQuantity": {"value": "30"}}),
        ("a number that is true", {"valueQuantity": {"value": True}}),
        ("a comparator that FHIR does not know", {"valueQuantity": quantity(30, comparator="~")}),
        ("a comparator that is not text", {"valueQuantity": quantity(30, comparator=["<"])}),
        ("an integer that is a list", {"valueInteger": [7]}),
        ("text that is a number", {"valueString": 7}),
        ("a range that is a list", {"valueRange": []}),
    ),
)
def test_a_value_of_another_shape_is_refused(part):
    with pytest.raises(UnreadableError):
        quantity_of(part)


@pytest.mark.parametrize("value", [True, None, "7", [7], inf, -inf, float("nan"), 10**400])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(UnreadableError):
        number_of(value)


@pytest.mark.parametrize("value", [0, -1, 7.5, 10**12])
def test_a_finite_number(value):
    assert number_of(value) == value


@pytest.mark.parametrize(
    ("written", "spelling"),
    [("kg/m2", "kg/m2"), ("KG / M2", "kg/m2"), (" % ", "%"), ("{Score}", "{score}"), ("", "")],
)
def test_a_unit_has_one_spelling(written, spelling):
    assert unit_spelling(written) == spelling


@pytest.mark.parametrize(
    ("reference", "short"),
    named(
        ("relative", "Patient/p1", "Patient/p1"),
        ("absolute", "https://ehr.example/fhir/Patient/p1", "Patient/p1"),
        ("with a version", "Patient/p1/_history/3", "Patient/p1"),
        ("absolute with a version", "https://ehr.example/fhir/Patient/p1/_history/3", "Patient/p1"),
        ("a UUID", "urn:uuid:0c1", "urn:uuid:0c1"),
        ("contained", "#p1", "#p1"),
        ("an id alone", "p1", "p1"),
    ),
)
def test_a_reference_without_its_server(reference, short):
    assert relative(reference) == short


@pytest.mark.parametrize(("value", "found"), [(None, []), ([1, 2], [1, 2]), ({"a": 1}, [{"a": 1}]), ([], [])])
def test_an_element_that_may_repeat(value, found):
    assert list_of(value) == found


@pytest.mark.parametrize(
    ("reader", "value"), [(object_of, []), (object_of, None), (text_of, 7), (text_of, None), (days_of, 2024)]
)
def test_a_value_of_another_type_is_refused(reader, value):
    with pytest.raises(UnreadableError):
        reader(value)


def test_the_first_element_that_is_present():
    assert first_of({"a": None, "b": 0, "c": 1}, "a", "b", "c") == 0
    assert first_of({}, "a") is None
