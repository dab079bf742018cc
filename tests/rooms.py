"""The rooms of the package, floor by floor: what tests/test_layout.py holds and docs/architecture.md shows."""

import ast
from functools import cache
from pathlib import Path

import cds_service
from cds_service.fhir.sentence_case import inside_sentence

PACKAGE = Path(cds_service.__file__).parent

# From the ground up: a room may import those of the floors below its own, and no other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("clock", "errors", "spelling"),
    ("fhir", "json_bodies", "settings"),
    ("examples", "policy"),
    ("chart", "hooks"),
    ("facts", "operations"),
    ("ehr", "store", "verdicts"),
    ("card", "publish", "questionnaire", "trust"),
    ("library",),
    ("installation", "service"),
    ("authoring", "web"),
    ("documentation", "self_check", "workbench"),
    ("app",),
    ("server",),
    ("commands",),
)
HEIGHT = {room: height for height, floor in enumerate(FLOORS) for room in floor}


def _module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# The starting folder of a policy is data.
MODULES = {_module_of(path): path for path in PACKAGE.rglob("*.py") if "starting_folder" not in path.parts}


def room_of(module: str) -> str:
    """The room that a module is in; ``__main__`` is the door of the command line."""
    return "commands" if module == "__main__" else module.partition(".")[0]


@cache
def tree_of(module: str) -> ast.Module:
    """A module's syntax tree, parsed once."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imported(module: str) -> frozenset[str]:
    """Every module that a module imports, at its head or inside a function, under its full dotted name."""
    names: set[str] = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relative to its place; say cds_service"
            inside = f"{node.module}.".removeprefix("cds_service.")
            modules = {inside + alias.name for alias in node.names} & MODULES.keys()
            names |= {f"cds_service.{name}" for name in modules} or {node.module or ""}
    return frozenset(names)


@cache
def own(module: str) -> frozenset[str]:
    """Those of the package among the imported, without its name."""
    found = {name.removeprefix("cds_service.") for name in imported(module) if name.startswith("cds_service.")}
    return frozenset(found & MODULES.keys())


def libraries(module: str) -> set[str]:
    """The other packages among the imported."""
    return {name.partition(".")[0] for name in imported(module)} - {"cds_service"}


def arrows() -> set[tuple[str, str]]:
    """(room, room that it imports)."""
    between = {(room_of(module), room_of(other)) for module in MODULES if module for other in own(module) if other}
    return {(one, other) for one, other in between if one != other}


def purpose_of(room: str) -> str:
    """What a room is for: the first line of its docstring, as it is in a table."""
    said = ast.get_docstring(tree_of(room)) or ""
    return inside_sentence(said.partition("\n")[0].removesuffix("."))


def drawing() -> str:
    """The floors as docs/architecture.md draws them, the ground at the bottom."""
    lines = [f"{height:>2}  {'   '.join(floor)}" for height, floor in enumerate(FLOORS, 1)]
    return "\n".join(["```", *reversed(lines), "```"])


def table() -> str:
    """Every room with its floor, what it is for and its modules, the ground first."""
    rows = ["| floor | room | what it is for | modules |", "|---|---|---|---|"]
    for room, height in HEIGHT.items():
        inside = sorted(module.partition(".")[2] for module in MODULES if room_of(module) == room and "." in module)
        listed = ", ".join(f"`{name}`" for name in inside if MODULES[f"{room}.{name}"].name != "__init__.py")
        rows.append(f"| {height + 1} | `{room}` | {purpose_of(room)} | {listed or f'`{room}.py`'} |")
    return "\n".join(rows)
