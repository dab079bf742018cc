"""Tables of patients: what is on record, in words and as items of cases.json, and what the service makes of it.

The real service evaluates each against a made-up statement that has nothing but the table's own facts and test.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from cds_service.authoring import cases
from cds_service.authoring.case_requests import request_of
from cds_service.card.guidance import Addresses
from cds_service.hooks.hook_request import parse
from cds_service.library import Library
from cds_service.policy.model import Policy
from cds_service.service import hook_call
from cds_service.service.guide import Guide
from cds_service.service.statement import Answer
from tests.charts import BASE, MINIMAL
from tests.loading import policy_of, read_documents

Json = dict[str, Any]
CRITERION = "asked"


@dataclass(frozen=True)
class Row:
    """One patient: what is on record, in words and as items, the truth, what is ordered, and of which part.

    ``reason`` is what the finding says, where that is asked; ``expect`` what comes out where it is not a truth of the
    criterion; ``profile`` a rule to be checked against.
    """

    says: str
    items: Json
    truth: str
    order: Json = field(default_factory=dict)
    part: str = ""
    reason: str | None = None
    expect: Json | None = None
    profile: str | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """A word, what it means, the facts and the test that show it, and its patients.

    ``beside`` are members of the criterion beside its test, ``more`` parts of policy.json beside the facts, ``sets``
    code sets, ``shows`` what an author would write.
    """

    word: str
    meaning: str
    facts: Json
    test: Json
    rows: tuple[Row, ...]
    more: Json = field(default_factory=dict)
    sets: Json = field(default_factory=dict)
    shows: Json | None = None
    beside: Json = field(default_factory=dict)

    def documents(self) -> Json:
        """The made-up statement with the facts and the test as the only criterion."""
        made = deepcopy(read_documents(MINIMAL))
        policy = made["policy"]
        template = policy["criteria"][0]
        del policy["patient_view"]
        policy |= {"facts": self.facts, "for_review": []}
        policy["criteria"] = [template | {"id": CRITERION, "title": "Asked", "test": self.test} | self.beside]
        policy["verdicts"] = [{"id": "verdict", "title": "Verdict", "all": [CRITERION]}]
        policy |= self.more
        made["payers"] = {"payers": []}
        phrases = {
            "short": "asked",
            "topic": "asked",
            "doc": "Note",
            "document": "asked",
            "fails": "not {value}",
            "letter": "it is {value}",
        }
        made["card"] |= {
            "ask_scope": {"summary": "Which one?", "lines": ["Name it."]},
            "pathways": {"replacement": {"summary": "Not evaluated", "lines": ["A replacement."]}},
            "no_label": "no label",
            "criteria": {
                entry["id"]: phrases | {"topic": entry["id"].replace("-", " ")} for entry in policy["criteria"]
            },
        }
        for name, entry in self.sets.items():
            made["codes"]["sets"][name] = {**entry, "codes": [_code(item) for item in entry["codes"]]}
        return made

    @cached_property
    def policy(self) -> Policy:
        """The statement, loaded."""
        return policy_of(MINIMAL, self.documents())

    def answer(self, row: Row) -> Answer:
        """What the service answers for a patient."""
        service_id, request = request_of(self.policy, case_of(row), self._guide)
        (found,) = hook_call.answer(parse(service_id, request), self._guide, cases.today_of(self.policy))
        assert found.error is None, repr(found.error)
        return found

    def differences(self, row: Row) -> tuple[str, ...]:
        """What differs between the row and what the service says."""
        case = case_of(row)
        request = request_of(self.policy, case, self._guide)
        found = cases.run_case(case, request, self._guide, cases.today_of(self.policy)).differences
        if row.reason is None:
            return found
        decision = self.answer(row).decision
        assert decision is not None
        said = decision.findings[CRITERION].reason
        return found if said == row.reason else (*found, f"reason: expected '{row.reason}', got '{said}'")

    @cached_property
    def _guide(self) -> Guide:
        library = Library((self.policy,), BASE)
        return Guide(library, Addresses("http://127.0.0.1:8080", BASE), b"a key for tests only")


def also(facts: Json, test: Json, *rows: Row, **more: Any) -> Table:
    """A table that is held and not printed: other facts of the same word, or what only a tester asks."""
    return Table("", "", facts, test, rows, **more)


def held(*tables: Table) -> Callable[[Table, Row], None]:
    """The test of a file: every row of its tables is what the service says."""

    rows = [
        pytest.param(table, row, id=f"{table.word}: {row.says}" if table.word else row.says)
        for table in tables
        for row in table.rows
    ]

    @pytest.mark.parametrize(("table", "row"), rows)
    def test(table: Table, row: Row) -> None:
        assert table.differences(row) == ()

    return test


def _code(item: Any) -> Json:
    entry = {"code": item} if isinstance(item, str) else item
    system, _, code = entry["code"].partition("|")
    return {
        "system": system,
        "label": "made up",
        "seen": "unverified",
        "provenance": "made up",
        "valid_from": None,
        "valid_until": None,
        **entry,
        "code": code,
    }


def case_of(row: Row) -> Json:
    """The row as a case of cases.json."""
    name = f"{CRITERION} {row.part}" if row.part else CRITERION
    return {
        "name": row.says,
        "chart": "plain",
        "change": row.items,
        "change_orders": {"coil-order": {"order": "CPT|11111", "reason": "ICD-10-CM|M25.561", **row.order}},
        "expect": row.expect or {"criteria": {name: row.truth}},
        **({"profile": row.profile} if row.profile else {}),
    }
