"""Evaluation in process: what one call costs between the parsed request and its cards."""

import gc
import os
from collections.abc import Mapping
from datetime import date
from statistics import quantiles
from time import perf_counter_ns
from typing import NamedTuple

import orjson

from cds_service import service
from cds_service.hooks import hook_request
from cds_service.server.gunicorn_server import COLLECT_EVERY
from cds_service.service import Guide
from tests.bench.machine import BenchError

TURNS = 20


class Evaluation(NamedTuple):
    """What is evaluated: the service, the body of a call, the policies, and how many decisions must come of it."""

    service_id: str
    body: bytes
    guide: Guide
    decisions: int


class Times(NamedTuple):
    """Median and p99 in microseconds."""

    median: float
    p99: float


def evaluate_in_turn(
    evaluations: Mapping[str, Evaluation], today: date, runs: int, core: int
) -> dict[str, list[Times]]:
    """Times of chart, decision and card: ``runs`` of each, in short turns, so that a disturbance falls on all of them.

    The process is pinned to ``core`` and its collector is set as the server's.
    """
    everywhere, thresholds = os.sched_getaffinity(0), gc.get_threshold()
    os.sched_setaffinity(0, {core})
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 50, 50)
    measured: dict[str, list[Times]] = {name: [] for name in evaluations}
    try:
        for _ in range(TURNS):
            for name, evaluation in evaluations.items():
                measured[name].append(_evaluate(evaluation, today, runs // TURNS))
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        os.sched_setaffinity(0, everywhere)
    return measured


def _evaluate(evaluation: Evaluation, today: date, runs: int) -> Times:
    """Every run has a freshly parsed body."""
    times = [_once(evaluation, today) for _ in range(runs // 10 + runs)][runs // 10 :]
    hundredths = quantiles(times, n=100)
    return Times(hundredths[49] / 1000, hundredths[98] / 1000)


def _once(evaluation: Evaluation, today: date) -> int:
    request = hook_request.parse(evaluation.service_id, orjson.loads(evaluation.body))
    started = perf_counter_ns()
    answers = service.answer(request, evaluation.guide, today)
    taken = perf_counter_ns() - started
    if [item.decision is None for item in answers] != [False] * evaluation.decisions:
        raise BenchError(f"the evaluation ended in {len(answers)} answers, wanted are {evaluation.decisions} decisions")
    return taken
