"""The words of the summary of a card: the text after the therapy, one phrase for each outcome and finding.

The summary has at most 100 characters; if an outcome has several phrases, the first that fits wins.
"""

from cds_service.card.words.counting import all_of, criteria, form, needs


def headed(therapy: str, said: str, *, if_ordered: bool) -> str:
    """The therapy and the text about it; ``if_ordered``: there is no order yet."""
    return f"{therapy}: if ordered, {said}" if if_ordered else f"{therapy}: {said}"


def of_side(therapy: str, side: str) -> str:
    """The therapy and its side."""
    return f"{therapy}, {side}"


def deceased(when: str) -> str:
    """A patient who has died; ``when`` may be unknown ("")."""
    known = f" ({when})" if when else ""
    return f"Patient recorded as deceased{known}: confirm the patient before ordering"


def not_checked(therapy: str) -> str:
    """A rule set whose evaluation failed or took too long."""
    return f"{therapy}: coverage criteria could not be checked; order unchanged"


def counted_criteria(number: int, label: str, *, applicable: bool) -> str:
    """The number of the label's criteria; ``applicable``: others do not apply."""
    word = "applicable " if applicable else ""
    return f"{number} {word}{label} {criteria(number)}"


def coded(name: str, code: str) -> str:
    """A record by its name and code."""
    return f"{name} ({code})" if code else name


def _more(number: int) -> str:
    return f", +{number} more" if number > 0 else ""


def contraindicated_record(urgent: str, finding: str, label: str, more: int) -> str:
    """A contraindication with the urgent record behind it."""
    return f"{urgent}, {finding} ({label} contraindication){_more(more)}"


def contraindicated_record_alone(urgent: str, label: str, more: int) -> str:
    """The same, shorter."""
    return f"{urgent}, contraindicated ({label}){_more(more)}"


def contraindication(finding: str, label: str, more: int) -> str:
    """A contraindication of the label."""
    return f"{finding} ({label} contraindication){_more(more)}"


def contraindicated(finding: str, more: int) -> str:
    """The same, shorter."""
    return f"contraindicated, {finding}{_more(more)}"


def resolve_record(name: str, more: int) -> str:
    """An urgent record, with its code, to resolve before ordering."""
    return f"resolve before ordering, {name} in chart{_more(more)}"


def resolve_name(name: str, more: int) -> str:
    """The same, shorter."""
    return f"resolve before ordering, {name}{_more(more)}"


def resolve_conflict(topic: str, more: int) -> str:
    """A conflict about a contraindication, to resolve before ordering."""
    return f"resolve before ordering, conflicting records on {topic}{_more(more)}"


def outside_label(fail_word: str, finding: str, more: int) -> str:
    """An indication of the label that is not met, in the author's word for that ("off-label")."""
    return f"{fail_word}, {finding}{_more(more)}"


def implanted(said: str, when: str) -> str:
    """An implant that may be in place, with its date."""
    return f"{said}, {when}"


def payer_excludes(name: str, document: str, *, covers_none: bool) -> str:
    """A payer's own medical policy; ``covers_none``: it never covers the therapy."""
    return f"{payer_excludes_briefly(name, covers_none=covers_none)} ({document})"


def payer_excludes_briefly(name: str, *, covers_none: bool) -> str:
    """The same without the document."""
    return f"{name} policy says not covered" if covers_none else f"{name} policy criteria not met"


PAYER = "payer's"


def conflict(topic: str, more: int) -> str:
    """Records and answers that disagree."""
    return f"conflicting records on {topic}{_more(more)}"


def not_read(number: int, total: str) -> str:
    """Criteria whose records were not received."""
    return f"{not_read_briefly(number, total)}, chart data not received"


def not_read_briefly(number: int, total: str) -> str:
    """The same, shorter."""
    return f"{number} of {total} not checked"


def side(name: str, said: str) -> str:
    """One side of several."""
    return f"{name} {said}"


def side_needs(number: int) -> str:
    """A side with open criteria."""
    return f"needs documentation ({number})"


def side_not_studied(topic: str, more: int) -> str:
    """A side that the trials did not study."""
    return f"{topic} not studied{_more(more)}"


def side_met(*, by_attestation: bool) -> str:
    """A side with nothing open."""
    return "met by attestation" if by_attestation else "met in chart"


def document_topics(topics: list[str], total: str) -> str:
    """One or two open criteria, by name."""
    return f"document {all_of(topics)} ({len(topics)} of {total})"


def open_criteria(number: int, total: str) -> str:
    """Open criteria, counted."""
    return f"{number} of {total} {needs(number)} documentation"


def label_meets(label: str, *, by_attestation: bool) -> str:
    """A label that is met, before findings on trials."""
    return f"meets {label} by attestation" if by_attestation else f"meets {label}"


def label_met(label: str, *, by_attestation: bool) -> str:
    """A label that is met, before open criteria of trials."""
    return f"{label} met by attestation" if by_attestation else f"{label} met"


def not_studied(label: str, finding: str, more: int) -> str:
    """A finding outside the trials."""
    return f"{label}; {finding} not studied{_more(more)}"


def findings_not_studied(label: str, number: int) -> str:
    """The same, counted."""
    return f"{label}; {number} {form(number, 'finding', 'findings')} not studied"


def document_of_trial(label: str, topic: str) -> str:
    """One open criterion of the trials, by name."""
    return f"{label}; document {topic} (trial)"


def open_of_trials(label: str, number: int) -> str:
    """Open criteria of the trials, counted."""
    return f"{label}; {number} trial {criteria(number)} {needs(number)} documentation"


def trials_met(label: str, number: int) -> str:
    """All criteria of the trials are met, and no label criteria apply."""
    return f"{label}; all {number} trial criteria met"


def met_in_chart(total: str) -> str:
    """Every criterion of the label is met by the chart."""
    return f"all {total} met, documented in chart"


def met_by_attestation(total: str) -> str:
    """Every criterion of the label is met by attestation."""
    return f"all {total} met by attestation only"


def met_in_part_by_attestation(total: str, attested: int) -> str:
    """Every criterion of the label is met, some by attestation."""
    return f"all {total} met, {attested} by attestation only"
