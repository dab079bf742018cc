"""Packages (Da Vinci DTR, $questionnaire-package): a form and its draft response in one Bundle.

DTR 2.2 closes the slices of the Bundle: Questionnaire, QuestionnaireResponse, ValueSets and Libraries, nothing else.
Our forms carry their codes in answerOption, so they need no more entries.
"""

from collections.abc import Iterable, Sequence
from uuid import NAMESPACE_URL, uuid5

from cds_service.fhir.elements import Json
from cds_service.questionnaire.versions import DTR, Version


def package_bundle(form: Json, response: Json) -> Json:
    """The Bundle of one form, the form first (dtrb-1)."""
    # The same form for the same patient at the same time is the same draft.
    name = f"{form['url']} {response['subject']['reference']} {response['authored']}"
    entries = [
        {"fullUrl": form["url"], "resource": form},
        {"fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, name)}", "resource": response},
    ]
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{DTR}/DTR-QPackageBundle"]},
        "type": "collection",
        "entry": entries,
    }


def issue(severity: str, code: str, sentence: str) -> Json:
    """One issue of an OperationOutcome."""
    return {"severity": severity, "code": code, "diagnostics": sentence}


def output_parameters(version: Version, bundles: Iterable[Json], issues: Sequence[Json]) -> Json:
    """The answer of the operation, with its issues."""
    parameters = [{"name": version.bundle_parameter, "resource": bundle} for bundle in bundles]
    if issues:
        outcome = {"resourceType": "OperationOutcome", "issue": list(issues)}
        parameters.append({"name": version.outcome_parameter, "resource": outcome})
    return {
        "resourceType": "Parameters",
        "meta": {"profile": [f"{DTR}/dtr-qpackage-output-parameters"]},
        "parameter": parameters,
    }
