"""Twenty thousand mixed calls with trust on, over connections that are kept open: each gets its answer."""

import json
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path

import jwt

from tests.bench import machine
from tests.shipped import example
from tests.tokens import ISSUER, key_set, private_key

CALLS = 20_000
CALLERS = 8
LARGEST = 300_000
SIGN = "/cds-services/coverage-guidance-order-sign"


@dataclass
class Soak:
    """Calls by status, and those that got another answer than they must, or none."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    connections: int = 0

    def __str__(self) -> str:
        found = ", ".join(f"{status}: {number}" for status, number in sorted(self.statuses.items()))
        return (
            f"{sum(self.statuses.values())} answers ({found}), {len(self.wrong)} wrong, {self.connections} connections"
        )


@dataclass(frozen=True)
class Kind:
    """One kind of call: its statuses (a refusal may also be one too many), and what it sends."""

    expected: frozenset[int]
    body: bytes
    path: str = SIGN
    media_type: str = "application/json"
    trusted: bool = True


def soak(calls: int = CALLS) -> Soak:
    """Raises AssertionError where a call got another answer than it must, or none."""
    silent, card = (json.dumps(example(name)).encode() for name in ("unrelated-order", "typical-gaps"))
    large = silent + b" " * 100_000
    # Half of them good ones, and a good one behind each that is refused.
    kinds = (
        Kind(frozenset({200}), silent),
        Kind(frozenset({401, 429}), large, trusted=False),
        Kind(frozenset({200}), card),
        Kind(frozenset({404}), large, path="/cds-services/nonsense"),
        Kind(frozenset({200}), silent),
        Kind(frozenset({415}), large, media_type="text/plain"),
        Kind(frozenset({200}), silent),
        Kind(frozenset({413}), silent + b" " * LARGEST),
    )
    seen, numbers = Soak(), count()
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(Path(folder))
        core, _ = machine.cores()
        with machine.serving("cds_service", "serve", "--port", "{port}", core=core, settings=settings) as running:
            callers = [
                threading.Thread(target=_caller, args=(running.port, kinds, calls, numbers, seen))
                for _ in range(CALLERS)
            ]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
    assert not seen.wrong, f"{seen}: {Counter(seen.wrong).most_common(5)}"
    assert sum(seen.statuses.values()) == calls, str(seen)
    return seen


def _settings(folder: Path) -> dict[str, str]:
    (folder / "keys.json").write_text(json.dumps(key_set("p256")))
    clients = folder / "clients.toml"
    clients.write_text(
        f'[[client]]\nid = "general"\nissuer = "{ISSUER}"\njwks_file = "keys.json"\nalgorithms = ["ES256"]\n'
    )
    return {
        "CDS_SERVICE_CLIENTS": str(clients),
        "CDS_SERVICE_STATE": str(folder / "state"),
        "CDS_SERVICE_MAX_BODY_BYTES": str(LARGEST),
        "CDS_SERVICE_LOG_LEVEL": "error",
        "CDS_SERVICE_PUBLIC_URL": "",
    }


def _token(url: str, number: int) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": url, "iat": now, "exp": now + 300, "jti": f"soak-{number}"}
    return jwt.encode(claims, private_key("p256"), algorithm="ES256", headers={"kid": "p256"})


def _caller(port: int, kinds: tuple[Kind, ...], calls: int, numbers: "count[int]", seen: Soak) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    while (number := next(numbers)) < calls:
        kind = kinds[number % len(kinds)]
        headers = {"Content-Type": kind.media_type}
        if kind.trusted:
            headers["Authorization"] = f"Bearer {_token(f'http://127.0.0.1:{port}{kind.path}', number)}"
        seen.connections += connection.sock is None
        try:
            connection.request("POST", kind.path, kind.body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            seen.wrong.append(f"{min(kind.expected)}: {type(error).__name__}")
            connection.close()
            continue
        seen.statuses[answer.status] += 1
        if answer.status not in kind.expected:
            seen.wrong.append(f"{min(kind.expected)}: {answer.status}")
    connection.close()


SCENARIOS = (soak,)

if __name__ == "__main__":
    print(soak())
