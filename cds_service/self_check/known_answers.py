"""Known-answer patients: the cases of the loaded rule sets, sent to the application as hook calls."""

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from flask import Flask

from cds_service.authoring.case_requests import request_of
from cds_service.authoring.cases import differences, today_of
from cds_service.policy.model import Policy
from cds_service.service.guide import Guide
from cds_service.web import probe
from cds_service.web.probe import Probe


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """One case of a rule set, with its expected answer.

    ``written`` is the case as JSON; ``request`` builds the request from it when it is sent.
    """

    owner: Policy
    name: str
    written: bytes
    guide: Guide

    @property
    def policy(self) -> str:
        """The id of the rule set."""
        return self.owner.id

    @property
    def key(self) -> tuple[str, str]:
        """The case's unique key: rule set and name."""
        return self.policy, self.name

    @property
    def expect(self) -> Mapping[str, Any]:
        """The expected answer, as written in the case."""
        expect: Mapping[str, Any] = orjson.loads(self.written)["expect"]
        return expect

    @property
    def today(self) -> date:
        """The day on which the case is evaluated."""
        return today_of(self.owner)

    def request(self) -> tuple[str, bytes]:
        """The service id and the body of the case's request."""
        service_id, body = request_of(self.owner, orjson.loads(self.written), self.guide)
        return service_id, orjson.dumps(body)


def known_answers(policy: Policy, guide: Guide) -> Iterator[KnownAnswer]:
    """Every case of a rule set that can be sent over HTTP, so none that is evaluated against one source's rule.

    Raises PolicyError, possibly only after the last case, if cases cannot be read.
    """
    for case in policy.cases.each():
        if "profile" not in case:
            # A result of ``dumps`` takes up at least 4 kB; a copy takes up only its length.
            yield KnownAnswer(policy, case["name"], bytes(memoryview(orjson.dumps(case))), guide)


class KeptAnswers:
    """The known answers of one rule set, compressed until due: there are many, and each process has its own copy."""

    def __init__(self, answers: Sequence[KnownAnswer], parts: int) -> None:
        """``answers`` are the rule set's; a covering set is due at each turn, and one of ``parts`` of the rest."""
        first = covering(answers)
        covered = {answer.key for answer in first}
        rest = [answer for answer in answers if answer.key not in covered]
        self._first, self._rest = _Packed(first), [_Packed(rest[part::parts]) for part in range(parts)]

    def first(self) -> Iterator[KnownAnswer]:
        """The answers that are due at each turn."""
        return self._first.each()

    def part(self, turn: int) -> Iterator[KnownAnswer]:
        """The other answers that are due at ``turn``."""
        return self._rest[turn % len(self._rest)].each()


class _Packed:
    def __init__(self, answers: Sequence[KnownAnswer]) -> None:
        self._of = [(answer.owner, answer.guide) for answer in answers[:1]]
        self._lines = zlib.compress(b"\n".join(answer.written for answer in answers))

    def each(self) -> Iterator[KnownAnswer]:
        for owner, guide in self._of:
            for line in zlib.decompress(self._lines).split(b"\n"):
                yield KnownAnswer(owner, orjson.loads(line)["name"], line, guide)


def covering(cases: Sequence[KnownAnswer]) -> list[KnownAnswer]:
    """A small set of cases that together expect everything that any case expects.

    It covers each truth of each criterion and verdict, and each suggestion, summary, pathway and refusal. Cases that
    expect the most come first.
    """
    wanted = {case.key: {(case.policy, item) for item in _points(case.expect)} for case in cases}
    chosen: list[KnownAnswer] = []
    covered: set[tuple[str, str]] = set()
    for case in sorted(cases, key=lambda case: -len(wanted[case.key])):
        if wanted[case.key] - covered:
            chosen.append(case)
            covered |= wanted[case.key]
    return chosen


def _points(expect: Mapping[str, Any]) -> Iterator[str]:
    for name, value in expect.items():
        if name in ("criteria", "verdicts"):
            yield from (f"{name} {key} {truth}" for key, truth in value.items())
        elif name == "suggests":
            yield from (f"suggests {code}" for code in value)
        elif name != "says":
            yield f"{name} {value}"


class Examiner:
    """Sends known answers through the application, and remembers the first response to each."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._first: dict[tuple[str, str], bytes] = {}

    def problems(self, case: KnownAnswer) -> list[str]:
        """A sentence for each difference between the response and the known answer."""
        sent, expect = Probe(case.today), case.expect
        service_id, body = case.request()
        answer = self._app.test_client().post(
            f"/cds-services/{service_id}",
            data=body,
            content_type="application/json",
            environ_overrides={probe.KEY: sent},
        )
        refused = expect.get("refused")
        if refused is not None:
            said = answer.get_data(as_text=True)
            return [] if answer.status_code >= 400 and refused in said else [f"it must be refused with '{refused}'"]
        if answer.status_code != 200:
            return [f"it must be answered, and came back with status {answer.status_code}"]
        if answer.mimetype != "application/json":
            return [f"it must come back as JSON, and came back as {answer.mimetype}"]
        return [*differences(expect, _of_policy(case, sent)), *self._changed(case, sent, answer.get_data())]

    def _changed(self, case: KnownAnswer, sent: Probe, body: bytes) -> Iterator[str]:
        try:
            cards = orjson.loads(body)["cards"]
        except (ValueError, KeyError, TypeError):
            yield "it must come back with cards, and did not"
            return
        if sorted(card.get("uuid", "") for card in cards) != sorted(
            item.card["uuid"] for item in sent.answers if item.card
        ):
            yield "the cards that came back are not those that were made"
        digest = hashlib.sha256(body).digest()
        if self._first.setdefault(case.key, digest) != digest:
            yield "it came back otherwise than before"


def _of_policy(case: KnownAnswer, sent: Probe) -> list[Any]:
    return [item for item in sent.answers if item.policy.id == case.policy]
