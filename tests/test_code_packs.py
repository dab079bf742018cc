"""A deployment's code pack stands in the place of our labels, wherever they show, and touches no policy."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from markdown_it import MarkdownIt

from cds_service.app import create_app
from cds_service.authoring import cases
from cds_service.card.guidance import Addresses
from cds_service.commands.main import main
from cds_service.errors import PolicyError
from cds_service.hooks import hook_request
from cds_service.library import load_library
from cds_service.policy.code_packs import apply, read_packs
from cds_service.policy.json_files import FILES, read_json
from cds_service.service import hook_call
from cds_service.service.guide import Guide
from cds_service.settings.settings import Settings, data_folder
from tests.charts import BASE, CPT, ICD10CM, MINIMAL, TODAY, concept, named, order, procedure, sent
from tests.few_cases import with_few_cases
from tests.loading import load_policy
from tests.shipped import TODAY as SHIPPED_TODAY
from tests.shipped import example, library

NOTICE = "CPT of this deployment. " + "All rights of its owner are reserved. " * 5
HOSTILE = "words | with *stars*, _bars_, <b>tags</b> and [a link](https://evil.example) " + "and more of it " * 20
SIGN = "/cds-services/coverage-guidance-order-sign"


def pack(codes, **changes):
    """A pack of made-up words; a code may stand alone, and is then called "licensed words for" it."""
    entries = {code: {"display": f"licensed words for {code}"} for code in codes}
    return {"system": CPT, "version": "2027", "notice": NOTICE.strip(), "codes": entries} | changes


def cpt_codes(policy):
    return sorted({row.code for codes in policy.code_sets.values() for row in codes.codes if row.system == CPT})


def folder_of(tmp_path: Path, *packs) -> Path:
    folder = tmp_path / "codes"
    folder.mkdir()
    for number, document in enumerate(packs):
        (folder / f"pack-{number}.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def documents(folder: Path):
    return {name: read_json(folder / f"{name}.json") for name in FILES}


MINIMAL_CODES = ("11111", "22222", "97110", "73721", "27447")


# --- over HTTP, with the statements that ship -------------------------------------------------------------------------


@pytest.fixture
def every_code():
    return sorted({code for policy in library().policies for code in cpt_codes(policy)})


def behind(loaded, request, today) -> str:
    """The card of a call and the evidence behind it."""
    guide = Guide(loaded, Addresses("http://127.0.0.1:8080", BASE), b"a key for tests only")
    (found,) = hook_call.answer(hook_request.parse("coverage-guidance-order-sign", request), guide, today)
    return cases.told(found)


def client_of(codes: Path | None) -> FlaskClient:
    loaded = load_library(data_folder("cards"), BASE, codes)
    return create_app(Settings(), loaded, "http://127.0.0.1:8080", lambda: SHIPPED_TODAY).test_client()


def test_card_page_and_json_show_the_words_version_and_notice_of_the_pack(tmp_path, every_code):
    client = client_of(folder_of(tmp_path, pack(every_code)))
    (card,) = client.post(SIGN, json=example("all-met")).get_json()["cards"]
    loaded = load_library(data_folder("cards"), BASE, tmp_path / "codes")
    assert "64555 (licensed words for 64555)" in behind(loaded, example("all-met"), SHIPPED_TODAY)
    assert f"**CPT 2027:** {NOTICE.strip()}" in card["detail"]
    policy = library().policies[0]
    page = client.get(f"/policies/{policy.id}").get_data(as_text=True)
    assert page.count("licensed words for 64555") == 1
    assert NOTICE.strip() in page
    assert "from this deployment’s code pack" in page
    assert "The labels of CPT are those of this deployment’s code pack" in page
    shown = client.get(f"/policies/{policy.id}.json").get_json()["codes"]
    system = shown["systems"]["CPT"]
    assert (system["version"], system["notice"], system["pack"]) == ("2027", NOTICE.strip(), "pack-0.json")
    rows = [row for codes in shown["sets"].values() for row in codes["codes"] if row["system"] == "CPT"]
    of_policy = {row.code for codes in policy.code_sets.values() for row in codes.codes if row.system_name == "CPT"}
    assert {row["label"] for row in rows} == {f"licensed words for {code}" for code in of_policy}
    assert {row["seen"] for row in rows} == {"code-pack"}
    assert all(row["provenance"].startswith("code pack pack-0.json, version 2027") for row in rows)


def test_suggested_codings_carry_no_words_of_the_pack(tmp_path, every_code):
    client = client_of(folder_of(tmp_path, pack(every_code)))
    (card,) = client.post(SIGN, json=example("all-met")).get_json()["cards"]
    assert [suggestion["actions"][0]["type"] for suggestion in card["suggestions"]] == ["update", "create"]
    assert "licensed" not in json.dumps(card["suggestions"])


def test_without_a_pack_every_byte_is_as_before(tmp_path, every_code, monkeypatch):
    """The frozen examples hold the bytes; here they are checked against a service that has met a pack in between."""
    before = client_of(None).post(SIGN, json=example("all-met")).data
    client_of(folder_of(tmp_path, pack(every_code)))
    monkeypatch.setenv("CDS_SERVICE_CODES", "")
    assert Settings().codes is None
    assert client_of(Settings().codes).post(SIGN, json=example("all-met")).data == before


def test_the_policies_on_disk_and_the_documents_stay_as_they_are(tmp_path, every_code):
    files = {path: path.read_bytes() for path in data_folder("cards").rglob("*") if path.is_file()}
    client_of(folder_of(tmp_path, pack(every_code, replaced_by={"64555": "64590"})))
    assert {path: path.read_bytes() for path in files} == files
    given = documents(MINIMAL)
    apply(read_packs(tmp_path / "codes"), given)
    assert given == documents(MINIMAL)


# --- what a pack may hold, with the made-up statement -----------------------------------------------------------------


def called(*drafts, on_record=()):
    return {
        "hook": "order-sign",
        "hookInstance": "1",
        "context": {"patientId": "p1", "draftOrders": {"entry": [{"resource": draft} for draft in drafts]}},
        "prefetch": sent(*on_record),
    }


def answer(codes: Path, *drafts, on_record=()):
    """The card, and what can be read behind it."""
    loaded = load_library(MINIMAL.parent, BASE, codes)
    client = create_app(Settings(), loaded, "http://127.0.0.1:8080", lambda: TODAY).test_client()
    request = called(*drafts, on_record=on_record)
    (card,) = client.post(SIGN, json=request).get_json()["cards"]
    return card, behind(loaded, request, TODAY)


KNEE = {"bodySite": [{"text": "Right knee"}]}


def test_a_descriptor_of_any_length_with_any_characters_is_safe_on_a_card(tmp_path):
    entries = {code: {"display": HOSTILE.strip()} for code in MINIMAL_CODES}
    codes = folder_of(tmp_path, pack(()) | {"codes": entries})
    card, said = answer(codes, order("11111", **KNEE), on_record=[procedure(concept(CPT, "97110"))])
    assert HOSTILE.strip() not in said
    assert "words" not in card["detail"]
    line = next(line for line in said.splitlines() if line.startswith("Codes: "))
    assert "words \\| with \\*stars\\*" in line
    html = MarkdownIt("commonmark").enable("table").render(line)
    assert not re.search(r"<(b|em|a)\b|stars</", html)
    assert len(line) < 900
    assert load_policy(MINIMAL, read_packs(codes)).code_sets["coil"].codes[0].label == HOSTILE.strip()


def test_the_dates_of_the_pack_count_where_it_gives_them(tmp_path):
    entries = {code: {"display": "x", "valid_from": None, "valid_until": None} for code in MINIMAL_CODES}
    entries["11111"] = {"display": "x", "valid_from": "2020", "valid_until": "2027-03"}
    policy = load_policy(MINIMAL, read_packs(folder_of(tmp_path, pack(()) | {"codes": entries})))
    row = policy.code_sets["coil"].codes[0]
    assert (row.valid_from, row.valid_until) == ("2020", "2027-03")
    assert policy.code_sets["driver"].codes[0].valid_from is None


@pytest.mark.parametrize("system", ["cpt", "CPT", "urn:oid:2.16.840.1.113883.6.12", CPT])
def test_a_system_may_be_written_as_it_is_spelled_elsewhere(tmp_path, system):
    policy = load_policy(MINIMAL, read_packs(folder_of(tmp_path, pack(MINIMAL_CODES, system=system))))
    assert policy.code_sets["coil"].codes[0].label == "licensed words for 11111"
    assert policy.code_sets["coil"].codes[1].label == "coil, device"


def test_codes_that_a_pack_lacks_are_named_with_policy_set_and_code(tmp_path):
    codes = folder_of(tmp_path, pack(MINIMAL_CODES[2:]))
    with pytest.raises(PolicyError) as refused:
        load_library(MINIMAL.parent, BASE, codes)
    coil, driver = refused.value.problems
    assert coil.startswith(f"{MINIMAL / 'codes.json'}: $.sets.coil: CPT 11111 is not in the code pack pack-0.json, ")
    assert "$.sets.driver: CPT 22222" in driver


def test_a_replaced_number_is_read_and_the_new_one_too_and_suggested(tmp_path):
    held = pack(("33333", *MINIMAL_CODES[1:]), replaced_by={"11111": "33333"})
    codes = folder_of(tmp_path, held)
    policy = load_policy(MINIMAL, read_packs(codes))
    rows = policy.code_sets["coil"].codes
    assert [row.code for row in rows] == ["11111", "33333", "C1111"]
    assert (rows[0].label, rows[1].label) == ("humming coil", "licensed words for 33333")
    assert rows[0].provenance.endswith("replaced by 33333 in the code pack pack-0.json, version 2027")
    for code, suggested in (("11111", ["33333"]), ("33333", [])):
        card, said = answer(codes, order(code, **KNEE))
        changed = [
            item["actions"][0]["resource"] for item in card["suggestions"] if item["actions"][0]["type"] == "update"
        ]
        assert [coding["code"] for item in changed for coding in item["code"]["coding"] if coding["code"] != code] == (
            suggested
        )
        assert "CPT 33333 (licensed words for 33333), 22222" in said


def test_a_new_number_stands_once_in_a_set_and_among_the_leaves(tmp_path):
    everything = {
        row["code"].removesuffix("-"): {"display": "x"}
        for codes in documents(MINIMAL)["codes"]["sets"].values()
        for row in codes["codes"]
        if row["system"] == "ICD-10-CM" and row["code"] != "M17-"
    }
    held = pack((), system="icd-10-cm", replaced_by={"m25561": "M25.562"})
    policy = load_policy(
        MINIMAL, read_packs(folder_of(tmp_path, held | {"codes": everything | {"M17.0": {"display": "x"}}}))
    )
    knee = {row.code: row for row in policy.code_sets["knee"].codes if row.system == ICD10CM}
    assert sorted(knee) == ["M17", "M25.56", "M25.561", "M25.562"]
    assert knee["M25.56"].leaves == ("M25.561", "M25.562")
    assert knee["M17"].label == "osteoarthritis of knee"


@pytest.mark.parametrize(
    ("change", "says"),
    named(
        ("no version", {"version": ...}, "$: the key 'version' is missing"),
        ("an unknown key", {"verison": "1"}, "verison"),
        ("no words", {"codes": {"11111": {}}}, "$.codes['11111']: the key 'display' is missing"),
        ("a day that does not exist", {"codes": {"1": {"display": "x", "valid_from": "2026-02-31"}}}, "2026-02-31"),
        (
            "dates turned round",
            {"codes": {"1": {"display": "x", "valid_from": "2027", "valid_until": "2026"}}},
            "$.codes['1']: valid_until 2026 lies before valid_from 2027",
        ),
        ("a system that nobody knows", {"system": "CTP"}, "$.system: 'CTP' is not a code system"),
        ("one code in two spellings", {"codes": {"a1": {"display": "x"}, "A1": {"display": "x"}}}, "two spellings"),
        ("replaced by what is not there", {"replaced_by": {"1": "2"}}, "$.replaced_by['1']: '2' is not in the codes"),
        ("replaced by what is replaced", {"replaced_by": {"1": "11111", "11111": "22222"}}, "is itself replaced"),
    ),
)
def test_a_pack_that_cannot_be_used_is_refused_with_file_and_place(tmp_path, change, says):
    document = {key: value for key, value in (pack(MINIMAL_CODES) | change).items() if value is not ...}
    folder = folder_of(tmp_path, document)
    with pytest.raises(PolicyError) as refused:
        read_packs(folder)
    assert all(problem.startswith(f"{folder / 'pack-0.json'}: ") for problem in refused.value.problems)
    assert says in str(refused.value)


def test_two_packs_for_one_system_are_refused_with_both_names(tmp_path):
    with pytest.raises(PolicyError, match=r"pack-1\.json: \$\.system: pack-0\.json is a pack for .*cpt too"):
        read_packs(folder_of(tmp_path, pack(MINIMAL_CODES), pack(MINIMAL_CODES, system="cpt")))


def test_an_empty_folder_is_reported(tmp_path):
    with pytest.raises(PolicyError, match="no code pack found"):
        read_packs(folder_of(tmp_path))


# --- the commands -----------------------------------------------------------------------------------------------------


def run(*arguments, given=None, env=None):
    return CliRunner().invoke(main, list(arguments), input=given, env=env)


def test_check_runs_the_cases_and_names_what_the_pack_lacks(tmp_path, every_code):
    (cards := tmp_path / "cards").mkdir()
    for policy in library().policies:
        with_few_cases(policy.id, cards)
    complete = folder_of(tmp_path, pack(every_code))
    assert run("check", str(cards), "--no-slips", "--codes", str(complete)).exit_code == 0
    (complete / "pack-0.json").write_text(json.dumps(pack(every_code[1:])))
    result = run("check", str(cards), "--no-slips", env={"CDS_SERVICE_CODES": str(complete)})
    assert result.exit_code == 1
    assert f"CPT {every_code[0]} is not in the code pack" in result.output


def test_explain_takes_the_pack_and_tells_what_is_wrong_with_it(tmp_path, every_code):
    folder = folder_of(tmp_path, pack(every_code))
    request = json.dumps(example("all-met"))
    told = run("explain", "-", "--codes", str(folder), given=request).output
    assert " ".join(told.split()).count(" ".join(NOTICE.split())) == 2
    assert "**" not in told
    (folder / "pack-0.json").write_text("{")
    for arguments in (("explain", "-"), ("serve", "--port", "0"), ("check",)):
        result = run(*arguments, "--codes", str(folder), given=request)
        assert result.exit_code == 1
        assert "pack-0.json: line 1" in result.output
