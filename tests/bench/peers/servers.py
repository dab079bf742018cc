"""The peers as the benchmark runs them: how each is started, why one is not there, and what it must answer."""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from tests.bench import machine
from tests.bench.load import Call
from tests.bench.machine import ROOT, BenchError, Running
from tests.bench.peers.criteria import BACK_PAIN, CRITERIA, EXERCISES, OBESITY, PAIN, card, decided

# Where `make bench` installs them, each in a folder of its own, and beside it what went wrong.
INSTALLED = ROOT / "build" / "peers"
_INSTALLERS_ERROR = re.compile(r"^(?:ERROR|npm error|npm ERR!|make \S+ needs)\b.*", re.MULTILINE)
_REASON_SHOWN = 150


@dataclass(frozen=True, slots=True)
class Peer:
    """A service of another maker: its folder, the program (``{folder}`` and ``{port}`` are put in), the path that
    answers once it is ready, and row of the table -> path of the service that is measured in it."""

    folder: str
    program: tuple[str, ...]
    ready: str
    rows: Mapping[str, str]


_HOOK = "cds-services/criteria"
PEERS = (
    Peer(
        "healthchain",
        (
            *("{folder}/bin/python", "-m", "uvicorn", "--app-dir", str(ROOT), "--workers", "1"),
            *("--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning", "--no-access-log"),
            "tests.bench.peers.healthchain_service:app",
        ),
        "/health",
        {"HealthChain, FHIR models": f"/models/{_HOOK}", "HealthChain, plain JSON": f"/plain/{_HOOK}"},
    ),
    Peer(
        "express-cql",
        (
            shutil.which("node") or shutil.which("nodejs") or "node",
            str(Path(__file__).with_name("express_cql.cjs")),
            "{port}",
        ),
        "/cds-services",
        {"Express, CQL": f"/{_HOOK}"},
    ),
)


@contextmanager
def serving_peers(bodies: Path, core: int, absent: dict[str, str]) -> Iterator[dict[str, tuple[Running, Call]]]:
    """Row -> server and call, of every peer that is installed, comes up and answers what it must.

    ``bodies`` is the file with the variants of the call. Why a row is not there is put in ``absent``.
    """
    with ExitStack() as stack:
        found: dict[str, tuple[Running, Call]] = {}
        for peer in PEERS:
            folder = INSTALLED / peer.folder
            if not (folder / ".installed").exists():
                log = folder.with_suffix(".log")
                why = why_not_installed(log.read_text(encoding="utf-8", errors="replace") if log.exists() else "")
                absent |= dict.fromkeys(peer.rows, f"not installed: {why}")
                continue
            try:
                with ExitStack() as own:
                    running = own.enter_context(_started(peer, folder, core))
                    calls = {row: _call(path, bodies) for row, path in peer.rows.items()}
                    for call in calls.values():
                        _check_that_it_decides(running, call)
                    stack.push(own.pop_all())
                found |= {row: (running, call) for row, call in calls.items()}
            except BenchError as error:
                absent |= dict.fromkeys(peer.rows, why_not_measured(error))
        yield found


def why_not_installed(log: str) -> str:
    """What an installer says went wrong, in one line."""
    lines = [line for line in log.splitlines() if line.strip() and not re.match(r"make(\[\d+\])?: ", line)]
    error = _INSTALLERS_ERROR.search(log)
    said = error[0] if error else lines[-1] if lines else "make bench did not install it"
    return said.strip()[:_REASON_SHOWN]


def why_not_measured(error: BenchError) -> str:
    """What went wrong with a peer that is installed, in one line: of a server that did not come up its last word."""
    return f"not measured: {str(error).splitlines()[-1].strip()[:_REASON_SHOWN]}"


def contrary(request: Any, today: date) -> Any:
    """The same call with a chart that meets what the other does not, and does not meet what the other does."""
    changed = deepcopy(request)
    prefetch = changed["prefetch"]
    prefetch["patient"]["birthDate"] = f"{today.year - 5}-01-01"
    for condition in _resources(prefetch, "condition", BACK_PAIN):
        condition["clinicalStatus"]["coding"][0]["code"] = "resolved"
    for procedure in _resources(prefetch, "procedure", EXERCISES):
        procedure["status"] = "not-done"
    for criterion, value in ((PAIN, CRITERIA[PAIN]["above"]), (OBESITY, CRITERIA[OBESITY]["above"] + 1)):
        for observation in _resources(prefetch, "observation", criterion):
            observation["valueQuantity"]["value"] = value
    return changed


def expected(body: bytes) -> bytes:
    """Summary and detail of the card that a peer must answer to a call."""
    # Both peers reckon a patient's age by the day of the machine's clock.
    made = card(decided(orjson.loads(body)["prefetch"], date.today()))
    return f"{made['summary']}\n{made['detail']}".encode()


def told(answer: bytes) -> bytes:
    """Summary and detail of the only card of an answer. Raises BenchError where it has not one card."""
    try:
        (only,) = orjson.loads(answer)["cards"]
        return f"{only['summary']}\n{only['detail']}".encode()
    except (ValueError, KeyError, TypeError):
        raise BenchError(f"not one card with summary and detail: {answer[:300]!r}") from None


def _resources(prefetch: Any, key: str, criterion: str) -> Iterator[Any]:
    codes = CRITERIA[criterion]["codes"]
    for entry in prefetch[key]["entry"]:
        if any(coding["code"] in codes for coding in entry["resource"].get("code", {}).get("coding", ())):
            yield entry["resource"]


def _started(peer: Peer, folder: Path, core: int) -> AbstractContextManager[Running]:
    program = [part.replace("{folder}", str(folder)) for part in peer.program]
    return machine.started(program, core=core, settings={"NODE_ENV": "production"}, folder=folder, ready=peer.ready)


def _call(path: str, bodies: Path) -> Call:
    return Call(path, bodies, expected, len(expected(_first(bodies))), told)


def _first(bodies: Path) -> bytes:
    with bodies.open("rb") as variants:
        return variants.readline()


def _check_that_it_decides(running: Running, call: Call) -> None:
    """A peer that only repeats one card answers a contrary chart wrongly."""
    body = orjson.dumps(contrary(orjson.loads(_first(call.bodies)), date.today()))
    answer = told(running.post(call.path, body))
    if answer != expected(body):
        raise BenchError(f"wrong of a contrary chart: {answer!r}, not {expected(body)!r}")
