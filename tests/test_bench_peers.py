"""Services of other makers in the benchmark: what they decide, and what the table says of those not there."""

import json
import re
import tomllib
from datetime import date
from pathlib import Path

import orjson
import pytest
from packaging.requirements import Requirement

from tests.bench import __main__ as bench
from tests.bench import load, machine, trusted, workload
from tests.bench.load import Call, Measured
from tests.bench.machine import BenchError
from tests.bench.peers import criteria, servers
from tests.licenses import pins

PEERS = Path(criteria.__file__).parent
ROWS = ["HealthChain, FHIR models", "HealthChain, plain JSON", "Express, CQL"]
TODAY = date(2026, 11, 30)
MET = {"adult": True, "low back pain": True, "exercises": True, "pain": True, "obesity": False}


@pytest.fixture(scope="module")
def request_body():
    return workload.whole_card(TODAY)[1]


@pytest.fixture
def bodies(tmp_path, request_body):
    file = tmp_path / "bodies"
    file.write_bytes(orjson.dumps(request_body))
    return file


def measured(rate: float) -> Measured:
    return Measured(rate=rate, p50=1.0, p99=1000 / rate, cpu=0.5)


# --- the table --------------------------------------------------------------------------------------------------------


def test_a_peer_has_a_row_with_its_ratios_to_the_floor_of_the_same_round():
    rounds = {
        "floor": [measured(1000), measured(500), measured(2000)],
        "Express, CQL": [measured(20), measured(10), measured(10)],
    }
    head, floor, peer = bench.load_rows(rounds, {})
    assert head.split() == ["requests/s", "p50", "ms", "p99", "ms", "CPU", "µs", "rate/floor", "p99/floor"]
    assert floor.split() == ["floor", "1000", "1.00", "1.00", "500", "1.000", "1.00"]
    assert peer.split() == ["Express,", "CQL", "10", "1.00", "100.00", "500", "0.020", "50.00"]


def test_of_a_peer_that_is_not_there_the_table_says_why():
    rows = bench.load_rows({"floor": [measured(1000)]}, {"Express, CQL": "not installed: no network"})
    assert rows[-1] == "Express, CQL                not installed: no network"


def test_peers_that_nobody_installed_are_not_there_and_are_no_error(tmp_path, monkeypatch, bodies):
    (tmp_path / "healthchain.log").write_text("WARNING: Retrying\nERROR: No matching distribution found\n")
    monkeypatch.setattr(servers, "INSTALLED", tmp_path)
    absent: dict[str, str] = {}
    with servers.serving_peers(bodies, machine.cores()[0], absent) as found:
        assert found == {}
    assert absent == {
        "HealthChain, FHIR models": "not installed: ERROR: No matching distribution found",
        "HealthChain, plain JSON": "not installed: ERROR: No matching distribution found",
        "Express, CQL": "not installed: make bench did not install it",
    }


def test_a_peer_that_does_not_come_up_is_not_there_with_its_last_word(tmp_path, monkeypatch, bodies):
    ends = servers.Peer("ends", ("sh", "-c", "echo one; echo the last word; exit 1"), "/", {"Ends": "/criteria"})
    (tmp_path / "ends").mkdir()
    (tmp_path / "ends" / ".installed").touch()
    monkeypatch.setattr(servers, "INSTALLED", tmp_path)
    monkeypatch.setattr(servers, "PEERS", (ends,))
    absent: dict[str, str] = {}
    with servers.serving_peers(bodies, machine.cores()[0], absent) as found:
        assert found == {}
    assert absent == {"Ends": "not measured: the last word"}


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("", "make bench did not install it"),
        (
            "WARNING: an Error that passed\nERROR: Could not find a version\nERROR: No matching\nmake: *** Error 1\n",
            "ERROR: Could not find a version",
        ),
        (
            "npm warn deprecated\nnpm error code ENOTFOUND\nnpm error network\nmake: *** Error 1",
            "npm error code ENOTFOUND",
        ),
        (
            "make build/peers/x needs nodejs npm: install it\nmake[1]: *** [Makefile:9] Error 1\n",
            "make build/peers/x needs nodejs npm: install it",
        ),
        ("something else broke\n\nmake[1]: *** [Makefile:9] Error 1\n", "something else broke"),
    ],
)
def test_why_a_peer_was_not_installed_is_what_the_installer_says(log, why):
    assert servers.why_not_installed(log) == why


def test_a_peer_that_fails_under_load_is_left_out_and_one_of_ours_is_an_error(monkeypatch, bodies):
    served = {name: machine.Running(number, number, 0.1) for number, name in enumerate(["ours", "peer"])}
    targets: dict[str, trusted.Target] = {
        name: (running, Call("/", bodies, bytes, 0), None) for name, running in served.items()
    }

    def breaks(server, call, seconds, core, tokens):
        if server is served["peer"] and seconds == 2:
            raise BenchError("no answer")
        return measured(100)

    monkeypatch.setattr(load, "check", lambda *_: None)
    monkeypatch.setattr(load, "put_under_load", breaks)
    found, failed = trusted.in_turn(targets, 2, 3, 0, guests=["peer"])
    assert found == {"ours": [measured(100)] * 3}
    assert {name: servers.why_not_measured(error) for name, error in failed.items()} == {
        "peer": "not measured: no answer"
    }
    with pytest.raises(BenchError, match="no answer"):
        trusted.in_turn(targets, 2, 3, 0)


# --- what a peer must answer ------------------------------------------------------------------------------------------


def test_the_measured_chart_meets_all_criteria_but_one_and_a_contrary_chart_that_one_alone(request_body):
    assert criteria.decided(request_body["prefetch"], TODAY) == MET
    contrary = servers.contrary(request_body, TODAY)["prefetch"]
    assert criteria.decided(contrary, TODAY) == {name: not met for name, met in MET.items()}
    assert criteria.decided(request_body["prefetch"], TODAY) == MET


def test_every_variant_under_load_has_the_same_card(request_body):
    decided = [criteria.decided(one["prefetch"], TODAY) for one in workload.rotated(request_body, 15)]
    assert decided == [MET] * 15


def test_an_answer_is_checked_by_the_summary_and_detail_of_its_only_card(request_body):
    card = criteria.card(MET)
    assert servers.told(orjson.dumps({"cards": [card]})) == servers.expected(orjson.dumps(request_body))
    assert card["summary"] == "4 of 5 criteria are met"


@pytest.mark.parametrize(
    "answer", [b'{"cards":[]}', b'{"cards":[{},{}]}', b'{"cards":[{"summary":"x"}]}', b"{}", b"<p>"]
)
def test_an_answer_without_one_card_is_an_error(answer):
    with pytest.raises(BenchError, match="not one card"):
        servers.told(answer)


def test_the_elm_of_the_criteria_asks_for_the_codes_and_limits_that_are_given_to_it():
    library = json.loads((PEERS / "criteria.elm.json").read_text(encoding="utf-8"))["library"]
    given = {
        f"{name}, {limit}"
        for name, one in criteria.CRITERIA.items()
        for limit in one
        if limit not in ("system", "codes")
    }
    assert {one["name"] for one in library["parameters"]["def"]} == given
    assert {one["name"] for one in library["valueSets"]["def"]} == {
        name for name, one in criteria.CRITERIA.items() if "codes" in one
    }
    assert [one["name"] for one in library["statements"]["def"]] == ["Patient", *criteria.CRITERIA]


def test_each_row_belongs_to_one_peer():
    assert [row for peer in servers.PEERS for row in peer.rows] == ROWS


# --- what is installed ------------------------------------------------------------------------------------------------


def test_what_is_installed_of_healthchain_is_pinned_and_hashed():
    read = pins("tests/bench/peers/requirements.txt")
    for name, (requirement, hashes) in read.items():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), name
        assert hashes, name
    project = tomllib.loads((machine.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (line,) = project["dependency-groups"]["peers"]
    (version,) = [item.version for item in read["healthchain"][0].specifier]
    assert Requirement(line).specifier.contains(version)


def test_what_is_installed_of_node_is_pinned_and_hashed_and_names_no_registry():
    lock = json.loads((PEERS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    package = json.loads((PEERS / "package.json").read_text(encoding="utf-8"))
    assert lock.pop("")["dependencies"] == package["dependencies"]
    for name, version in package["dependencies"].items():
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all(one["integrity"].startswith("sha512-") and "resolved" not in one for one in lock.values())
