"""Small faults put into the code one at a time, and whether the tests notice: a tool for whoever changes the tests.

    python -m tests.mutants facts verdicts --tests tests/spec tests/test_criteria.py --sample 300 --out found.txt

One process collects the tests and learns which functions each enters; for every mutant a child of it swaps the code
of the functions of one file and runs the tests that enter the changed one, until the first fails.
"""

import argparse
import ast
import gc
import os
import pickle
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest
from _pytest.runner import runtestprotocol

import cds_service

PACKAGE = Path(cds_service.__file__).parent
# A mutant that runs longer than this loops; the tests of one take seconds.
PATIENCE = 120

OPPOSITES: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


class Key(NamedTuple):
    """A function of a file: its qualified name and first line."""

    name: str
    line: int


class Mutant(NamedTuple):
    """One fault: the file, the number of its place there, where that is in words, and what was done."""

    path: Path
    number: int
    place: str
    change: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(PACKAGE)}:{self.place} {self.change}"


class Faults(ast.NodeTransformer):
    """Walks the bodies of functions and makes the fault of one number; ``found`` lists all that it could make."""

    def __init__(self, wanted: int = -1) -> None:
        self.wanted = wanted
        self.found: list[tuple[str, str]] = []
        self.inside = 0

    def _made(self, node: ast.expr | ast.stmt, change: str) -> bool:
        if not self.inside:
            return False
        self.found.append((f"{node.lineno}:{node.col_offset}", change))
        return len(self.found) - 1 == self.wanted

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.inside += 1
        node.body = [self.visit(statement) for statement in node.body]
        self.inside -= 1
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.value = node.value and self.visit(node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        for index, operator in enumerate(node.ops):
            if self._made(node, f"comparison {index} {type(operator).__name__} turned"):
                node.ops[index] = OPPOSITES[type(operator)]()
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        if self._made(node, f"{type(node.op).__name__} turned"):
            node.op = OPPOSITES[type(node.op)]()
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if type(node.op) in OPPOSITES and self._made(node, f"{type(node.op).__name__} turned"):
            node.op = OPPOSITES[type(node.op)]()
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return node.operand if isinstance(node.op, ast.Not) and self._made(node, "'not' left out") else node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool):
            return ast.copy_location(ast.Constant(not node.value), node) if self._made(node, "turned") else node
        if isinstance(node.value, int | float) and self._made(node, f"{node.value} plus one"):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if node.value is not None and self._made(node, "returns nothing"):
            node.value = ast.copy_location(ast.Constant(None), node)
        return node

    def _branch(self, node: Any) -> ast.AST:
        self.generic_visit(node)
        if self._made(node.test, "condition turned"):
            node.test = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
        return node

    visit_If = visit_IfExp = visit_While = _branch  # noqa: N815 - the names are those of ast.NodeVisitor


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every fault that can be put into a file."""
    faults = Faults()
    faults.visit(ast.parse(path.read_text(encoding="utf-8")))
    for number, (place, change) in enumerate(faults.found):
        yield Mutant(path, number, place, change)


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """A code object and all inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def key_of(code: CodeType) -> Key:
    return Key(code.co_qualname, code.co_firstlineno)


def compiled(path: Path, wanted: int = -1) -> dict[Key, CodeType]:
    """The code objects of a file with one fault, or none, by function."""
    tree = ast.fix_missing_locations(Faults(wanted).visit(ast.parse(path.read_text(encoding="utf-8"))))
    return {key_of(code): code for code in codes_of(compile(tree, str(path), "exec", dont_inherit=True))}


def changed(mutant: Mutant) -> dict[Key, CodeType]:
    """The functions that a fault changes, with their new code."""
    sound = compiled(mutant.path)
    return {key: code for key, code in compiled(mutant.path, mutant.number).items() if code != sound[key]}


def swap(path: Path, codes: dict[Key, CodeType]) -> None:
    """Gives all live functions of a file their new code."""
    for function in [item for item in gc.get_objects() if isinstance(item, FunctionType)]:
        if function.__code__.co_filename == str(path) and key_of(function.__code__) in codes:
            function.__code__ = codes[key_of(function.__code__)]


class Loop:
    """The plugin that runs the collected tests once for each mutant."""

    def __init__(self, mutants: Sequence[Mutant], seconds: float, out: Path) -> None:
        self.mutants = mutants
        self.end = time.monotonic() + seconds
        self.out = out
        self.survivors: list[Mutant] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        entered = learned(session.items)
        with self.out.open("a", encoding="utf-8") as told:
            for mutant in self.mutants:
                if time.monotonic() > self.end:
                    print(f"stopped for time before {mutant}", file=told)
                    break
                said = self._judged(mutant, session.items, entered)
                print(said, mutant, file=told, flush=True)
                if said != "killed":
                    self.survivors.append(mutant)
        return True

    def _judged(self, mutant: Mutant, items: list[pytest.Item], entered: list[set[tuple[str, Key]]]) -> str:
        codes = changed(mutant)
        functions = {(str(mutant.path), key) for key in codes}
        concerned = [item for item, seen in zip(items, entered, strict=True) if seen & functions]
        if not concerned:
            return "untested"
        status = in_child(lambda: swap(mutant.path, codes) or any(fails(concerned)))
        return "survived" if status == 0 else "killed"


def fails(items: Sequence[pytest.Item]) -> Iterator[bool]:
    """Runs tests one after another; whether each fails."""
    for item, following in zip(items, [*items[1:], None], strict=True):
        yield any(report.failed for report in runtestprotocol(item, log=False, nextitem=following))


def in_child(job: Any, patience: int = PATIENCE) -> int:
    """The exit status of a job in a child process: 0 where it says no; one that takes too long is ended."""
    child = os.fork()
    if not child:
        signal.alarm(patience)
        try:
            with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
                status = 1 if job() else 0
        except BaseException:
            status = 2
        os._exit(status)
    return os.waitpid(child, 0)[1]


def learned(items: Sequence[pytest.Item]) -> list[set[tuple[str, Key]]]:
    """The functions of the package that each test enters, from a sound run in a child: nothing is cached here."""
    with tempfile.NamedTemporaryFile() as kept:

        def job() -> bool:
            seen: list[set[tuple[str, Key]]] = []
            current: set[CodeType] = set()
            sys.setprofile(lambda frame, event, _: current.add(frame.f_code) if event == "call" else None)
            for failed in fails(items):
                assert not failed
                codes = [*current]
                seen.append({(c.co_filename, key_of(c)) for c in codes if c.co_filename.startswith(str(PACKAGE))})
                current.clear()
            sys.setprofile(None)
            Path(kept.name).write_bytes(pickle.dumps(seen))
            return False

        assert in_child(job, 10 * PATIENCE) == 0, "the tests must pass before the code is changed"
        found: list[set[tuple[str, Key]]] = pickle.loads(Path(kept.name).read_bytes())
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="+", help="folders of cds_service whose files are changed")
    parser.add_argument("--tests", nargs="+", required=True, help="quick test files")
    parser.add_argument("--only", default="", help="a part of the place, such as words/count.py:134")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--out", type=Path, required=True, help="where each mutant's fate is written")
    wishes = parser.parse_args()
    paths = sorted(path for room in wishes.rooms for path in (PACKAGE / room).rglob("*.py"))
    every = [mutant for path in paths for mutant in mutants_of(path) if wishes.only in str(mutant)]
    chosen = random.Random(wishes.seed).sample(every, min(wishes.sample, len(every)))
    print(f"{len(chosen)} of {len(every)} mutants", flush=True)
    loop = Loop(chosen, wishes.seconds, wishes.out)
    pytest.main(["-q", "-p", "no:cacheprovider", *wishes.tests], plugins=[loop])


if __name__ == "__main__":
    main()
