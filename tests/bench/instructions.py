"""Calls to be counted under callgrind, one at a time: ``python -m tests.bench.instructions``.

``tests.bench.gate`` runs it under callgrind, which counts only inside ``ffi_call``, through which nothing but
``through_ffi`` calls, and writes a file each time. Its instrumentation, which makes everything many times slower, is
turned on when all is loaded and warm.
"""

import ctypes
import gc
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, time
from typing import Any

import jwt
import orjson
from flask import Flask

from cds_service.app import create_app
from cds_service.server.gunicorn_server import install, load
from cds_service.settings.settings import Settings
from cds_service.web import accepted
from tests.bench import workload
from tests.bench.floor import create_floor
from tests.tokens import jwk, private_key

ISSUER, CLIENT, PUBLIC = "https://ehr.example", "general-hospital", "http://127.0.0.1:8080"
# Before counting: caches are filled, and code that the interpreter specializes is specialized.
WARM_UP = 20
# The calls that are counted together, so that what varies between two of them is small beside them.
COUNTED = 5
TODAY = date(2026, 6, 1)


def environ_of(path: str, body: bytes, token: str | None = None) -> dict[str, Any]:
    """The WSGI environment of a POST as our server makes it (PEP 3333)."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "HTTP_ACCEPT": "*/*",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        # Callgrind makes a call hundreds of times slower; no deadline of it may pass.
        accepted.KEY: monotonic() + 3600,
    } | ({"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {})


def caller(
    app: Flask, path: str, body: bytes, cards: int | None, tokens: list[str] | None = None
) -> Callable[[], None]:
    """One call of an application; it must answer with so many cards (None: with anything, as the floor does)."""

    def call() -> None:
        statuses: list[str] = []
        environ = environ_of(path, body, tokens.pop() if tokens else None)
        answered = b"".join(app(environ, lambda status, headers, exc_info=None: statuses.append(status)))
        assert statuses == ["200 OK"], (statuses, answered[:300])
        assert cards is None or len(orjson.loads(answered)["cards"]) == cards, answered[:300]

    return call


def tokens_of(path: str, count: int) -> list[str]:
    """That many tokens for one address, each with a jti of its own."""
    now = int(time())
    claims = {"iss": ISSUER, "aud": f"{PUBLIC}{path}", "iat": now, "exp": now + 3000}
    return [
        jwt.encode(claims | {"jti": f"gate-{n}"}, private_key("p384"), algorithm="ES384", headers={"kid": "p384"})
        for n in range(count)
    ]


def calls_of(stack: ExitStack) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each kind of call by its name, the floor first; what they need is open until the stack is closed."""
    service_id, request = workload.whole_card(TODAY)
    path, body = f"/cds-services/{service_id}", orjson.dumps(request)
    folder = Path(stack.enter_context(TemporaryDirectory()))
    settings = Settings(state=folder / "open")
    library = load(settings)
    bare = create_app(settings, library, PUBLIC, lambda: TODAY)
    answered = b"".join(bare(environ_of(path, body), lambda status, headers, exc_info=None: None))
    yield "floor", caller(create_floor(answered), path, body, None)
    yield "whole card", caller(bare, path, body, 1)
    yield "unrecognized order", caller(bare, path, orjson.dumps(workload.unrecognized(request, TODAY)), 0)
    opened_id, opened = workload.patient_view(TODAY)
    yield "patient-view", caller(bare, f"/cds-services/{opened_id}", orjson.dumps(opened), 1)
    clients = folder / "clients.toml"
    clients.write_text(
        f'[[client]]\nid = "{CLIENT}"\nissuer = "{ISSUER}"\n[[client.keys]]\n'
        + "".join(f'{name} = "{value}"\n' for name, value in jwk("p384").items())
    )
    trusting = Settings(state=folder / "trusting", clients=clients, public_url=PUBLIC, id_key="a key for the gate only")
    installed = install(trusting, library, PUBLIC, True, lambda: TODAY)
    stack.callback(installed.installation.close)
    yield "whole card, trusted", caller(installed.app, path, body, 1, tokens_of(path, WARM_UP + COUNTED))


def instrument() -> None:
    """Asks the callgrind that runs this process to count from now on."""
    control = ["callgrind_control", "--instr=on", str(os.getpid())]
    done = subprocess.run(control, capture_output=True, text=True, timeout=60, check=False)
    # It fails with exit status 0.
    if "OK" not in done.stdout:
        raise SystemExit(f"callgrind does not count: {done.stdout}{done.stderr}")


def through_ffi(function: Callable[[], None]) -> None:
    """Calls a function by way of libffi's ``ffi_call``, which callgrind can see."""
    call_object = ctypes.pythonapi.PyObject_CallObject
    call_object.restype, call_object.argtypes = ctypes.py_object, [ctypes.py_object, ctypes.c_void_p]
    call_object(function, None)


def main() -> None:
    """Has each kind of call counted, and prints the names in the order of callgrind's files."""
    gc.disable()
    with ExitStack() as stack:
        kinds = dict(calls_of(stack))
        for call in kinds.values():
            for _ in range(WARM_UP):
                call()
        gc.collect()
        instrument()
        for name, call in kinds.items():
            through_ffi(lambda call=call: [call() for _ in range(COUNTED)])
            print(name, flush=True)


if __name__ == "__main__":
    main()
