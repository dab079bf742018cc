"""The form of one patient: each question with the evidence in the chart, and whether it still needs an answer. Pure.

The form fills in only numbers and dates from the chart, for the user to confirm. It never fills in an attestation, and
never chooses a document for the user (Da Vinci DTR 2.2, spec-125).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cds_service.documentation.answers import FormAnswer, ShownBeside
from cds_service.facts.evidence import Evidence, Fact, Known
from cds_service.facts.logic import Truth
from cds_service.facts.roles import CLINICIAN, STAFF
from cds_service.policy.model import Policy
from cds_service.questionnaire.draft import recorded_answer
from cds_service.questionnaire.found import concerns, found_in_words
from cds_service.questionnaire.questions import PAYERS, REVIEW, SCOPE, FormGroup, FormQuestion, groups
from cds_service.verdicts.criteria import NOTHING_ON_RECORD, Finding
from cds_service.verdicts.decisions import Decision

OPEN, CONFLICT, SETTLED = "open", "conflict", "settled"
MOST_OFFERED, MOST_NAMED = 6, 3
_BASES = ("DocumentReference", "DiagnosticReport", "Observation", "Procedure", "Condition", "Encounter", "CarePlan")


class NamedRecord(NamedTuple):
    """A record of the chart as the form shows it: its reference, and a label in words."""

    reference: str
    label: str


class FormRow(NamedTuple):
    """One question on the form.

    ``state``: OPEN (nothing settles it), CONFLICT (a record contradicts) or SETTLED. ``found`` is the chart's evidence
    in words, ``value`` the number or date in the chart, ``notes`` the reasons why criteria are open. ``contrary`` are
    the records that contradict, ``bases`` the possible bases of an answer. ``answered``: the question has a yes or no
    answer that still counts.
    """

    link_id: str
    state: str
    found: str
    value: str = ""
    notes: tuple[str, ...] = ()
    contrary: tuple[NamedRecord, ...] = ()
    bases: tuple[NamedRecord, ...] = ()
    answered: bool = False

    def shown(self) -> ShownBeside:
        """The content against which answers are checked."""
        contrary, bases = (tuple(item.reference for item in listed) for listed in (self.contrary, self.bases))
        return ShownBeside(self.value, contrary, bases, self.answered)

    @classmethod
    def of_json(cls, kept: Sequence[Any]) -> "FormRow":
        """A row from a session: the tuple, parsed from JSON."""
        link_id, state, found, value, notes, contrary, bases, answered = kept
        records, offered = (tuple(NamedRecord(*item) for item in listed) for listed in (contrary, bases))
        return cls(link_id, state, found, value, tuple(notes), records, offered, answered)


def rows_of(policy: Policy, known: Known, recorded: Known, decision: Decision) -> tuple[FormRow, ...]:
    """A row for each question of a statement that this order and this payer ask.

    ``known`` are the facts of the chart, ``recorded`` the facts without any answers to forms. If an order names its
    part, the other parts get no questions. Only the rules of this patient's payer get questions.
    """
    parts = {part.id for part in decision.parts}
    lent = {name for item in decision.lent for name in policy.behind(item.criterion.test.facts())}
    findings = {**{item.key: item for item in decision.lent}, **decision.findings}
    return tuple(
        _row(question, known, recorded, findings)
        for group in groups(policy)
        if not (group.link_id == SCOPE and parts)
        for question in group.questions
        if not (parts and question.part and question.part not in parts)
        if group.link_id != PAYERS or question.fact.name in lent
    )


def asked(policy: Policy, rows: Sequence[FormRow]) -> Iterator[tuple[FormGroup, list[tuple[FormQuestion, FormRow]]]]:
    """The groups with the questions that still need an answer, each with its row; omits groups without any."""
    by_link = {row.link_id: row for row in rows}
    for group in groups(policy):
        pairs = [(question, by_link[question.link_id]) for question in group.questions if question.link_id in by_link]
        if needed := [(question, row) for question, row in pairs if row.state != SETTLED]:
            yield group, needed


def settled(policy: Policy, rows: Sequence[FormRow]) -> list[tuple[FormQuestion, FormRow]]:
    """The questions that the chart already settles, in order."""
    by_link = {row.link_id: row for row in rows}
    pairs = ((question, by_link.get(question.link_id)) for group in groups(policy) for question in group.questions)
    return [(question, row) for question, row in pairs if row is not None and row.state == SETTLED]


def answerable(policy: Policy, rows: Sequence[FormRow]) -> list[tuple[FormQuestion, FormRow]]:
    """The questions that take an answer: those that need an answer, then those that the user may answer again."""
    needed = [pair for _, pairs in asked(policy, rows) for pair in pairs]
    return [*needed, *(pair for pair in settled(policy, rows) if pair[1].answered)]


class LeftOpen(NamedTuple):
    """The questions without an answer: for clinicians only, and for staff."""

    clinician: tuple[FormQuestion, ...]
    staff: tuple[FormQuestion, ...]


def left_open(
    policy: Policy, rows: Sequence[FormRow], answered: Sequence[FormAnswer], not_counted: Sequence[str]
) -> LeftOpen:
    """The open questions that criteria need; ``not_counted`` are the linkIds whose answers do not count."""
    given = {item.question.link_id for item in answered} - set(not_counted)
    left = [
        question
        for group, pairs in asked(policy, rows)
        for question, _ in pairs
        if group.link_id != REVIEW and question.criteria and question.link_id not in given
    ]
    return LeftOpen(
        tuple(question for question in left if question.attested_by == {CLINICIAN}),
        tuple(question for question in left if STAFF in question.attested_by),
    )


def _row(question: FormQuestion, known: Known, recorded: Known, findings: Mapping[str, Finding]) -> FormRow:
    concerned = [finding for finding in findings.values() if concerns(finding, question)]
    fact = _fact(question, recorded)
    contrary = _unique([record for finding in concerned for record in finding.contrary])
    bearing = _unique(
        [*(fact.evidence if fact else ()), *(record for finding in concerned for record in finding.evidence)]
    )
    answer = recorded_answer(question, recorded)
    answered = _is_answered(_fact(question, known), contrary)
    state = SETTLED if answered else _state(concerned, fact)
    return FormRow(
        question.link_id,
        state,
        found_in_words(question, recorded, findings, MOST_NAMED, with_answers=state == SETTLED),
        "" if answer is None else _written(answer.value),
        tuple(dict.fromkeys(item.reason for item in concerned if item.truth is Truth.UNKNOWN and _tells(item))),
        tuple(map(_record, contrary))[:MOST_OFFERED],
        tuple(_record(item) for item in bearing if item not in contrary and _is_basis(item))[:MOST_OFFERED],
        answered,
    )


def _tells(finding: Finding) -> bool:
    """True if the reason says more than "nothing found", which the row already shows."""
    return finding.reason not in ("", NOTHING_ON_RECORD)


def _is_answered(fact: Fact | None, contrary: Sequence[Evidence]) -> bool:
    """True if a question has a yes or no answer that still counts, and no record contradicts it."""
    if fact is None or fact.open or contrary or len(set(fact.values)) != 1:
        return False
    return isinstance(fact.values[0], bool) and bool(fact.evidence) and all(item.is_attested for item in fact.evidence)


def _state(concerned: Sequence[Finding], fact: Fact | None) -> str:
    if any(finding.conflict or (finding.contrary and finding.truth is Truth.UNKNOWN) for finding in concerned):
        return CONFLICT
    if concerned:
        return OPEN if any(finding.truth is Truth.UNKNOWN for finding in concerned) else SETTLED
    # A question without a criterion is open if nothing is known about it.
    return SETTLED if fact is not None and (fact.values or fact.events) else OPEN


def _fact(question: FormQuestion, recorded: Known) -> Fact | None:
    facts = recorded.parts.get(question.part, recorded.whole) if question.part else recorded.whole
    return facts.get(question.fact.name)


def _is_basis(item: Evidence) -> bool:
    return not item.is_attested and item.reference.partition("/")[0] in _BASES


def _unique(records: Sequence[Evidence]) -> list[Evidence]:
    return list({item.reference: item for item in records}.values())


def _record(item: Evidence) -> NamedRecord:
    said = f"{item.display}: {item.value}" if item.value else item.display
    return NamedRecord(item.reference, f"{said}, {item.date}" if item.date else said)


def _written(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
