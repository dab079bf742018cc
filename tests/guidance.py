"""Which rules turn results since the last release, and whether the changelog and a revision of the rule set say so.

`python -m tests.guidance` keeps today's rules as those of a release; run it when a release is made, and not before.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cds_service.policy.model import Policy
from cds_service.policy.sources import Revision
from cds_service.publish.effects import rests_on
from tests.shipped import library

ROOT = Path(__file__).parent.parent
RELEASED = Path(__file__).with_name("released_rules.json")
# How an entry speaks of several rule sets at once.
OF_ALL = re.compile(r"^(?:Both|All) statements", re.MULTILINE)

Rules = Mapping[str, Mapping[str, str]]


def rules(policies: Iterable[Policy]) -> dict[str, dict[str, str]]:
    """Policy id -> criterion id -> a digest of all that its result is worked out from."""
    return {policy.id: {rule.id: _digest(rests_on(policy, rule)) for rule in policy.criteria} for policy in policies}


def _digest(rule: object) -> str:
    return hashlib.sha256(json.dumps(rule, sort_keys=True).encode()).hexdigest()[:16]


def guidance(changelog: str, *, unreleased: bool) -> list[str]:
    """The entries under the headings Guidance, of the unreleased part alone or of the whole file."""
    parts = changelog.split("\n## ")[1:]
    chosen = [part for part in parts if part.startswith("Unreleased")] if unreleased else parts
    under = [part.partition("### Guidance\n")[2].partition("\n### ")[0] for part in chosen]
    return [entry for text in under for entry in re.split(r"^- ", text, flags=re.MULTILINE)[1:]]


def names(entry: str, policy: str, criterion: str = "") -> bool:
    """Whether an entry is about a rule set, and about a criterion of it where one is given."""
    return (f"`{policy}`" in entry or OF_ALL.search(entry) is not None) and (not criterion or f"`{criterion}`" in entry)


def unsaid(released: Rules, now: Rules, changelog: str) -> Iterator[str]:
    """A sentence for each rule whose result can differ since the release and of which no unreleased entry speaks."""
    entries = guidance(changelog, unreleased=True)
    for policy in sorted(released.keys() | now.keys()):
        before, after = released.get(policy), now.get(policy)
        if before is None or after is None:
            if not any(names(entry, policy) for entry in entries):
                yield f"{policy} is {'new' if before is None else 'gone'}; say so in CHANGELOG.md under Guidance"
            continue
        for criterion in sorted(before.keys() | after.keys()):
            turns = before.get(criterion) != after.get(criterion)
            if turns and not any(names(entry, policy, criterion) for entry in entries):
                yield (
                    f"the result of {criterion} in {policy} can differ since the last release; say in CHANGELOG.md "
                    f"under Guidance what a clinician reads otherwise, with `{policy}` and `{criterion}`"
                )


def unrevised(released: Rules, now: Rules, revisions: Mapping[str, Iterable[Revision]]) -> Iterator[str]:
    """A sentence for each rule whose result can differ since the release and that no revision of its rule set names."""
    for policy in sorted(released.keys() & now.keys()):
        before, after = released[policy], now[policy]
        turned = {name for revision in revisions[policy] for name in revision.turns}
        for criterion in sorted(before.keys() & after.keys()):
            if before[criterion] != after[criterion] and criterion not in turned:
                yield (
                    f"the result of {criterion} in {policy} can differ since the last release; add a revision to "
                    f"review.revisions that says so on_cards and has '{criterion}' among turns"
                )


def incomplete(revisions: Iterable[Revision]) -> Iterator[str]:
    """A sentence for each revision after the first encoding that does not say what it changes on cards."""
    for revision in tuple(revisions)[1:]:
        if not revision.on_cards:
            yield f"the revision of {revision.on} ({revision.what}) does not say what it changes on cards"


if __name__ == "__main__":
    RELEASED.write_text(json.dumps(rules(library().policies), indent=1) + "\n", encoding="utf-8")
