"""What people read, file by file: documentation, pages, messages, comments, test names and the texts of rule sets."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

READERS, MAKERS = "readers", "makers"


class Passage(NamedTuple):
    """A piece of prose: its line in the file, who reads it (users of the product, or those who change it), its text."""

    line: int
    audience: str
    text: str


_GAP = "\u2026"
_FENCE = re.compile(r"(?ms)^ *(```|~~~).*?^ *\1 *$")
_NOT_PROSE = re.compile(r"(?s)<!--.*?-->|``.*?``|`[^`]*`|\]\([^)]*\)|https?://[^\s>)]+|<[^>\n]+>")
_EXPRESSION = re.compile(r"(?s)\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}")
_SPOKEN = re.compile(r'(?:title|alt|placeholder|aria-label|content)="([^"]*)"')
_TAG = re.compile(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>")
_SCRIPT = re.compile(r"""(?s)/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`""")
_HOLE = re.compile(r"\$\{[^}]*\}")
_JINJA_STRING = re.compile(r'"([^"]*)"')
_HASH = re.compile(r"(?m)(?:^|\s)#+ (.*)$")
# Words of sources, names, and what a chart is searched for: as they are written there.
_NOT_OURS = frozenset(
    [
        "quote",
        "citation",
        "says",
        "document",
        "background",
        "text",
        "any_of",
        "beside",
        "unless",
        "words",
        "unless_words",
        "named_in_text",
        "brands",
        "begins",
        "aliases",
        "url",
        "notice",
        "provenance",
        "pattern",
        "file",
    ]
)
_WORDS = re.compile(r"\w\S*\s+\S*\w")


def passages(path: Path) -> Iterator[Passage]:
    """The prose of a file, by what its name says it is; none of a file that is not known to hold any."""
    reader = _BY_SUFFIX.get(path.suffix) or _BY_SUFFIX.get(path.name)
    if reader is not None:
        yield from reader(path, path.read_text(encoding="utf-8"))


def _blanked(text: str, pattern: re.Pattern[str], instead: str = " ") -> str:
    """The text with each match replaced, its line breaks kept, so that lines keep their numbers."""
    return pattern.sub(lambda found: instead + "\n" * found.group().count("\n"), text)


def _in_blocks(text: str, audience: str) -> Iterator[Passage]:
    """Text parted at empty lines: a sentence may run over a line, and no sentence runs over an empty one."""
    line = 1
    for block in re.split(r"(\n[ \t]*\n)", text):
        if block.strip():
            yield Passage(line, audience, block)
        line += block.count("\n")


def _markdown(path: Path, text: str) -> Iterator[Passage]:
    yield from _in_blocks(_blanked(_blanked(text, _FENCE), _NOT_PROSE, _GAP), READERS)


def _template(path: Path, text: str) -> Iterator[Passage]:
    for found in _EXPRESSION.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        comment = found.group().startswith("{#")
        said = [found.group()] if comment else _JINJA_STRING.findall(found.group())
        yield from (Passage(line, MAKERS if comment else READERS, one) for one in said if _WORDS.search(one))
    bare = _blanked(text, _EXPRESSION, _GAP)
    for found in _SPOKEN.finditer(bare):
        yield Passage(bare.count("\n", 0, found.start()) + 1, READERS, found[1])
    yield from _in_blocks(_blanked(bare, _TAG), READERS)


def _script(path: Path, text: str) -> Iterator[Passage]:
    for found in _SCRIPT.finditer(text):
        said = _blanked(found.group(), _HOLE, _GAP)
        if _WORDS.search(said):
            audience = MAKERS if found.group().startswith("/") else READERS
            yield Passage(text.count("\n", 0, found.start()) + 1, audience, said)


def _python(path: Path, text: str) -> Iterator[Passage]:
    yield from _comments(text)
    nodes, of_tests = list(ast.walk(ast.parse(text))), "tests" in path.parts
    of_makers = {id(node.body[0].value) for node in nodes if _has_docstring(node) and not _is_command(node)}
    # What an f-string says itself is read with it; other strings inside its values are read alone.
    joined = [part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values]
    inside = {id(said) for part in joined for said in (_chosen(part, True), _chosen(part, False))}
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Passage(node.lineno, MAKERS, node.name.replace("_", " "))
        # Of a test the strings are data.
        if id(node) in inside or (of_tests and id(node) not in of_makers):
            continue
        audience = MAKERS if id(node) in of_makers else READERS
        for said in _said(node):
            if _WORDS.search(said):
                yield Passage(node.lineno, audience, _blanked(said, re.compile(r"`[^`]*`"), _GAP))


def _comments(text: str) -> Iterator[Passage]:
    """Comments, those of lines that follow each other as one."""
    first, last, said = 0, -1, ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        if line == last + 1 and token.line.lstrip().startswith("#"):
            said += "\n" + token.string.lstrip("# ")
        else:
            yield from [Passage(first, MAKERS, said)] if said else []
            first, said = line, token.string.lstrip("# ")
        last = line
    yield from [Passage(first, MAKERS, said)] if said else []


def _has_docstring(node: ast.AST) -> bool:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, kinds) and bool(node.body) and isinstance(node.body[0], ast.Expr)


def _is_command(node: ast.AST) -> bool:
    """Whether the docstring is what a command says of itself: click prints it as help."""
    decorators = getattr(node, "decorator_list", ())
    return any("command" in ast.unparse(one) or "group" in ast.unparse(one) for one in decorators)


def _said(node: ast.AST) -> list[str]:
    """A string as it is read; an f-string that chooses between texts as it is read with the first and the second."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return list(dict.fromkeys("".join(_part(part, first) for part in node.values) for first in (True, False)))
    return []


def _part(part: ast.expr, first: bool) -> str:
    said = _chosen(part, first)
    return said.value if isinstance(said, ast.Constant) and isinstance(said.value, str) else _GAP


def _chosen(part: ast.expr, first: bool) -> ast.expr:
    """A part of an f-string, and of one that chooses between two the first or the second."""
    if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.IfExp):
        return part.value.body if first else part.value.orelse
    return part


def _data(path: Path, text: str) -> Iterator[Passage]:
    only = "name" if path.name.startswith("cases") else ""
    said = set(_texts(json.loads(text), only))
    for number, line in enumerate(text.splitlines(), 1):
        for literal in re.findall(r'"(?:\\.|[^"\\])*"', line):
            if (one := json.loads(literal)) in said:
                yield Passage(number, READERS, one)


def _texts(value: Any, only: str, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, only, name)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, only, key)
    elif isinstance(value, str) and _WORDS.search(value) and key not in _NOT_OURS and key == (only or key):
        yield value


def _hash(path: Path, text: str) -> Iterator[Passage]:
    for found in _HASH.finditer(text):
        yield Passage(text.count("\n", 0, found.start(1)) + 1, MAKERS, found[1])


_BY_SUFFIX = {
    ".md": _markdown, ".html": _template, ".js": _script, ".css": _script, ".py": _python, ".json": _data,
    ".toml": _hash, "Makefile": _hash, "Dockerfile": _hash,
}  # fmt: skip
