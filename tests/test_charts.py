"""``cds-service charts``: folders of charts in the shapes of public and of vendors' data, and the report on them."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.authoring import charts
from cds_service.commands.main import main
from cds_service.library import load_library
from cds_service.service import statement
from cds_service.service.guide import guide_of
from cds_service.settings.settings import Settings
from tests.charts import BASE, MINIMAL, TODAY
from tests.realism.charts import write
from tests.realism.kinds import KINDS
from tests.serving import ROOT

SHAPES = ("Synthea", "US Core", "Epic", "Oracle Health", "claims", "C-CDA")
ORDER = {"resourceType": "ServiceRequest", "status": "draft", "intent": "order", "code": {"text": "Leads"}}
ME = {"reference": "Patient/one"}


def bundle(*resources, **more):
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": item} for item in resources]} | more


def person(name="one", **more):
    return {"resourceType": "Patient", "id": name, "birthDate": "1970-01-01"} | more


def problem(words, subject=ME, name="c1", **more):
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "88616000"}], "text": words}
    return {"resourceType": "Condition", "id": name, "subject": subject, "code": code} | more


def folder_of(tmp_path: Path, **files) -> Path:
    for name, content in files.items():
        file = tmp_path / "charts" / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return tmp_path / "charts"


def run(folder: Path, *options: str, cards: Path = MINIMAL.parent):
    arguments = ["charts", str(folder), "--today", TODAY.isoformat(), *options]
    return CliRunner().invoke(main, arguments, env={"CDS_SERVICE_CARDS": str(cards)})


def line(output: str, begins: str) -> list[str]:
    """The cells of the line that begins so."""
    return next(re.split(r"  +", row.strip()) for row in output.splitlines() if row.strip().startswith(begins))


def test_charts_in_the_shapes_of_public_bundles_are_evaluated_without_a_crash(tmp_path):
    files = {}
    for shape in SHAPES:
        entries, _ = write(KINDS["ordinary"], shape)
        kind = "transaction" if shape == "Synthea" else "searchset" if shape == "claims" else "collection"
        files[shape.replace(" ", "-")] = {"resourceType": "Bundle", "type": kind, "entry": entries}
    result = run(folder_of(tmp_path, **files), "--most", "100", cards=ROOT / "cards")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("6 files, 6 patients, 2 draft orders each")
    assert "isass-restorative-neurostimulation-2023: verdict 6" in result.output
    # Whole lists, and all that came counts but the drug of which Epic sent only the name of its reference.
    assert line(result.output, "Condition")[:4] == ["Condition", "6", "6", "6"]
    assert re.search(r"Observation +urn:oid:1\.2\.840\.114350\.1\.13\.77\.2\.7\.2\.1 ", result.output)
    assert "(read by its words)" in result.output
    assert result.output.endswith("Crashes: none\n")


def test_records_without_a_known_code_are_counted_by_how_they_are_written(tmp_path):
    two = bundle(person(), problem("Acne"), problem("Acne", name="c2"), problem("Knee pain", name="c3"))
    one = bundle(person("two"), problem("Acne", {"reference": "Patient/two"}))
    output = run(folder_of(tmp_path, a=two, b=one)).output
    assert "Without a code that a rule set lists: 4 of 4 records and parts, in 2 ways" in output
    assert line(output, "3 ") == ["3", "2", "Condition", "SNOMED CT 88616000", "Acne"]
    assert line(output, "1 ") == ["1", "1", "Condition", "SNOMED CT 88616000", "Knee pain (read by its words)"]
    assert "and 1 more; --most 2 shows them all" in run(tmp_path / "charts", "--most", "1").output


def test_the_ledger_says_what_does_not_count_and_why(tmp_path):
    lost = problem("Acne", {"display": "somebody"}, "c2")
    other = problem("Acne", {"reference": "Patient/unknown"}, "c3")
    broken = problem("Acne", ME, "c4", code=["x"])
    listed = bundle(person(), problem("Acne"), lost, other, broken, {"resourceType": "Claim", "id": "x"})
    output = run(folder_of(tmp_path, a=listed)).output
    kind, in_part, received, counted, why = line(output, "Condition")
    assert (kind, in_part, received, counted) == ("Condition", "1", "4", "1")
    assert {"names no patient 1", "names another patient 1"} < set(why.split(", "))
    assert "Not read by any rule set: Claim 1" in output


@pytest.mark.parametrize(
    ("more", "is_whole"),
    [
        ({}, True),
        ({"link": [{"relation": "next", "url": "https://ehr.example/2"}]}, False),
        ({"type": "searchset", "total": 90}, False),
        (bundle(person(), problem("x"), None), False),
    ],
    ids=["whole", "a page", "fewer than all", "an entry that failed"],
)
def test_a_file_that_says_it_is_a_part_is_no_whole_chart(tmp_path, more, is_whole):
    output = run(folder_of(tmp_path, a=bundle(person(), problem("x"), **more))).output
    heading = next(row for row in output.splitlines() if row.strip().startswith("type"))
    row = next(row for row in output.splitlines() if row.strip().startswith("Condition"))
    assert row[heading.index("whole") : heading.index("in-part")].strip() == ("1" if is_whole else "")


def test_each_patient_of_a_file_is_called_with_what_is_not_another_s(tmp_path):
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": person("one")},
        {"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Patient", "birthDate": "1980-01-01"}},
        {"resource": problem("Acne", {"reference": "urn:uuid:1"})},
        {"resource": problem("Mole", {"reference": "urn:uuid:2"}, "c2")},
    ]
    output = run(folder_of(tmp_path, a={"resourceType": "Bundle", "entry": entries})).output
    assert output.startswith("1 files, 2 patients")
    assert line(output, "Condition") == ["Condition", "2", "2", "2"]


def test_files_that_hold_no_chart_are_reported_and_passed_over(tmp_path):
    folder = folder_of(tmp_path, a=bundle(person()), b="{", c=[1], d=bundle(problem("x")))
    output = run(folder).output
    assert "Files without a chart: 3" in output
    assert "b.json is not JSON" in output
    assert "c.json holds no FHIR resource" in output
    assert "d.json holds no Patient with an id" in output


def test_a_folder_without_a_chart_is_an_error(tmp_path):
    result = run(folder_of(tmp_path, a="{"))
    assert result.exit_code == 1
    assert "holds no chart that can be read" in result.output


@pytest.mark.parametrize(
    "written", [ORDER, bundle(ORDER), {"context": {"draftOrders": bundle(ORDER)}}], ids=["order", "Bundle", "request"]
)
def test_the_draft_may_be_chosen(tmp_path, written):
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps(written))
    result = run(folder_of(tmp_path, a=bundle(person())), "--draft", str(draft))
    assert "1 draft orders each" in result.output
    assert "minimal: no card 1" in result.output


@pytest.mark.parametrize(("written", "says"), [("{", "is not JSON"), ("{}", "holds no order; an order is one of")])
def test_a_draft_that_is_none_is_refused(tmp_path, written, says):
    draft = tmp_path / "draft.json"
    draft.write_text(written)
    result = run(folder_of(tmp_path, a=bundle(person())), "--draft", str(draft))
    assert (result.exit_code, says in result.output) == (1, True)


def test_a_crash_is_reported_with_its_file_without_words_of_the_chart_and_the_run_goes_on(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, a=bundle(person()), b=bundle(person("two")))
    read = charts.call_chart.read_chart

    def crash(request, *rest):
        if request.patient_id == "one":
            raise ValueError("Jane Doe")
        return read(request, *rest)

    monkeypatch.setattr(charts.call_chart, "read_chart", crash)
    result = run(folder)
    assert result.exit_code == 1
    assert "Crashes: 1\n  a.json, patient one: ValueError" in result.output
    assert "Jane Doe" not in result.output
    assert line(result.output, "Patient")[1] == "1"


def test_a_policy_that_fails_counts_as_a_crash(tmp_path, monkeypatch):
    monkeypatch.setattr(statement.guidance, "guidance_card", lambda *_: {}["x"])
    result = run(folder_of(tmp_path, a=bundle(person())))
    assert result.exit_code == 1
    assert re.search(r"a\.json, patient one: minimal: KeyError", result.output)
    assert "minimal: failed 1" in result.output


def test_a_call_that_the_service_would_refuse_is_reported(tmp_path):
    library = load_library(MINIMAL.parent, BASE)
    guide = guide_of(Settings(max_resources=1), library, BASE)
    folder = folder_of(tmp_path, a=bundle(person(), problem("x"), problem("y", name="c2")))
    found = charts.report(folder, guide, charts.drafts_of(library.policies, guide), TODAY)
    assert len(found.refused) == 1
    assert found.refused[0].startswith("a.json, patient one: 413: ")
    assert found.crashes == []


def test_make_asks_for_the_folder():
    made = subprocess.run(["make", "-s", "charts"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 2
    assert "make charts DIR=FOLDER" in made.stderr
