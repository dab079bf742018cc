"""What is measured and what the servers must answer, made in the benchmark's own process."""

import os
import sys
from pathlib import Path

import orjson

from cds_service import __version__
from cds_service.card.guidance import Addresses
from cds_service.card.style import Style
from cds_service.clock import utc_today
from cds_service.hooks import hook_request
from cds_service.library import load_library
from cds_service.service import hook_call
from cds_service.service.guide import Guide
from cds_service.settings.settings import OPEN_LOOPBACK_KEY, Settings
from tests.bench import load, machine
from tests.bench.machine import BenchError, Running

# No evidence pages, as is the default where others than the service's own machine may call: their links are of one call
# alone, so that two answers to one call differ. Cards spell out what the page would show.
WITHOUT_PAGES = {"CDS_SERVICE_EVIDENCE": "off"}
SPELLED_OUT = Style(spells_out=True)


def print_head(seconds: int, rounds: int, server_core: int, load_core: int) -> None:
    """On what, and how, in two lines."""
    print(f"cds-service {__version__}, Python {sys.version.split()[0]}, {machine.processor()}")
    print(
        f"Servers on core {server_core}, wrk on core {load_core}, {load.CONNECTIONS} connections, {rounds} rounds of "
        f"{seconds:g} s each in turn, medians. Load of the machine before: {os.getloadavg()[0]:.1f}"
    )


def guide_of(server: Running, cards: Path | None = None, style: Style = SPELLED_OUT) -> Guide:
    """What the server was started with, ``WITHOUT_PAGES`` too, so that its answers can be made here too."""
    settings = Settings(id_key=OPEN_LOOPBACK_KEY, **({"cards": cards} if cards else {}))
    library = load_library(settings.cards, settings.canonical_base)
    hook_call.warm_up(library)
    addresses = Addresses(f"http://127.0.0.1:{server.port}", settings.canonical_base)
    return Guide(library, addresses, settings.key(), style=style)


def answer_of(service_id: str, body: bytes, guide: Guide) -> bytes:
    """The answer to a call, byte for byte."""
    answers = hook_call.answer(hook_request.parse(service_id, orjson.loads(body)), guide, utc_today())
    if any(item.decision is None for item in answers):
        raise BenchError("a policy could not be evaluated or only asks; the benchmark measures decisions")
    return orjson.dumps(hook_call.response(answers))
