"""What trust costs: tokens, replay check, audit log and metrics on, beside the bare service: ``--trusted``.

Every request carries a token of its own, signed before the run, because a token counts once.
"""

import json
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, time
from typing import Any

import jwt
import orjson

from cds_service.card.style import DEFAULT_STYLE, Style
from cds_service.clock import Deadline, utc_today
from cds_service.ehr.client import OutgoingClient
from cds_service.store.database import open_store
from cds_service.store.replay import ReplayStore
from cds_service.trust.clients import load_clients
from cds_service.trust.keys import KeyRing
from cds_service.trust.tokens import Verifier
from tests.bench import load, machine, workload
from tests.bench.expected import SPELLED_OUT, WITHOUT_PAGES, answer_of, guide_of, print_head
from tests.bench.load import Call, Measured
from tests.bench.machine import BenchError, Running
from tests.postgresql import cluster
from tests.tokens import jwk, private_key

ISSUER, CLIENT = "https://ehr.example", "general-hospital"
KEYS = {"RS384": "rsa", "ES384": "p384"}
BARE, OPEN = "bare", "open calls: audit, metrics, store, self-check"
SERVE = ("cds_service", "serve", "--port", "{port}")
# More than any server here answers.
TOKENS_A_SECOND = 1200
PARTS = 1000
VARIANTS = 500

Target = tuple[Running, Call, "Signer | None"]


class Signer:
    """Signs tokens for one address, each with a jti of its own, and writes them to a file, a line each."""

    def __init__(self, algorithm: str, audience: str, file: Path) -> None:
        self.algorithm, self.audience, self.file = algorithm, audience, file
        self._count = 0

    def token(self) -> str:
        """One more token."""
        self._count += 1
        now, key = int(time()), KEYS[self.algorithm]
        jti = f"{self.algorithm}-{self._count}-{self.audience}"
        claims = {"iss": ISSUER, "aud": self.audience, "iat": now, "exp": now + 3000, "jti": jti}
        return jwt.encode(claims, private_key(key), algorithm=self.algorithm, headers={"kid": key})

    def write(self, count: int) -> Path:
        """That many tokens in the file."""
        self.file.write_text("".join(f"{self.token()}\n" for _ in range(count)))
        return self.file


def bench_trusted(seconds: int, rounds: int, server_core: int, load_core: int) -> None:
    """Starts the servers, measures, prints."""
    print_head(seconds, rounds, server_core, load_core)
    service_id, request = workload.whole_card(utc_today())
    path = f"/cds-services/{service_id}"
    bodies = [orjson.dumps(variant) for variant in workload.rotated(request, VARIANTS)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        (folder / "bodies").write_bytes(b"\n".join(bodies))
        clients = folder / "clients.toml"
        clients.write_text(clients_file())
        stores = {"SQLite": "", "PostgreSQL": stack.enter_context(cluster()).database()}

        def started(*command: str, **settings: str) -> Running:
            named = {f"CDS_SERVICE_{name.upper()}": value for name, value in settings.items()}
            return stack.enter_context(machine.serving(*command, core=server_core, settings=WITHOUT_PAGES | named))

        def call(server: Running, client: str, style: Style = SPELLED_OUT) -> Call:
            guide = replace(guide_of(server, style=style), client=client)
            shortest = min(len(answer_of(service_id, body, guide)) for body in bodies)
            return Call(path, folder / "bodies", partial(answer_of, service_id, guide=guide), shortest)

        bare = started("tests.bench.bare", "{port}")
        opened = started(*SERVE, state=str(folder / "open"))
        targets: dict[str, Target] = {
            BARE: (bare, call(bare, "open", DEFAULT_STYLE), None),
            OPEN: (opened, call(opened, "open"), None),
        }
        for store, url in stores.items():
            server = started(*SERVE, state=str(folder / store), store_url=url, clients=str(clients))
            for algorithm in KEYS:
                signer = Signer(algorithm, f"http://127.0.0.1:{server.port}{path}", folder / "tokens")
                targets[f"{algorithm}, {store}"] = server, call(server, CLIENT), signer
        measured, _ = in_turn(targets, seconds, rounds, load_core)
        _print(measured)
        _print_parts(clients, stores, folder)


def clients_file() -> str:
    """A clients file with one entry that has all keys of the signers."""
    tables = (
        "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in jwk(name).items()) + "}"
        for name in KEYS.values()
    )
    return f'[[client]]\nid = "{CLIENT}"\nissuer = "{ISSUER}"\nkeys = [\n  {", ".join(tables)}\n]\n'


def in_turn(
    targets: dict[str, Target], seconds: int, rounds: int, core: int, guests: Collection[str] = ()
) -> tuple[dict[str, list[Measured]], dict[str, BenchError]]:
    """Each target once a round, after a short warm-up; answers are checked before and after.

    Every second round runs backwards, so that no target always follows the same one. One of ``guests`` that fails is
    left out of what was measured, with its error in the second result; any other's error is raised.
    """
    measured: dict[str, list[Measured]] = {name: [] for name in targets}
    failed: dict[str, BenchError] = {}

    def check(name: str) -> None:
        server, call, signer = targets[name]
        load.check(server, call, signer.token if signer else None)

    def run(name: str, duration: int) -> Measured:
        server, call, signer = targets[name]
        tokens = signer.write(duration * TOKENS_A_SECOND) if signer else None
        return load.put_under_load(server, call, duration, core, tokens)

    def warm_up(name: str) -> None:
        check(name)
        run(name, 1)

    def measure(name: str) -> None:
        measured[name].append(run(name, seconds))

    turns = [warm_up, *[measure] * rounds, check]
    for number, turn in enumerate(turns):
        for name in list(measured)[:: 1 if number % 2 else -1]:
            try:
                turn(name)
            except BenchError as error:
                if name not in guests:
                    raise
                failed[name] = error
                del measured[name]
    return measured, failed


def _print(measured: dict[str, list[Measured]]) -> None:
    print(f"\n{'':46}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'rate/bare':>11}")
    for name, found in measured.items():
        one = load.middle(found)
        to_bare = median(mine.rate / base.rate for mine, base in zip(found, measured[BARE], strict=True))
        print(f"{name:46}{one.rate:12.0f}{one.p50:9.2f}{one.p99:9.2f}{one.cpu * 1000:9.0f}{to_bare:11.2f}")
    print("\nWanted: RS384 at least 0.5 of the bare service's requests/s.\n")


def _print_parts(clients: Path, stores: dict[str, str], folder: Path) -> None:
    """Where the time of a trusted call goes, part by part, in this process."""
    print(f"{'part of a trusted call, in process':46}{'median µs':>12}")
    http = OutgoingClient()
    verifier = Verifier(load_clients(clients), KeyRing(http), lambda *_: True)
    for algorithm in KEYS:
        signer = Signer(algorithm, "http://127.0.0.1/x", folder / "parts")
        calls = [(f"Bearer {signer.token()}", [signer.audience], Deadline(60)) for _ in range(PARTS)]
        _print_part(f"token checked, {algorithm}", verifier.verify, calls)
    http.close()
    soon = datetime.now(UTC) + timedelta(minutes=5)
    for name, url in stores.items():
        with closing(open_store(url, folder / "parts-store")) as store:
            seen = [(ISSUER, f"part {number}", soon) for number in range(PARTS)]
            _print_part(f"jti remembered, {name}", ReplayStore(store).remember, seen)


def _print_part(title: str, part: Callable[..., object], calls: Iterable[tuple[Any, ...]]) -> None:
    times = []
    for given in calls:
        started = perf_counter()
        part(*given)
        times.append(perf_counter() - started)
    print(f"{title:46}{median(times) * 1e6:12.0f}")
