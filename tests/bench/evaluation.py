"""Evaluation in process: what one call costs between the parsed request and its cards."""

import gc
import os
from datetime import date
from statistics import quantiles
from time import perf_counter_ns

import orjson

from cds_service import hooks, service
from cds_service.server import COLLECT_EVERY
from cds_service.service import Guide
from tests.bench.machine import BenchError


def evaluate(service_id: str, body: bytes, guide: Guide, today: date, runs: int, core: int) -> tuple[float, float]:
    """Median and p99, in microseconds, of chart, decision and card. Every run has a freshly parsed body.

    The process is pinned to ``core`` and its collector is set as the server's.
    """
    everywhere, thresholds = os.sched_getaffinity(0), gc.get_threshold()
    os.sched_setaffinity(0, {core})
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 50, 50)
    try:
        times = [_once(service_id, body, guide, today) for _ in range(runs // 10 + runs)][runs // 10 :]
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        os.sched_setaffinity(0, everywhere)
    hundredths = quantiles(times, n=100)
    return hundredths[49] / 1000, hundredths[98] / 1000


def _once(service_id: str, body: bytes, guide: Guide, today: date) -> int:
    request = hooks.parse(service_id, orjson.loads(body))
    started = perf_counter_ns()
    answers = service.answer(request, guide, today)
    taken = perf_counter_ns() - started
    if len(answers) != 1 or answers[0].decision is None:
        raise BenchError("the evaluation did not end in one decision")
    return taken
