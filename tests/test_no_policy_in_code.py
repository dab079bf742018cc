"""What policies are about is in cards/ alone: no source file names a policy, a procedure, a part or a code."""

import re
from pathlib import Path

import pytest

import cds_service
from tests.shipped import library

PACKAGE = Path(cds_service.__file__).parent
# The table of drugs says what any drug is called, whichever policy names it.
DRUGS = PACKAGE / "policy" / "tables" / "drugs.json"
SOURCES = [
    path
    for path in sorted(PACKAGE.rglob("*"))
    if path.suffix in {".py", ".html", ".css", ".json", ".js"} and "cards" not in path.parts and path != DRUGS
]
POLICIES = library().policies
# Of one letter and two digits or less there are words and numbers in any program.
SHORTEST_CODE = 4


def words(text: str) -> str:
    return f" {' '.join(word.strip('.-') for word in re.findall(r'[a-z0-9.-]+', text.lower()))} "


def names(policy) -> set[str]:
    """Everything by which a policy, its procedure, its parts, its criteria or a code could be named."""
    found = {policy.id, policy.statement, policy.title.lower(), policy.procedure.lower()}
    found |= {phrase.strip() for phrase in policy.orders.named_in_text}
    found |= {phrase.strip() for act in policy.orders.acts for phrase in act.phrases if " " in phrase.strip()}
    found |= {criterion.id for criterion in policy.criteria if "-" in criterion.id}
    found |= set(policy.profiles)
    found |= {payer.name.lower() for payer in policy.payers}
    if policy.scope:
        found |= {policy.scope.name, *(part.label for part in policy.scope.parts)}
    codes = {row.code.lower() for rows in policy.code_sets.values() for row in rows.codes}
    return found | {code for code in codes if len(code) >= SHORTEST_CODE}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_no_source_file_names_what_a_policy_is_about(policy):
    wanted = {f" {name} " for name in names(policy)}
    for path in SOURCES:
        text = words(path.read_text(encoding="utf-8"))
        assert {name for name in wanted if name in text} == set(), path


def test_the_search_would_find_a_name():
    (policy, *_) = POLICIES
    assert f" {policy.id} " in words(f'ID = "{policy.id}"')
    assert f" {policy.orders.acts[0].code.code} " in words(f"code={policy.orders.acts[0].code.code}")
