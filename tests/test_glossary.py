"""The glossary: in order, each term once, and each one a word that the documentation uses."""

import re
from pathlib import Path

from cds_service.facts.logic import Truth

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
ROWS = re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
TERMS = [term for term, _ in ROWS]


def test_terms_stand_in_alphabetical_order_each_once():
    assert len(TERMS) > 40
    assert sorted(set(TERMS), key=str.casefold) == TERMS


def test_every_row_is_a_term_with_a_sentence():
    lines = [line for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(lines) == len(ROWS) + 1
    for term, meaning in ROWS:
        assert meaning.endswith((".", ">.", ".)")), term
        assert meaning[0].isupper(), term


def test_every_term_is_used_elsewhere_in_the_documentation():
    pages = [ROOT / "README.md", ROOT / "cards" / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page != GLOSSARY).casefold()
    unused = [term for term in TERMS if not all(word in text for word in term.casefold().split(", "))]
    assert unused == []


def test_the_three_results_are_those_of_the_program():
    results = next(term for term in TERMS if term.startswith("met"))
    said = {word.replace(" ", "-") for word in results.split(", ")}
    assert said == {truth.value for truth in Truth} - {Truth.NOT_APPLICABLE.value}
