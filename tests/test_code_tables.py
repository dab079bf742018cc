"""Codes checked against check digits and public tables: what authors see, and what is kept."""

import json
import re
from datetime import date

import pytest

from cds_service.authoring.code_check import code_problems
from cds_service.authoring.code_tables import Table, tables, update
from cds_service.authoring.problems import Severity
from cds_service.errors import PolicyError
from cds_service.fhir.check_digits import is_loinc, is_snomed
from cds_service.fhir.terminology import ICD10CM
from cds_service.policy.loading.code_sets import code_of
from cds_service.policy.released_codes import FILE, released_codes
from cds_service.settings.settings import data_folder
from tests.charts import named
from tests.shipped import library

TODAY = date(2026, 11, 29)
CODES = ("M41", "M41.0", "M41.00", "M41.1", "M54.50", "M54.51", "M54.59")
TABLE = {ICD10CM: Table("a release", sorted(CODES))}
SYSTEMS = {
    "ICD-10-CM": {"url": ICD10CM, "version": "one", "notice": "none"},
    "LOINC": {"url": "http://loinc.org", "version": "one", "notice": "none"},
    "SNOMED CT": {"url": "http://snomed.info/sct", "version": "one", "notice": "none"},
}


def row(code, system="ICD-10-CM", **more):
    stated = {"label": "label", "seen": "verbatim", "provenance": "seen", "valid_from": None, "valid_until": None}
    return {"system": system, "code": code, **stated, **more}


def folder_of(tmp_path, *rows):
    document = {"systems": SYSTEMS, "sets": {"some": {"title": "Some", "codes": list(rows)}}}
    (tmp_path / "codes.json").write_text(json.dumps(document), encoding="utf-8")
    return document


def told(tmp_path, *rows, today=TODAY, asked=True):
    document = folder_of(tmp_path, *rows)
    if asked:
        update(tmp_path, TODAY, TABLE)
    return list(code_problems(tmp_path, {"codes": document}, today))


@pytest.mark.parametrize("code", ["72514-3", "39156-5", "97909-6", "8302-2", "29463-7", "75261-8"])
def test_a_code_of_loinc_has_its_check_digit(code):
    assert is_loinc(code)
    assert not is_loinc(f"{code[:-1]}{(int(code[-1]) + 1) % 10}")


@pytest.mark.parametrize("code", ["279039007", "26929004", "444831000124102", "225908003"])
def test_a_code_of_snomed_ct_has_its_check_digit(code):
    assert is_snomed(code)
    assert not is_snomed(f"{code[:-1]}{(int(code[-1]) + 1) % 10}")


@pytest.mark.parametrize("code", ["", "1", "12345", "72514", "7251-4-3", "abc", "2790390079999999999"])
def test_what_is_no_code_has_no_check_digit(code):
    assert not is_loinc(code)
    assert not is_snomed(code)


@pytest.mark.parametrize(
    ("rows", "says"),
    named(
        ("an unknown code", [row("M54.58")], "ICD-10-CM M54.58 is not in the release of a release"),
        ("an unknown family", [row("M99-")], "ICD-10-CM M99- is not in the release"),
        ("a prefix that is not a category", [row("M4-")], "'M4-' catches too much (4 codes, M41 to M41.1)"),
        ("a range of nothing", [row("M54.60", through="M54.69")], "M54.60 to M54.69 is not in the release"),
        ("a wrong digit of LOINC", [row("72514-4", "LOINC")], "the check digit is wrong"),
        ("a wrong digit of SNOMED CT", [row("279039008", "SNOMED CT")], "the check digit is wrong"),
    ),
)
def test_a_code_that_cannot_be_right_is_an_error(tmp_path, rows, says):
    (problem,) = told(tmp_path, *rows)
    assert problem.severity is Severity.ERROR
    assert says in problem.says


def test_codes_of_the_release_are_no_problem_whole_or_as_families(tmp_path):
    rows = [row("M54.50"), row("M41-", **{"except": ["M41.1"]}), row("M54.51", through="M54.59")]
    assert told(tmp_path, *rows, row("72514-3", "LOINC"), row("279039007", "SNOMED CT")) == []
    kept = json.loads((tmp_path / "code-tables.json").read_text(encoding="utf-8"))["ICD-10-CM"]
    assert kept["codes"] == {
        "M41- except M41.1": ["M41", "M41.0", "M41.00"],
        "M54.50": ["M54.50"],
        "M54.51 to M54.59": ["M54.51", "M54.59"],
    }
    assert (kept["release"], kept["checked"], kept["next_check"]) == ("a release", "2026-11-29", "2027-05-28")


@pytest.mark.parametrize(
    ("today", "asked", "says"),
    [(TODAY, False, "checked against no table"), (date(2027, 5, 29), True, "to be checked again by 2027-05-28")],
)
def test_codes_that_nobody_checked_against_a_table_lately_are_a_warning(tmp_path, today, asked, says):
    (problem,) = told(tmp_path, row("M54.50"), today=today, asked=asked)
    assert problem.severity is Severity.WARNING
    assert says in problem.says


def test_an_update_names_what_the_release_does_not_have(tmp_path):
    folder_of(tmp_path, row("M54.50"), row("M54.58"))
    assert update(tmp_path, TODAY, TABLE) == [
        "ICD-10-CM: 1 rows checked against the release of a release",
        "ICD-10-CM: M54.58 is not in that release",
    ]


@pytest.mark.filterwarnings("ignore:(read|open)_text is deprecated")
@pytest.mark.parametrize("policy", [policy.id for policy in library().policies])
def test_what_ships_is_what_the_tables_say(tmp_path, policy):
    shipped = data_folder("cards") / policy
    (tmp_path / "codes.json").write_bytes((shipped / "codes.json").read_bytes())
    kept = json.loads((shipped / FILE).read_text(encoding="utf-8"))
    update(tmp_path, date.fromisoformat(kept["ICD-10-CM"]["checked"]), tables())
    assert json.loads((tmp_path / FILE).read_text(encoding="utf-8")) == kept


def test_the_codes_of_a_release_are_found_by_row(tmp_path):
    folder_of(tmp_path, row("M41-", **{"except": ["M41.1"]}), row("M54.51", through="M54.59"), row("72514-3", "LOINC"))
    update(tmp_path, TODAY, TABLE)
    systems = json.loads((tmp_path / "codes.json").read_text(encoding="utf-8"))["systems"]
    found = released_codes(tmp_path, systems)[ICD10CM]
    assert found.release == "a release"
    family = code_of(ICD10CM, row("M41-", **{"except": ["M41.1"]}))
    assert found.under(family) == ("M41", "M41.0", "M41.00")
    assert found.under(code_of(ICD10CM, row("M54.51", through="M54.59"))) == ("M54.51", "M54.59")
    assert found.under(code_of(ICD10CM, row("M99-"))) == ()


@pytest.mark.parametrize("kept", ["[]", '{"ICD-10-CM": []}', '{"ICD-10-CM": {"release": "r"}}', '{"ICD-10-CM": {'])
def test_a_file_of_codes_that_was_written_otherwise_is_refused(tmp_path, kept):
    folder_of(tmp_path, row("M54.50"))
    (tmp_path / FILE).write_text(kept, encoding="utf-8")
    systems = json.loads((tmp_path / "codes.json").read_text(encoding="utf-8"))["systems"]
    with pytest.raises(PolicyError, match=re.escape(FILE)):
        released_codes(tmp_path, systems)
