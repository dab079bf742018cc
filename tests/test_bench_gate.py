"""Instructions under callgrind: no kind of call costs more beside the floor than what is kept."""

from tests.bench import gate

KEPT = {"floor": 1.0, "whole card": 5.0}


def test_no_call_costs_more_instructions_than_its_kept_ratio_allows():
    # Another build of Python has other counts. Where none are kept for it, `make bench-gate KEEP=1` keeps them.
    kept = gate.kept_ratios(gate.this_python())
    counts, ratios = gate.least(kept)
    assert counts["floor"] > 1_000_000, counts
    assert counts["whole card"] > counts["unrecognized order"], counts
    assert gate.grown(ratios, kept or ratios) == []


def test_calls_are_counted_again_until_no_kind_is_above_what_is_kept(monkeypatch):
    runs = [{"floor": 100.0, "whole card": 520.0}, {"floor": 100.0, "whole card": 505.0}, {}]
    monkeypatch.setattr(gate, "instructions", lambda seed: runs[seed])
    assert gate.least(KEPT) == ({"floor": 100.0, "whole card": 505.0}, {"floor": 1.0, "whole card": 5.05})


def test_a_call_that_costs_more_in_every_run_stays_above_what_is_kept(monkeypatch):
    monkeypatch.setattr(gate, "instructions", lambda seed: {"floor": 100.0, "whole card": 520.0 + seed})
    _, ratios = gate.least(KEPT)
    assert gate.grown(ratios, KEPT) == ["whole card: 5.200 times the floor, and 5.000 are kept"]


def test_gate_fails_above_two_percent_and_not_below():
    assert gate.grown({"floor": 1.0, "whole card": 5.09}, KEPT) == []
    assert gate.grown({"floor": 1.0, "whole card": 5.11}, KEPT) == [
        "whole card: 5.110 times the floor, and 5.000 are kept"
    ]


def test_gate_names_a_kind_of_call_that_only_one_side_has():
    assert gate.grown({"floor": 1.0, "patient-view": 2.0}, KEPT) == [
        "patient-view: no ratio is kept",
        "whole card: a ratio is kept, and it was not counted",
    ]


def test_kept_ratios_of_other_builds_of_python_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "KEPT", tmp_path / "kept.json")
    gate.keep_ratios("one", {"floor": 1.0})
    gate.keep_ratios("two", {"floor": 1.0, "whole card": 5.00004})
    gate.keep_ratios("one", {"floor": 1.0, "whole card": 4.0})
    assert gate.kept_ratios("one") == {"floor": 1.0, "whole card": 4.0}
    assert gate.kept_ratios("two") == KEPT
    assert gate.kept_ratios("three") is None
