"""Feedback that was acknowledged outlives the death of workers: a short run of what ``make torture`` does at length."""

from tests.torture import torture

KILLS = 12


def test_workers_die_and_nothing_that_was_acknowledged_is_lost_or_doubled(store_url, tmp_path):
    outcome = torture(KILLS, tmp_path, store_url or "")
    assert outcome.kills == KILLS
    assert len(outcome.acknowledged) > KILLS
    assert (outcome.lost, outcome.doubled, outcome.damaged) == (set(), set(), ""), str(outcome)
