"""Evaluation in process: what one call costs between the parsed request and its cards."""

import gc
import os
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import cycle
from statistics import quantiles
from time import thread_time_ns
from typing import NamedTuple

import orjson

from cds_service.hooks import hook_request
from cds_service.server.gunicorn_server import COLLECT_EVERY
from cds_service.service import hook_call
from cds_service.service.guide import Guide
from tests.bench.machine import BenchError

TURNS = 20


class Evaluation(NamedTuple):
    """What is evaluated: the service, the variants of a call, the policies, and how many decisions come of each."""

    service_id: str
    bodies: Sequence[bytes]
    guide: Guide
    decisions: int


class Times(NamedTuple):
    """Processor time of the thread in microseconds: what a tenth of the calls take at most, and half of them."""

    p10: float
    median: float


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
    bodies = cycle(evaluation.bodies)
    times = [_once(evaluation, next(bodies), today) for _ in range(runs // 10 + runs)][runs // 10 :]
    tenths = quantiles(times, n=10)
    return Times(tenths[0] / 1000, tenths[4] / 1000)


def _once(evaluation: Evaluation, body: bytes, today: date) -> int:
    request = hook_request.parse(evaluation.service_id, orjson.loads(body))
    started = thread_time_ns()
    answers = hook_call.answer(request, evaluation.guide, today)
    taken = thread_time_ns() - started
    if [item.decision is None for item in answers] != [False] * evaluation.decisions:
        raise BenchError(f"the evaluation ended in {len(answers)} answers, wanted are {evaluation.decisions} decisions")
    return taken
