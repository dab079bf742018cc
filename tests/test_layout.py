"""A room imports only rooms below it, inside a room nothing runs in a circle, and some rooms are pure."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.rooms import HEIGHT, MODULES, PACKAGE, arrows, libraries, own, purpose_of, room_of, tree_of

PURE = ("fhir", "policy", "chart", "facts", "verdicts", "card", "publish", "questionnaire")
# What a serving process does not need for a call: only these rooms may import it.
ASIDE = {"authoring": {"commands", "self_check"}}

SIDE_EFFECTS = {
    *("asyncio", "ftplib", "http", "httpx", "locale", "logging", "multiprocessing", "os", "random", "requests"),
    *("secrets", "select", "smtplib", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time"),
    *("urllib", "urllib3"),
}
CLOCK_OR_CHANCE = {"now", "utcnow", "today", "fromtimestamp", "uuid1", "uuid4"}
FILES = {"read_text", "read_bytes", "write_text", "write_bytes", "open", "print"}
# The rooms, or modules, in which a library has its job.
ONLY_IN = {
    "flask": {"web", "workbench", "documentation", "self_check", "app", "server"},
    "flask_cors": {"web.browsers"},
    "gunicorn": {"server", "operations.gunicorn_logs"},
    "werkzeug": {"web", "app"},
    "fhir": {"fhir.models", "card.suggestions"},
    "jsonschema_rs": {"policy.json_files"},
    "jsonschema": {"policy.json_files", "policy.schema_faults", "policy.schema_words"},
    "click": {"commands"},
    "rich": {"commands.terminal_page"},
    "msgspec": {"json_bodies"},
    "pydantic_settings": {"settings"},
    "requests": {"ehr.client", "ehr.connections"},
    "urllib3": {"ehr.client", "ehr.connections"},
    "structlog": {"operations.logs"},
    "prometheus_client": {"operations.metrics"},
    "limits": {"operations.rate"},
    "opentelemetry": {"operations.traces"},
    "markdown_it": {"authoring.lint", "workbench.rendering"},
    "nh3": {"workbench.rendering"},
    "cryptography": {"operations.sealing", "trust.jwk", "trust.smart_entries"},
    "jwt": {"trust.tokens", "trust.backend_services", "documentation.tokens"},
    "authlib": {"workbench.authorization", "workbench.oauth_messages", "documentation"},
    "joserfc": {"workbench.authorization"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
}
# The loader's way to a folder's files.
READS_FILES = {
    "policy.drafts",
    "policy.json_files",
    "policy.cases",
    "policy.code_packs",
    "policy.value_sets",
    "policy.loading.folder",
}


def called(module: str) -> set[str]:
    """The names of the functions and methods that a module calls, without what is before the dot."""
    calls = (node.func for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call))
    return {getattr(function, "attr", "") or getattr(function, "id", "") for function in calls}


def test_every_room_has_its_floor_and_every_floor_its_rooms():
    assert {room_of(module) for module in MODULES if module} == HEIGHT.keys()


@pytest.mark.parametrize("room", HEIGHT)
def test_a_room_imports_only_rooms_below_it(room):
    inside = [module for module in MODULES if room_of(module) == room]
    above = {
        f"{module} imports {other}"
        for module in inside
        for other in own(module)
        if room_of(other) != room and HEIGHT[room_of(other)] >= HEIGHT[room]
    }
    assert not above


@pytest.mark.parametrize("room", HEIGHT)
def test_inside_a_room_no_imports_run_in_a_circle(room):
    inside = {module for module in MODULES if room_of(module) == room}
    try:
        TopologicalSorter({module: own(module) & inside for module in inside}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("room", ASIDE)
def test_what_serves_a_call_does_without_the_rooms_aside(room):
    readers = {room_of(module) for module in MODULES if room in map(room_of, own(module))} - {room}
    assert readers <= ASIDE[room]


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_heavy_library_stays_where_it_has_its_job(library):
    users = {module for module in MODULES if library in libraries(module)}
    assert users
    assert {module for module in users if not {module, room_of(module)} & ONLY_IN[library]} == set()


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_touches_no_clock_chance_network_or_file(room):
    for module in (name for name in MODULES if room_of(name) == room):
        assert not libraries(module) & SIDE_EFFECTS, module
        assert not called(module) & CLOCK_OR_CHANCE, module
        assert module in READS_FILES or not called(module) & FILES, module


@pytest.mark.parametrize("room", HEIGHT)
def test_a_room_says_what_it_is_for(room):
    assert purpose_of(room)


def test_the_house_stays_as_small_as_it_is():
    assert len(arrows()) <= 184
    # Without the rooms that came when it stood.
    assert len([arrow for arrow in arrows() if not {"documentation", "questionnaire"} & set(arrow)]) <= 160
    assert len(set(HEIGHT.values())) == 14
    assert len([path for path in PACKAGE.iterdir() if path.name != "__pycache__"]) <= 33


def test_no_two_public_classes_share_a_name():
    names = [
        node.name
        for module in MODULES
        for node in tree_of(module).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert {name for name in names if names.count(name) > 1} == set()


def made_in(module: str) -> Iterator[tuple[str, int]]:
    """Each call of a class of this package: its place, and how many arguments have no name there."""
    tree = tree_of(module)
    known = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cds_service"):
            known |= {alias.name for alias in node.names if alias.name[0].isupper()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            yield f"{module}:{node.lineno} {node.func.id}", len(node.args)


def test_wide_records_are_made_by_keyword():
    made = {place: count for module in MODULES for place, count in made_in(module)}
    assert "facts.kinds.age" in {place.partition(":")[0] for place in made}
    # The least that holds today.
    assert {place for place, count in made.items() if count > 8} == set()
