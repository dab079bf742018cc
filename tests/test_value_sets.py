"""A deployment's own value sets: their codes are read beside the policy's and marked; wrong files are refused."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.app import create_app
from cds_service.commands.main import main
from cds_service.errors import PolicyError
from cds_service.library import load_library
from cds_service.policy.json_files import FILES, read_json
from cds_service.policy.value_sets import MOST_CODES, apply, read_value_sets
from cds_service.self_check.surfaces import Files
from cds_service.settings.settings import Settings
from tests.charts import (
    BASE,
    ICD10CM,
    LOINC,
    MINIMAL,
    RXNORM,
    SNOMED,
    TODAY,
    concept,
    condition,
    named,
    order,
    sent,
)
from tests.serving import ROOT
from tests.test_code_packs import behind, called

EXERCISE = "229065009"
STRETCHING = "229070002"
KNEE = {"bodySite": [{"text": "Right knee"}]}


def folder_of(tmp_path: Path, files: dict[str, object]) -> Path:
    """A folder of value sets; what is not text is written as JSON."""
    for name, content in files.items():
        file = tmp_path / "own" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return tmp_path / "own"


def expansion(*codes, system=SNOMED, **more):
    contains = [{"system": system, "code": code, "display": f"words of {code}"} for code in codes]
    return {
        "resourceType": "ValueSet",
        "title": "Rehab 2026",
        "version": "7",
        "expansion": {"contains": contains},
    } | more


def compose(*parts, **more):
    return {"resourceType": "ValueSet", "name": "Rehab", "compose": {"include": list(parts)} | more}


def table(*rows):
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def codes_in(tmp_path, content, name="minimal/exercise/rehab.json"):
    """The codes that one file brings."""
    return [(entry.system, entry.code) for entry in read_value_sets(folder_of(tmp_path, {name: content}))[0].entries]


def refused(tmp_path, content, name="minimal/exercise/rehab.json"):
    """What is said of one file, which must be refused."""
    with pytest.raises(PolicyError) as refusal:
        read_value_sets(folder_of(tmp_path, {name: content}))
    return refusal.value.problems


# --- what a file may hold ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name"),
    named(
        ("an expansion", expansion(EXERCISE, STRETCHING), "a.json"),
        (
            "a nested expansion, its abstract heading left out",
            expansion(expansion={"contains": [
                {"abstract": True, "system": SNOMED, "code": "91251008", "contains": [
                    {"system": SNOMED, "code": EXERCISE, "contains": [{"system": SNOMED, "code": STRETCHING}]},
                ]},
            ]}),
            "a.json",
        ),
        (
            "a compose that names each code",
            compose({"system": SNOMED, "concept": [{"code": EXERCISE}, {"code": STRETCHING}]}),
            "a.json",
        ),
        (
            "a compose with an exclusion",
            compose(
                {"system": SNOMED, "concept": [{"code": EXERCISE}, {"code": STRETCHING}, {"code": "91251008"}]},
                exclude=[{"system": SNOMED, "concept": [{"code": "91251008"}]}],
            ),
            "a.json",
        ),
        ("a table", table(["system", "code", "display"], [SNOMED, EXERCISE, "x"], [SNOMED, STRETCHING]), "a.csv"),
        (
            "a table as value set authorities write it, with lines above the heading and the system as a name",
            table(
                ["Value Set Name", "Rehab"], [], ["Code", "Description", "Code System"],
                [EXERCISE, "x", "SNOMEDCT"], [], [STRETCHING, "y", "2.16.840.1.113883.6.96"],
            ),
            "a.csv",
        ),
        (
            "a table with a mark of its encoding",
            "\ufeff" + table(["Code", "System"], [EXERCISE, "sct"], [STRETCHING, "sct"]),
            "a.csv",
        ),
        ("a code twice", expansion(EXERCISE, STRETCHING, EXERCISE), "a.json"),
    ),
)  # fmt: skip
def test_the_codes_of_a_file_are_read(tmp_path, content, name):
    assert sorted(codes_in(tmp_path, content, f"minimal/exercise/{name}")) == [(SNOMED, EXERCISE), (SNOMED, STRETCHING)]


def test_a_code_is_read_as_its_system_spells_it(tmp_path):
    rows = [["system", "code"], ["icd10cm", "m25561"], ["hcpcs", "97110"], ["http://loinc.org", "72514-3"]]
    assert codes_in(tmp_path, table(*rows), "minimal/exercise/a.csv") == [
        ("http://hl7.org/fhir/sid/icd-10-cm", "M25.561"),
        ("http://www.ama-assn.org/go/cpt", "97110"),
        (LOINC, "72514-3"),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    named(
        ("another resource", {"resourceType": "CodeSystem"}, "is not a FHIR ValueSet"),
        ("neither expansion nor compose", {"resourceType": "ValueSet"}, "neither an expansion nor a compose"),
        ("a page of an expansion", expansion(EXERCISE, expansion={"total": 9, "contains": []}), "0 of 9 codes"),
        ("a filter", compose({"system": SNOMED, "filter": [{}]}), "$.compose.include[0] says its codes by 'filter'"),
        ("another value set", compose({"valueSet": ["x"]}), "by 'valueSet'; have a terminology server $expand it"),
        ("a whole system", compose({"system": SNOMED}), "names no single codes"),
        ("a list of no objects", compose({"system": SNOMED, "concept": ["x"]}), "its lists must hold objects"),
        ("a list of nothing", expansion(), "holds no code"),
        ("a wrong check digit", expansion("229065008"), "$.expansion.contains[0]: '229065008' has a wrong check digit"),
        ("what a spreadsheet left of a code", expansion("2.29E+08"), "wrong check digit"),
        ("a wrong check digit of LOINC", expansion("72514-4", system=LOINC), "wrong check digit"),
        ("a local system", expansion("PT1", system="urn:oid:1.2.3"), "'urn:oid:1.2.3' is not a code system"),
        ("no system", expansion("1", system=None), "needs a system and a code"),
        ("a blank code", expansion(" ", system=RXNORM), "is not a code"),
        ("no name to show", expansion(EXERCISE, title="§§"), "no name that a card could show"),
        ("more codes than are read", expansion(*map(str, range(MOST_CODES + 1)), system=RXNORM), f"is {MOST_CODES}"),
        ("no JSON", "{", "a key in double quotes is expected"),
    ),
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_file(tmp_path, content, says):
    (problem,) = refused(tmp_path, content)
    assert str(tmp_path / "own" / "minimal" / "exercise" / "rehab.json") in problem
    assert says in problem


@pytest.mark.parametrize(
    ("content", "says"),
    named(
        ("no heading", table([SNOMED, EXERCISE]), "no line of headings with the columns system and code"),
        ("a wrong code", table(["system", "code"], [SNOMED, "1"]), "line 2: '1' has a wrong check digit"),
        ("a heading alone", table(["system", "code"]), "holds no code"),
    ),
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(tmp_path, content, says):
    (problem,) = refused(tmp_path, content, "minimal/exercise/rehab.csv")
    assert says in problem


def test_a_table_that_is_no_text_is_refused(tmp_path):
    folder = folder_of(tmp_path, {"minimal/exercise/rehab.csv": ""})
    (folder / "minimal/exercise/rehab.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="not CSV in UTF-8"):
        read_value_sets(folder)


@pytest.mark.parametrize("name", ["rehab.json", "minimal/rehab.json", "minimal/exercise/rehab.txt"])
def test_a_file_in_no_place_is_refused(tmp_path, name):
    (problem,) = refused(tmp_path, expansion(EXERCISE), name)
    assert "must lie at POLICY/CODE-SET/FILE.json or .csv" in problem


def test_an_empty_folder_is_refused_and_none_is_none(tmp_path):
    (tmp_path / "own").mkdir()
    with pytest.raises(PolicyError, match="no value set found"):
        read_value_sets(tmp_path / "own")
    assert read_value_sets(None) == ()


def test_every_file_that_is_wrong_is_reported(tmp_path):
    folder = folder_of(tmp_path, {"minimal/exercise/a.json": "{", "minimal/exercise/b.csv": "x"})
    with pytest.raises(PolicyError) as refusal:
        read_value_sets(folder)
    assert len(refusal.value.problems) == 2


# --- what it does -----------------------------------------------------------------------------------------------------


def loaded(tmp_path, **files):
    return load_library(MINIMAL.parent, BASE, None, folder_of(tmp_path, {f"minimal/{k}": v for k, v in files.items()}))


def card(library, *on_record):
    client = create_app(Settings(), library, "http://127.0.0.1:8080", lambda: TODAY).test_client()
    request = {
        "hook": "order-sign",
        "hookInstance": "1",
        "context": {"patientId": "p1", "draftOrders": {"entry": [{"resource": order("11111", **KNEE)}]}},
        "prefetch": sent(*on_record),
    }
    (found,) = client.post("/cds-services/coverage-guidance-order-sign", json=request).get_json()["cards"]
    return found, client


def test_a_code_of_a_value_set_is_evidence_and_says_whose_it_is(tmp_path):
    pain = condition(code=concept(ICD10CM, "M25.569"), onsetDateTime="2025-01-01")
    own = expansion("M25.569", system=ICD10CM, title="Knees | <2026> *x*")
    library = loaded(tmp_path, **{"knee-pain/knees.json": own})
    before, _ = card(load_library(MINIMAL.parent, BASE), pain)
    after, _ = card(library, pain)
    assert "date knee pain began" in before["detail"]
    assert "knee pain since 01/01/2025" in after["detail"]
    assert "(by your value set Knees 2026 x)" in behind(
        library, called(order("11111", **KNEE), on_record=[pain]), TODAY
    )


def test_page_and_json_name_the_value_set(tmp_path):
    library = loaded(tmp_path, **{"exercise/rehab.json": expansion("5640", "1234", system=RXNORM)})
    _, client = card(library)
    page = client.get("/policies/minimal").get_data(as_text=True)
    assert "from a value set of this deployment" in page
    assert "by your value set Rehab 2026" in page
    rows = client.get("/policies/minimal.json").get_json()["codes"]["sets"]["exercise"]["codes"]
    assert [row["provenance"] for row in rows if row["seen"] == "value-set"] == [
        "value set Rehab 2026, version 7, minimal/exercise/rehab.json"
    ] * 2


def test_a_code_that_the_policy_has_keeps_its_row_also_under_a_family(tmp_path):
    documents = {name: read_json(MINIMAL / f"{name}.json") for name in FILES}
    given = read_value_sets(
        folder_of(
            tmp_path,
            {
                "minimal/exercise/a.csv": table(["system", "code"], ["cpt", "97110"], ["sct", STRETCHING]),
                "minimal/knee/b.csv": table(["system", "code"], ["icd10cm", "M17.11"], ["icd10cm", "M19.90"]),
            },
        )
    )
    result, problems = apply(given, "minimal", documents)
    own = {
        name: [row["code"] for row in entry["codes"] if row["seen"] == "value-set"]
        for name, entry in result["codes"]["sets"].items()
    }
    assert (own["exercise"], own["knee"], problems) == ([STRETCHING], ["M19.90"], [])
    assert documents == {name: read_json(MINIMAL / f"{name}.json") for name in FILES}


def test_a_system_that_the_policy_does_not_have_is_added(tmp_path):
    rows = table(["system", "code"], ["http://www.cms.gov/Medicare/Coding/ICD10", "0SG0070"])
    library = loaded(tmp_path, **{"exercise/a.csv": rows})
    policy = library.policies[0]
    assert "http://www.cms.gov/Medicare/Coding/ICD10" in policy.code_systems
    _, client = card(library)
    assert client.get("/policies/minimal").status_code == 200


def test_another_policy_stays_as_it_is(tmp_path):
    documents = {"codes": {"systems": {}, "sets": {}}}
    given = read_value_sets(folder_of(tmp_path, {"minimal/exercise/a.json": expansion(EXERCISE)}))
    assert apply(given, "other", documents) == (documents, [])


def test_a_policy_or_a_set_that_is_not_there_is_reported_with_the_nearest_name(tmp_path):
    with pytest.raises(PolicyError, match="'minimal-2' is not a rule set; did you mean 'minimal'"):
        load_library(
            MINIMAL.parent, BASE, None, folder_of(tmp_path, {"minimal-2/exercise/a.json": expansion(EXERCISE)})
        )
    with pytest.raises(PolicyError, match="'exercises' is not a code set; did you mean 'exercise'"):
        load_library(
            MINIMAL.parent, BASE, None, folder_of(tmp_path / "2", {"minimal/exercises/a.json": expansion(EXERCISE)})
        )


@pytest.mark.parametrize(
    ("place", "content", "says"),
    [
        ("minimal/exercise", expansion(STRETCHING), "minimal: 1 case"),
        ("minimal/exercise", expansion("1"), "The code packs or value sets cannot be used"),
        ("minimal/exercises", expansion(STRETCHING), "error: minimal/exercises/a.json: 'exercises' is not a code set"),
        ("minimum/exercise", expansion(STRETCHING), "'minimum' is not a rule set; did you mean 'minimal'"),
    ],
)
def test_the_check_holds_the_folder_of_the_setting(tmp_path, place, content, says):
    folder = folder_of(tmp_path, {f"{place}/a.json": content})
    env = {"CDS_SERVICE_VALUE_SETS": str(folder), "CDS_SERVICE_CARDS": str(MINIMAL.parent)}
    assert says in CliRunner().invoke(main, ["check", "--no-slips", str(MINIMAL)], env=env).output


def test_the_self_check_sees_that_a_value_set_was_changed(tmp_path):
    folder = folder_of(tmp_path, {"minimal/exercise/a.csv": table(["system", "code"], ["sct", EXERCISE])})
    files = Files(MINIMAL.parent, None, BASE, (), folder)
    assert (files.problems(), files.changed()) == ([], False)
    (folder / "minimal/exercise/a.csv").write_text("system,code\nsct,1\n")
    (problem,) = files.problems()
    assert "wrong check digit" in problem
    assert files.changed()


def test_the_repository_keeps_out_what_was_licensed():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {"/value-sets/", "/code-packs/"} <= set(ignored)
