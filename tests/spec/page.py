"""The vocabulary as it is in cards/README.md, printed from the tables: ``python -m tests.test_docs`` writes it."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from cds_service.facts.vocabulary import VOCABULARY
from tests.spec.tables import Table

FOLDER = Path(__file__).parent
TITLES = {
    "kinds": "Facts: what the service reads. Each has a `kind`",
    "options": "Options of facts",
    "words": "Tests: how facts are compared and combined",
    "criteria": "Other members of a criterion",
    "policy": "Other parts of policy.json",
}
# The name of each kind of fact and word of tests by the file that holds it, in the vocabulary's own order.
FILES = {
    "kinds": {type(kind).__module__.rpartition(".")[2]: kind.name for kind in VOCABULARY.kinds.values()},
    "words": {type(word).__module__.rpartition(".")[2]: word.key for word in VOCABULARY.words.values()},
}


def specified(group: str) -> list[str]:
    """The names of a group's files, in the vocabulary's order where it has one."""
    found = {path.stem.removeprefix("test_") for path in (FOLDER / group).glob("test_*.py")}
    order = list(FILES.get(group, ()))
    return sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))


def module(group: str, name: str) -> ModuleType:
    """The file of that name."""
    return import_module(f"tests.spec.{group}.test_{name}")


def printed(group: str) -> Iterator[Table]:
    """The tables of a group that authors read."""
    for name in specified(group):
        yield from (table for table in module(group, name).TABLES if table.word)


def vocabulary() -> str:
    """The vocabulary as Markdown: a table for each group, an example and the truth of every row for each word."""
    return "\n\n".join(_group(name, title) for name, title in TITLES.items())


def _group(group: str, title: str) -> str:
    lines = [f"**{title}**", "", "| word | meaning | example | result |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_line(table, group) for table in printed(group))])


def _line(table: Table, group: str) -> str:
    written = next(iter(table.facts.values())) if group == "kinds" else table.test
    example = json.dumps(table.shows or written, ensure_ascii=False).replace("|", "\\|")
    truths = "<br>".join(f"{row.says}: *{row.truth.replace('-', ' ')}*" for row in table.rows)
    return f"| `{table.word}` | {table.meaning} | `{example}` | {truths} |"
