"""Measures the service beside its floor and its peers: ``python -m tests.bench [--quick]`` (Linux, wrk)."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import orjson

from cds_service.clock import utc_today
from cds_service.service.guide import Guide
from tests.bench import load, machine, workload
from tests.bench.evaluation import Evaluation, Times, evaluate_in_turn
from tests.bench.expected import WITHOUT_PAGES, answer_of, guide_of, print_head
from tests.bench.load import Call, Measured
from tests.bench.machine import BenchError
from tests.bench.many import with_copies
from tests.bench.peers.servers import serving_peers, why_not_measured
from tests.bench.trusted import CLIENT, Signer, Target, bench_trusted, clients_file, in_turn

SERVICE = ("cds_service", "serve", "--port", "{port}")
FLOOR, CARD, UNRECOGNIZED = "floor", "whole card", "unrecognized order"
# An order that ends in no card has a floor of its own: the same server, with an answer as short.
FLOOR_OF_NONE, TRUSTED = "floor, no card", "whole card, RS384"
BODIES = 500
MORE = 100
CARD_OF_MANY, UNRECOGNIZED_OF_MANY = f"{CARD}, +{MORE}", f"{UNRECOGNIZED}, +{MORE}"


@click.command()
@click.option("--quick", is_flag=True, help="One second a round: enough to see that it works, too short to quote.")
@click.option("--busy", is_flag=True, help="Measure on a busy machine too; the figures are not to be quoted.")
@click.option("--trusted", is_flag=True, help="Measure tokens, replay check, audit log and metrics instead.")
def main(quick: bool, busy: bool, trusted: bool) -> None:
    """Prints what a call costs beside the floor: the same server parsing the same body, with a constant answer."""
    missing = [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
    if missing or not hasattr(os, "sched_getaffinity"):
        raise click.ClickException(f"the benchmark needs Linux with wrk and taskset; missing: {', '.join(missing)}")
    seconds, rounds, runs, starts = (1, 3, 500, 1) if quick else (2, 8, 5000, 5)
    cores = len(os.sched_getaffinity(0))
    if (why := machine.busy(os.getloadavg()[0], 0.0, cores)) and not busy:
        raise click.ClickException(f"the machine is too busy to judge by: {why}. Wait, or measure all the same: --busy")
    stolen, ticks = machine.processor_ticks()
    try:
        if trusted:
            bench_trusted(seconds, rounds, *machine.cores())
        else:
            bench(seconds, rounds, runs, starts)
    except BenchError as error:
        raise click.ClickException(str(error)) from None
    stolen_now, ticks_now = machine.processor_ticks()
    if (why := machine.busy(0.0, (stolen_now - stolen) / max(1, ticks_now - ticks), cores)) and not busy:
        raise click.ClickException(f"the machine was too busy to judge by: {why}. The figures are not to be quoted.")


def bench(seconds: int, rounds: int, runs: int, starts: int) -> None:
    """Starts the servers, measures, prints; ``runs`` evaluations in process, ``starts`` starts of the service."""
    server_core, load_core = machine.cores()
    today = utc_today()
    service_id, request = workload.whole_card(today)
    requests = {CARD: request, UNRECOGNIZED: workload.unrecognized(request, today)}
    bodies = {name: [orjson.dumps(one) for one in workload.rotated(call, BODIES)] for name, call in requests.items()}
    print_head(seconds, rounds, server_core, load_core)

    ready = []
    for _ in range(starts):
        with machine.serving(*SERVICE, core=server_core) as running:
            ready.append(running.ready_seconds)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cards = with_copies(Path(stack.enter_context(tempfile.TemporaryDirectory())), MORE)
        ours = stack.enter_context(machine.serving(*SERVICE, core=server_core, settings=WITHOUT_PAGES))
        many = stack.enter_context(
            machine.serving(*SERVICE, core=server_core, settings=WITHOUT_PAGES | {"CDS_SERVICE_CARDS": str(cards)})
        )
        guide, guide_of_many = guide_of(ours), guide_of(many, cards)
        path = f"/cds-services/{service_id}"
        (folder / "clients.toml").write_text(clients_file())
        trusting = stack.enter_context(
            machine.serving(
                *SERVICE,
                core=server_core,
                settings=WITHOUT_PAGES
                | {
                    "CDS_SERVICE_CLIENTS": str(folder / "clients.toml"),
                    "CDS_SERVICE_STATE": str(folder / "trust"),
                },
            )
        )
        signer = Signer("RS384", f"http://127.0.0.1:{trusting.port}{path}", folder / "tokens")
        for name, variants in bodies.items():
            (folder / name).write_bytes(b"\n".join(variants))

        def call(name: str, guide: Guide) -> Call:
            answers = [answer_of(service_id, body, guide) for body in bodies[name]]
            return Call(
                path, folder / name, partial(answer_of, service_id, guide=guide), min(len(answer) for answer in answers)
            )

        calls = {name: call(name, guide) for name in bodies}
        constant = {name: answer_of(service_id, variants[0], guide) for name, variants in bodies.items()}
        card = orjson.loads(constant[CARD])["cards"][0]
        if "suggestions" not in card or orjson.loads(constant[UNRECOGNIZED])["cards"]:
            raise BenchError("the calls do not measure what they should: a card with suggestions, and no card")

        def floor(name: str) -> Target:
            (folder / f"answer to {name}").write_bytes(constant[name])
            command = ("tests.bench.floor", "{port}", str(folder / f"answer to {name}"))
            server = stack.enter_context(machine.serving(*command, core=server_core))
            return server, Call(path, folder / name, lambda body: constant[name], len(constant[name])), None

        targets: dict[str, Target] = {
            FLOOR: floor(CARD),
            CARD: (ours, calls[CARD], None),
            TRUSTED: (trusting, call(CARD, replace(guide_of(trusting), client=CLIENT)), signer),
            CARD_OF_MANY: (many, call(CARD, guide_of_many), None),
            FLOOR_OF_NONE: floor(UNRECOGNIZED),
            UNRECOGNIZED: (ours, calls[UNRECOGNIZED], None),
            UNRECOGNIZED_OF_MANY: (many, call(UNRECOGNIZED, guide_of_many), None),
        }
        print(
            f"Calls: {BODIES} variants of {workload.resource_count(request)} resources, "
            f"{len(bodies[CARD][0]) / 1000:.1f} kB; answer: {len(constant[CARD]) / 1000:.1f} kB, "
            f"{len(card['suggestions'])} suggestions\n"
        )
        absent: dict[str, str] = {}
        peers = stack.enter_context(serving_peers(folder / CARD, server_core, absent))
        targets |= {row: (running, call, None) for row, (running, call) in peers.items()}
        measured, failed = in_turn(targets, seconds, rounds, load_core, guests=peers)
        absent |= {row: why_not_measured(error) for row, error in failed.items()}
        servers = {"ours": ours, "floor": targets[FLOOR][0], "many": many}
        memory = {name: running.private_mb() for name, running in servers.items()}
        resident = {"ours": ours.resident_mb(), "many": many.resident_mb()}
    evaluations = {
        CARD: Evaluation(service_id, bodies[CARD], guide, 1),
        CARD_OF_MANY: Evaluation(service_id, bodies[CARD], guide_of_many, 1),
        UNRECOGNIZED: Evaluation(service_id, bodies[UNRECOGNIZED], guide, 0),
        UNRECOGNIZED_OF_MANY: Evaluation(service_id, bodies[UNRECOGNIZED], guide_of_many, 0),
    }
    evaluated = evaluate_in_turn(evaluations, today, runs, server_core)
    print(*load_rows(measured, absent), sep="\n")
    _print_goals(measured, evaluated, memory["ours"], median(ready))
    print(
        f"\nEvaluation, p10: {median(times.p10 for times in evaluated[CARD]):.0f} µs. "
        f"Private memory of the floor: {memory['floor']:.1f} MB."
    )
    _print_many(measured, evaluated, len(guide_of_many.library.policies))
    print(
        f"Ready after {many.ready_seconds:.1f} s; private memory of the worker {memory['many']:.1f} MB, with what it "
        f"shares {resident['many']:.1f} MB (the rule sets that ship: {resident['ours']:.1f} MB)"
    )


def _ratios(measured: Mapping[str, Sequence[Any]], name: str, other: str, figure: str) -> list[float]:
    """The ratios within each round: what disturbs the machine for longer disturbs both sides."""
    pairs = zip(measured[name], measured[other], strict=True)
    return [getattr(one, figure) / getattr(base, figure) for one, base in pairs]


def _to_floor(measured: dict[str, list[Measured]], name: str, figure: str) -> float:
    own = FLOOR_OF_NONE if name in (FLOOR_OF_NONE, UNRECOGNIZED, UNRECOGNIZED_OF_MANY) else FLOOR
    return median(_ratios(measured, name, own, figure))


def load_rows(measured: dict[str, list[Measured]], absent: Mapping[str, str]) -> list[str]:
    """The table of what was under load, a line each; of a peer that was not, a line that says why."""
    rows = [f"{'':26}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'rate/floor':>12}{'p99/floor':>11}"]
    for name, rounds in measured.items():
        one = load.middle(rounds)
        ratios = f"{_to_floor(measured, name, 'rate'):12.3f}{_to_floor(measured, name, 'p99'):11.2f}"
        rows.append(f"{name:26}{one.rate:12.0f}{one.p50:9.2f}{one.p99:9.2f}{one.cpu * 1000:9.0f}{ratios}")
    return rows + [f"{name:26}  {why}" for name, why in absent.items()]


def _print_goals(
    measured: dict[str, list[Measured]], evaluated: dict[str, list[Times]], memory: float, ready: float
) -> None:
    print(f"\n{'goal':50}{'measured':>10}{'wanted':>12}")
    at_least, at_most = True, False
    unrelated = median(_ratios(measured, UNRECOGNIZED_OF_MANY, UNRECOGNIZED, "rate"))
    relevant = median(_ratios(evaluated, CARD_OF_MANY, CARD, "median"))
    of_none = _to_floor(measured, UNRECOGNIZED, "rate")
    for title, found, sense, goal, unit in (
        ("whole card: requests/s to the floor's", _to_floor(measured, CARD, "rate"), at_least, 0.7, ""),
        ("whole card: p99 to the floor's", _to_floor(measured, CARD, "p99"), at_most, 1.5, ""),
        ("unrecognized order: requests/s to its own floor's", of_none, at_least, 0.95, ""),
        ("evaluation in process, median CPU", median(times.median for times in evaluated[CARD]), at_most, 300, " µs"),
        ("private memory of a worker after the load", memory, at_most, 45, " MB"),
        ("ready after the start of the process", ready, at_most, 1.5, " s"),
        (f"{MORE} more rule sets, unrelated order: rate", unrelated, at_least, 0.97, ""),
        (f"{MORE} more rule sets, relevant order: evaluation", relevant, at_most, 1.1, ""),
    ):
        met = found >= goal if sense is at_least else found <= goal
        wanted = f"{'>=' if sense is at_least else '<='} {goal:g}{unit}"
        digits = 0 if unit == " µs" else 1 if unit == " MB" else 2
        print(f"{title:52}{f'{found:.{digits}f}{unit}':>10}{wanted:>12}  {'met' if met else 'MISSED'}")


def _print_many(measured: dict[str, list[Measured]], evaluated: dict[str, list[Times]], policies: int) -> None:
    """What the goals for many policies rest on: ratios within rounds, and how far one server's own rounds differ."""
    print(f"\n{policies} rule sets, to the {policies - MORE} that ship; median (lowest to highest of the rounds)")
    for title, ratios in (
        ("unrelated order: requests/s", _ratios(measured, UNRECOGNIZED_OF_MANY, UNRECOGNIZED, "rate")),
        ("unrelated order: CPU for a request", _ratios(measured, UNRECOGNIZED_OF_MANY, UNRECOGNIZED, "cpu")),
        ("unrelated order: evaluation", _ratios(evaluated, UNRECOGNIZED_OF_MANY, UNRECOGNIZED, "median")),
        ("whole card: requests/s", _ratios(measured, CARD_OF_MANY, CARD, "rate")),
        ("whole card: CPU for a request", _ratios(measured, CARD_OF_MANY, CARD, "cpu")),
        ("whole card: evaluation", _ratios(evaluated, CARD_OF_MANY, CARD, "median")),
    ):
        print(f"{title:52}{median(ratios):10.3f}  ({min(ratios):.2f} to {max(ratios):.2f})")
    rates = [one.rate for one in measured[UNRECOGNIZED]]
    noise = [rate / median(rates) for rate in rates]
    print(f"{'noise: unrelated order, shipped, to its own median':52}{'':10}  ({min(noise):.2f} to {max(noise):.2f})")
    for name, turns in evaluated.items():
        print(f"{f'evaluation, {name}':52}{median(times.median for times in turns):10.1f} µs")


if __name__ == "__main__":
    main()
