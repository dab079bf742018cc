"""The calls of the audit log whose card would read differently under the rules loaded now. Pure.

After correcting a rule, a site must find the patients whose cards used it. A call with stored content is evaluated
again as of its own day; for any other call, the audit line tells whether its card used the criterion.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from cds_service import __version__
from cds_service.errors import RequestError
from cds_service.fhir.elements import Json
from cds_service.hooks import hook_request
from cds_service.policy.model import Policy, own_id
from cds_service.service import hook_call
from cds_service.service.concerned import concerned_policies
from cds_service.service.guide import Guide
from cds_service.web import outcomes

ANSWERED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which calls to find: calls that ``policy`` answered, or answers now, with a card that uses the criterion
    ``criterion`` (its id).

    ``policy`` is the rule set as loaded now. ``truths`` and ``outcomes`` restrict what the card said; empty: any.
    """

    policy: Policy
    criterion: str
    truths: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CardReading:
    """What one card says: its rule set, its outcome, the truth of each verdict, of the criterion in question
    (``truths``, by part if judged by part) and of all ``others``. ``card`` (uuid) and ``digest`` do not affect
    equality."""

    policy: str
    edition: str
    outcome: str
    verdicts: Mapping[str, str]
    truths: Mapping[str, str]
    others: Mapping[str, str]
    card: str = field(compare=False)
    digest: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class CheckedCall:
    """One checked call: its audit line without the content, what its card said ``then`` (None: no card), and what it
    says ``now`` under the loaded rules (None: no card, or not ``evaluated`` again)."""

    line: Json
    then: CardReading | None
    now: CardReading | None
    evaluated: bool

    @property
    def is_affected(self) -> bool:
        """Whether the criterion's rule makes the card read differently, or, for a call not evaluated again, may do so.
        A change in other criteria only does not count."""
        if not self.evaluated or self.then is None or self.now is None:
            return True
        if self.then.truths != self.now.truths:
            return True
        return self.then != self.now and self.then.others == self.now.others


def checked(
    lines: Iterable[Json], question: Question, guide: Guide, tell: Callable[[str], None]
) -> Iterator[CheckedCall]:
    """The answered calls that concern a question, from audit lines (``audit_lines.read``, with keys if content is
    stored). Calls are evaluated again if possible; other calls count if other rules than the loaded ones answered them.

    At the end, ``tell`` receives the number of lines that an earlier version of the program wrote without the needed
    data.
    """
    older = 0
    for line in lines:
        if line.get("kind") != "call" or line.get("status") != ANSWERED:
            continue
        if "today" not in line:
            older += 1
        elif (found := _checked(line, question, guide)) is not None:
            yield found
    if older:
        tell(f"{older} calls were not checked: an earlier version wrote their lines, without the results of criteria.")


def _checked(line: Json, question: Question, guide: Guide) -> CheckedCall | None:
    then = _reading(line["policies"], question, guide)
    if not _is_asked_for(then, question):
        return None
    again = _again(line, question, guide)
    now = None if again is None else _reading(again, question, guide)
    found = CheckedCall(
        {name: value for name, value in line.items() if name != "content"}, then, now, again is not None
    )
    cards = [reading for reading in (then, now) if reading is not None]
    rests = any(reading.truths for reading in cards) and question.policy.id in {reading.policy for reading in cards}
    return found if rests and (found.evaluated or not _is_by_loaded(found, question)) else None


def _is_asked_for(then: CardReading | None, question: Question) -> bool:
    if question.outcomes and (then is None or then.outcome not in question.outcomes):
        return False
    return not question.truths or (then is not None and not question.truths.isdisjoint(then.truths.values()))


def _is_by_loaded(found: CheckedCall, question: Question) -> bool:
    """Whether the rules and program version loaded now answered the call."""
    digest = found.then.digest if found.then else ""
    return (digest, found.line.get("version")) == (question.policy.digest, __version__)


def _again(line: Json, question: Question, guide: Guide) -> list[dict[str, Any]] | None:
    """What the audit log would store of the call if answered now; None if it cannot be evaluated again."""
    content = line.get("content")
    if not isinstance(content, dict) or "request" not in content:
        return None
    own = replace(guide, client=line["client"])
    try:
        asked = hook_request.parse(line["service"], content["request"], own.limits)
        prefetch = {**asked.prefetch, **content.get("fetched", {})}
        asked = replace(asked, prefetch=prefetch, unfetched=content.get("unfetched", {}))
        today = date.fromisoformat(line["today"])
        candidates = [
            policy for policy in concerned_policies(asked, own, today) if policy.statement == question.policy.statement
        ]
        return outcomes.told(hook_call.answer(asked, own, today, candidates=candidates))
    # For example, a limit is lower now. The audit line still has the original answer.
    except RequestError:
        return None


def _reading(told: Iterable[Mapping[str, Any]], question: Question, guide: Guide) -> CardReading | None:
    """The statement's answer, from any of its editions; None if there is none."""
    editions = {policy.id for policy in guide.library.policies if policy.statement == question.policy.statement}
    item = next((item for item in told if item["policy"] in editions), None)
    if item is None:
        return None
    asked: dict[str, str] = {}
    others: dict[str, str] = {}
    for key, truth in item["criteria"].items():
        # The part follows after a space (``Finding.key``).
        is_asked = own_id(key.partition(" ")[0]) == question.criterion
        (asked if is_asked else others)[key] = truth
    return CardReading(
        policy=item["policy"],
        edition=item["edition"],
        outcome=item["outcome"],
        verdicts=item["verdicts"],
        truths=asked,
        others=others,
        card=item["card"],
        digest=item["digest"],
    )
