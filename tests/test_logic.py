"""Three-valued logic, drawn as the tables of Kleene's strong logic: every pair of truths, every answer."""

import pytest

from cds_service.facts.logic import Truth, agreement, agreement_of_all, every, from_bool, negation, some

MET, NOT, UNKNOWN = Truth.MET, Truth.NOT_MET, Truth.UNKNOWN

# fmt: off
AND = [
    #            met      not met  unknown
    (MET,       (MET,     NOT,     UNKNOWN)),
    (NOT,       (NOT,     NOT,     NOT)),
    (UNKNOWN,   (UNKNOWN, NOT,     UNKNOWN)),
]

OR = [
    #            met      not met  unknown
    (MET,       (MET,     MET,     MET)),
    (NOT,       (MET,     NOT,     UNKNOWN)),
    (UNKNOWN,   (MET,     UNKNOWN, UNKNOWN)),
]

# Two sources of one truth: the silence of one leaves it to the other, a contradiction leaves it open.
AGREEMENT = [
    #            met      not met  unknown
    (MET,       (MET,     UNKNOWN, MET)),
    (NOT,       (UNKNOWN, NOT,     NOT)),
    (UNKNOWN,   (MET,     NOT,     UNKNOWN)),
]

# What is true of every possible value: unlike agreement, one open value keeps it open.
ALL_ALIKE = [
    #            met      not met  unknown
    (MET,       (MET,     UNKNOWN, UNKNOWN)),
    (NOT,       (UNKNOWN, NOT,     UNKNOWN)),
    (UNKNOWN,   (UNKNOWN, UNKNOWN, UNKNOWN)),
]
# fmt: on


def nine(table):
    """The nine cells of a table as (left, right, answer)."""
    return [
        pytest.param(left, right, answer, id=f"{left.value} with {right.value}")
        for left, row in table
        for right, answer in zip((MET, NOT, UNKNOWN), row, strict=True)
    ]


@pytest.mark.parametrize(("left", "right", "answer"), nine(AND))
def test_and(left, right, answer):
    assert every([left, right]) is answer


@pytest.mark.parametrize(("left", "right", "answer"), nine(OR))
def test_or(left, right, answer):
    assert some([left, right]) is answer


@pytest.mark.parametrize(("left", "right", "answer"), nine(AGREEMENT))
def test_agreement_of_sources(left, right, answer):
    assert agreement([left, right]) is answer


@pytest.mark.parametrize(("left", "right", "answer"), nine(ALL_ALIKE))
def test_agreement_of_possible_values(left, right, answer):
    assert agreement_of_all([left, right]) is answer


@pytest.mark.parametrize(("truth", "answer"), [(MET, NOT), (NOT, MET), (UNKNOWN, UNKNOWN)])
def test_negation(truth, answer):
    assert negation(truth) is answer


@pytest.mark.parametrize(("left", "right", "answer"), nine(AND))
def test_and_is_or_seen_from_the_other_side(left, right, answer):
    assert negation(some([negation(left), negation(right)])) is answer


@pytest.mark.parametrize("combine", [every, some, agreement, agreement_of_all])
@pytest.mark.parametrize("truth", [MET, NOT, UNKNOWN])
def test_one_truth_alone_is_itself(combine, truth):
    assert combine([truth]) is truth


@pytest.mark.parametrize("combine", [every, some, agreement, agreement_of_all])
def test_nothing_at_all_is_unknown(combine):
    assert combine([]) is UNKNOWN


@pytest.mark.parametrize(
    ("combine", "answer"), [(every, NOT), (some, MET), (agreement, UNKNOWN), (agreement_of_all, UNKNOWN)]
)
def test_three_different_truths_in_any_order(combine, answer):
    for truths in ([MET, NOT, UNKNOWN], [UNKNOWN, NOT, MET], [NOT, UNKNOWN, MET]):
        assert combine(truths) is answer


def test_a_boolean_is_settled():
    assert from_bool(True) is MET
    assert from_bool(False) is NOT


def test_the_words_used_in_json():
    assert [truth.value for truth in Truth] == ["met", "not-met", "unknown", "not-applicable"]
