"""The shipped policies as tests use them: loaded once, called without HTTP, on a fixed day."""

import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Any

from cds_service.card.guidance import Addresses
from cds_service.hooks import hook_request
from cds_service.hooks.hook_request import HookRequest
from cds_service.library import Library, load_library
from cds_service.service import hook_call
from cds_service.service.concerned import concerned_policies, wanted_templates
from cds_service.service.guide import Guide
from cds_service.service.statement import Answer
from cds_service.settings.settings import data_folder

TODAY = date(2026, 11, 23)
BASE = "https://cds-service.example/fhir"
PUBLIC_URL = "http://127.0.0.1:8080"


@cache
def library() -> Library:
    return load_library(data_folder("cards"), BASE)


def wanted_on(request: HookRequest, today: date) -> Callable[[HookRequest], Mapping[str, str]]:
    """What must be known next to answer a call on a day, as ``complete_call`` asks for it."""
    concerned = concerned_policies(request, guide(), today)
    return lambda asked: wanted_templates(asked, concerned, guide(), today)


@cache
def guide() -> Guide:
    return Guide(library(), Addresses(PUBLIC_URL, BASE), b"a key for tests only")


def answers(request: Any, today: date = TODAY) -> list[Answer]:
    return hook_call.answer(hook_request.parse(f"coverage-guidance-{request['hook']}", request), guide(), today)


def truths(request: Any, today: date = TODAY) -> dict[str, str]:
    """Criterion id -> truth for the one policy that answers the request."""
    (answer,) = answers(request, today)
    assert answer.error is None, repr(answer.error)
    assert answer.decision is not None
    return {name: finding.truth.value for name, finding in answer.decision.findings.items()}


def example(name: str) -> Any:
    return json.loads((data_folder("fhir_examples") / name / "request.json").read_text(encoding="utf-8"))
