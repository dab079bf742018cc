"""The rules of the linter of prose: the word list that it shares with the linter of cards, and its exceptions."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cds_service.authoring.lint import FORMS, words
from tests.prose.passages import READERS, passages

ROOT = Path(__file__).parents[2]
# Everything that people read. Data of tests is not among it, nor what an EHR sends and what the service answers.
SURFACES = (
    "*.md",
    "Makefile",
    "Dockerfile",
    "pyproject.toml",
    "docs/**/*.md",
    "cards/**/*",
    "fhir_examples/README.md",
    "fhir_examples/*/about.json",
    "cds_service/**/*",
    "tests/**/*.py",
    "tests/**/*.md",
)
# What is before the words of a line: its indent, and marks of quotations, lists, headings and comments.
_MARGIN = re.compile(r"(?m)^[ \t>]*(?:(?:[-*+/]|\d+\.|#+|noqa: [\w, ]+-) +)?")


class Rule(NamedTuple):
    """What to find, what to write instead, and whether it holds for those who use the product alone."""

    pattern: re.Pattern[str]
    instead: str
    of_readers: bool = False


class Excepted(NamedTuple):
    """A place where the words stay: its file, a part of what is there, and why."""

    file: str
    text: str
    because: str


class Finding(NamedTuple):
    """A word that does not belong, where it is, and what belongs there."""

    file: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: '{self.word}' ({self.instead})"


def rules() -> tuple[Rule, ...]:
    """The rules of all prose, then those of what users of the product read."""
    return (
        *(Rule(*one) for one in (*words("everywhere"), *words("prose"), *FORMS)),
        *(Rule(*one, of_readers=True) for one in words("readers")),
    )


def exceptions() -> tuple[Excepted, ...]:
    """The places of ``exceptions.json``."""
    listed = json.loads(Path(__file__).with_name("exceptions.json").read_text(encoding="utf-8"))
    return tuple(Excepted(**one) for one in listed)


def in_text(text: str, audience: str, held: Sequence[Rule]) -> Iterator[tuple[int, str, str, str]]:
    """For each rule that a text breaks: lines before it, the word, what to write, and the words around it."""
    bare = _MARGIN.sub("", text)
    for rule in held:
        if audience == READERS or not rule.of_readers:
            for found in rule.pattern.finditer(bare):
                around = " ".join(bare[max(0, found.start() - 60) : found.end() + 60].split())
                yield bare.count("\n", 0, found.start()), " ".join(found.group().split()), rule.instead, around


def findings(root: Path, files: Iterable[Path], excepted: Sequence[Excepted]) -> list[Finding]:
    """What the files break, in order; an exception that nothing needs is a finding too."""
    held, unused, found = rules(), set(excepted), []
    for path in files:
        name = path.relative_to(root).as_posix()
        for passage in passages(path):
            for lines, word, instead, around in in_text(passage.text, passage.audience, held):
                allowed = [one for one in excepted if one.file == name and one.text in around]
                unused.difference_update(allowed)
                if not allowed:
                    found.append(Finding(name, passage.line + lines, word, instead))
    needless = [Finding(one.file, 0, one.text, "this exception is not needed") for one in unused]
    return sorted(found) + sorted(needless)


def surfaces(root: Path) -> list[Path]:
    """The files of the repository that people read."""
    found = {path for pattern in SURFACES for path in root.glob(pattern) if path.is_file()}
    return sorted(path for path in found if "__pycache__" not in path.parts and path.name != "words.json")
