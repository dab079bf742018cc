"""Tests and facts by the names of their words and kinds, as tests write them."""

import re
from typing import Any

from cds_service.facts.evaluated import Facts
from cds_service.facts.logic import Truth
from cds_service.facts.vocabulary import VOCABULARY
from cds_service.facts.word import evaluate, manner_of
from cds_service.policy.model import FactRule
from cds_service.policy.model import Test as Node


def node(word: str, parts: tuple[Node, ...] = (), fact: str = "", wanted: bool | None = None, **more: Any) -> Node:
    """A test with the word of that name."""
    return Node(VOCABULARY.words[word], parts, fact, wanted, **more)


def rule_of(name: str, kind: str, title: str, when_absent: str = "unknown", *more: Any, **others: Any) -> FactRule:
    """The rule of a fact of the kind of that name."""
    return FactRule(name, VOCABULARY.kinds[kind], title, when_absent, *more, **others)


def truth(test: Node, facts: Facts) -> Truth:
    """The truth of a test over facts."""
    return evaluate(test, facts).truth


def manner(test: Node, facts: Facts) -> str:
    """How a test is met over facts."""
    return manner_of(evaluate(test, facts))


# What no page promises or orders.
PROMISES = re.compile(r"(?i)\b(contra)?indicated\b|\bshould\b|\bapprov\w*")
