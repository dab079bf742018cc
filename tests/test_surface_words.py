"""The words of cards and pages are in one place for each surface, where they can be reworded or translated."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from cds_service.authoring import lint
from tests.prose.passages import READERS, passages
from tests.rooms import MODULES, PACKAGE, own, tree_of


class Surface(NamedTuple):
    """What people see, the modules that make it, and those that have its words."""

    name: str
    makers: frozenset[str]
    words: frozenset[str]


OF_CARDS = frozenset(name for name in MODULES if name.startswith("card.words."))
# It takes names and dates out of the chart's own words.
SEARCHES = {"card.patient_words"}
CARD = frozenset(name for name in MODULES if name.startswith("card.")) - OF_CARDS - SEARCHES - {"card.words"}
OF_QUESTIONS, OF_FORMS, OF_SIGN_IN = (
    "questionnaire.question_words",
    "documentation.form_words",
    "documentation.sign_in_words",
)
# Faults of a rule set, notes for integrators, and FHIRPath: no page shows them.
NOT_SHOWN = {
    "questionnaire.capabilities",
    "questionnaire.expansion",
    "questionnaire.population",
    "questionnaire.problems",
}
QUESTIONS = frozenset(name for name in MODULES if name.startswith("questionnaire.")) - NOT_SHOWN - {OF_QUESTIONS}
SIGN_IN = frozenset(f"documentation.{name}" for name in ("messages", "scopes", "sign_in", "smart_server", "tokens"))
FORM = frozenset(name for name in MODULES if name.startswith("documentation.")) - SIGN_IN - {OF_FORMS, OF_SIGN_IN}
# What makes its pages; its FHIR and OAuth servers answer programs.
DEMO_EHR = frozenset(
    f"workbench.{name}"
    for name in ("dropped", "facets", "own_app", "patients", "refusals", "smart_routes", "smart_scopes")
)
CHECK = frozenset(f"workbench.{name}" for name in ("answer_validation", "prefetch_validation", "remarks", "validation"))
PACKET = frozenset(f"web.{name}" for name in ("letter", "packet", "packet_document", "packet_routes", "packets"))
SURFACES = (
    Surface("card", CARD | {"web.evidence_links", "web.form_links", "web.client_profiles"}, OF_CARDS),
    Surface("payer", frozenset({"verdicts.payers"}), frozenset({"verdicts.payer_reasons"})),
    Surface("evidence page", frozenset({"web.evidence", "web.evidence_view"}), frozenset({"web.evidence_words"})),
    Surface("packet", PACKET, frozenset({"web.packet_words"})),
    Surface("feedback page", frozenset({"web.feedback_bars", "web.feedback_page"}), frozenset({"web.feedback_words"})),
    Surface("pages of statements", frozenset({"web.pages", "web.policy_pages"}), frozenset()),
    Surface("questions of a form", QUESTIONS, frozenset({OF_QUESTIONS})),
    Surface("form", FORM, frozenset({OF_FORMS})),
    Surface("sign-in", SIGN_IN, frozenset({OF_SIGN_IN})),
    Surface("demo EHR", DEMO_EHR, frozenset({"workbench.words"})),
    Surface("Check tab", CHECK, frozenset({"workbench.check_words"})),
)
SURFACE = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
# Log messages, patterns, and what only an author of a rule set or a programmer reads.
_NOT_SHOWN = {"compile", "error", "exception", "format", "replace", "removeprefix", "ValueError"}
# What browsers and EHRs read: values of headers, and media types.
_OF_A_HEADER = re.compile(r"default-src |Bearer |attachment; filename=|application/|text/")
_PLACEHOLDER = re.compile(r"\{\w*\}|<[^>]+>|\*\*")
_GAP = "\u2026"
# A letter with a space or a mark of a sentence beside it; a plural's ending.
_WORDS = re.compile(r"[A-Za-z%][.,:;!?]?\s|\s[A-Za-z(]|^e?s$")
_TITLE = re.compile(r"^[A-Z]\w*[.,:;!?]$")


def texts(module: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each string of a module that can be shown, an f-string as one with its values left out."""
    tree = tree_of(module)
    aside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            aside.add(id(node.value))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in _NOT_SHOWN:
            aside |= {id(argument) for argument in node.args}
        if isinstance(node, ast.JoinedStr):
            aside |= {id(part) for part in node.values}
        aside |= {id(getattr(node, name, None)) for name in ("annotation", "returns")}
    for node in ast.walk(tree):
        if id(node) in aside:
            continue
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(part.value if isinstance(part, ast.Constant) else _GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def words(text: str) -> bool:
    """Whether a text holds words of a sentence, and not only names, marks and spaces."""
    if _OF_A_HEADER.match(text):
        return False
    bare = _PLACEHOLDER.sub("", text)
    parts = [part for part in bare.split(_GAP) if re.search("[A-Za-z]", part)]
    return any(_WORDS.search(part) or _TITLE.search(part) for part in parts)


@SURFACE
def test_what_makes_a_surface_has_no_words_of_its_own(surface):
    """It sees literals with a space, a mark of a sentence or a plural's ending beside a letter, and the texts of
    f-strings; a lone word without either passes as a name, as keys of JSON and codes are."""
    found = [f"{name}:{line}: {text!r}" for name in sorted(surface.makers) for line, text in texts(name) if words(text)]
    assert found == []


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ('said = f"{number} of {total} met"', True),
        ('said = "Payer:"', True),
        ('said = "need" + "s" * one', True),
        ('said = f"{name}, attested"', True),
        ('said = x if y else "not met"', True),
        ('"""It says nothing."""', False),
        ('card = {"summary": f"{title}: {said}"}', False),
        ('base = f"{url}/CodeSystem/topics"', False),
        ('found = re.compile("one or two")', False),
        ('html = f"<p>{line}</p>"', False),
        ('def asked() -> "Card | None": ...', False),
        ('header = f"Bearer {token}"', False),
        ('raise ValueError("no key of use")', False),
    ],
)
def test_words_are_distinguished_from_names_and_marks(monkeypatch, code, seen):
    monkeypatch.setitem(globals(), "tree_of", lambda module: ast.parse(code))
    assert any(words(text) for _, text in texts("any")) is seen


def test_scripts_show_no_words_of_their_own():
    """Selectors, classes and names of systems aside: the words of the workbench are those of strings.js."""
    said = {
        path.name: [passage.text for passage in passages(path) if passage.audience == READERS]
        for path in (PACKAGE / "web/static").rglob("*.js")
    }
    sentence = re.compile(r"[\"'`\s]*[A-Z][a-z]+[.,:;]?\s")
    found = {name: [text for text in texts if sentence.match(text)] for name, texts in said.items()}
    assert len(found.pop("strings.js")) > 50
    assert [text for texts in found.values() for text in texts] == []


def named(module: str) -> set[str]:
    """The public names that a module of words defines."""
    body = tree_of(module).body
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    values = {
        name.id
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    return {name for name in functions | values if not name.startswith("_")}


def uses(module: str) -> set[str]:
    """The names and attributes that a module reads."""
    nodes = [*ast.walk(tree_of(module))]
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return read | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


@SURFACE
def test_every_phrase_is_used(surface):
    for name in surface.words:
        users = {name, *(module for module in MODULES if name in own(module))}
        assert named(name) - set().union(*map(uses, users)) == set(), name


@SURFACE
def test_the_linter_of_prose_reads_every_phrase(surface):
    """Each text with a space between words, those that an f-string chooses from among them."""
    for name in surface.words:
        read = [passage.text for passage in passages(MODULES[name]) if passage.audience == READERS]
        parts = [part for _, text in texts(name) for part in text.split(_GAP) if re.search(r"\w\S*\s+\S*\w", part)]
        assert [part for part in parts if not any(part in text for text in read)] == [], name


def test_the_words_of_cards_keep_to_the_list_of_cards():
    """Also those that no case shows: what a card must not say is in no phrase."""
    for name in OF_CARDS - {"card.words.behind"}:
        for line, text in texts(name):
            # Codes are not words, and some reasons say what a payer has done.
            said = text if " " in text and text not in lint.FIXED else ""
            found = [pattern.pattern for pattern, _ in lint.words("cards") if pattern.search(said)]
            assert found == [], f"{name}:{line}: {text}"
