"""The shipped policies as tests use them: loaded once, called without HTTP, on a fixed day."""

import json
from datetime import date
from functools import cache
from typing import Any

from cds_service import hooks, service
from cds_service.card import Addresses
from cds_service.library import Library, load_library
from cds_service.service import Answer, Guide
from cds_service.settings import data_folder

TODAY = date(2026, 11, 23)
BASE = "https://cds-service.example/fhir"
PUBLIC_URL = "http://127.0.0.1:8080"


@cache
def library() -> Library:
    return load_library(data_folder("cards"), BASE)


@cache
def guide() -> Guide:
    return Guide(library(), Addresses(PUBLIC_URL, BASE), b"a key for tests only")


def answers(request: Any, today: date = TODAY) -> list[Answer]:
    return service.answer(hooks.parse(f"coverage-guidance-{request['hook']}", request), guide(), today)


def truths(request: Any, today: date = TODAY) -> dict[str, str]:
    """Criterion id -> truth for the one policy that answers the request."""
    (answer,) = answers(request, today)
    assert answer.error is None, repr(answer.error)
    assert answer.decision is not None
    return {name: finding.truth.value for name, finding in answer.decision.findings.items()}


def example(name: str) -> Any:
    return json.loads((data_folder("fhir_examples") / name / "request.json").read_text(encoding="utf-8"))
