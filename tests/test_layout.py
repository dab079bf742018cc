"""The package is a ladder: each module imports only from rungs below it, and heavy libraries stay on their own rung."""

import ast
from pathlib import Path

import pytest

import cds_service

PACKAGE = Path(cds_service.__file__).parent

LADDER = (
    "errors",
    "logic",
    "dates",
    "terminology",
    "elements",
    "policy",
    "editions",
    "bundles",
    "lexicon",
    "needs",
    "chart",
    "standing",
    "scope",
    "orders",
    "order_index",
    "evidence",
    "evaluation",
    "answers",
    "observations",
    "world",
    "readings",
    "events",
    "facts",
    "criteria",
    "payers",
    "verdicts",
    "markdown",
    "identity",
    "suggestions",
    "card",
    "bodies",
    "hooks",
    "feedback",
    "prefetch",
    "spelling",
    "schema_words",
    "schema_errors",
    "json_files",
    "loading.problems",
    "loading.codes",
    "loading.facts",
    "loading.tests",
    "case_files",
    "code_packs",
    "loader",
    "drafts",
    "library",
    "service",
    "outgoing.deadline",
    "computing",
    "outgoing.addresses",
    "outgoing.client",
    "environment",
    "folders",
    "settings",
    "effective_settings",
    "background",
    "store.failures",
    "store.files",
    "store.address",
    "store.instants",
    "store.tables",
    "store.migrations.env",
    "store.migrations.versions.v0001",
    "store.migrations.versions.v0002",
    "store.patience",
    "store.circuit",
    "store.engines",
    "store.migration",
    "store.database",
    "store.shown",
    "store.feedback",
    "store.replay",
    "store.activity",
    "store.ledger",
    "store.turns",
    "store.checking",
    "store.salvage",
    "feedback_report",
    "operations.names",
    "operations.timing",
    "operations.rate",
    "operations.metric_list",
    "operations.exceptions",
    "operations.logs",
    "operations.gunicorn_logs",
    "operations.metrics_folder",
    "operations.metrics",
    "operations.outcomes",
    "operations.sealing",
    "operations.audit",
    "operations.audit_retention",
    "retention",
    "operations.traces",
    "fetching.templates",
    "fetching.scopes",
    "fetching.fhir_search",
    "fetching.fetch",
    "fetching.call",
    "trust.jwk",
    "trust.entries",
    "trust.clients",
    "trust.keys",
    "trust.tokens",
    "dialect",
    "self_check.names",
    "self_check.readiness",
    "surroundings",
    "doctor",
    "clock",
    "examples",
    "fhir_models",
    "authoring.lint",
    "authoring.accounts",
    "authoring.cases",
    "authoring.sharing",
    "authoring.documents",
    "authoring.problems",
    "authoring.new_policy",
    "authoring.placeholders",
    "authoring.unused",
    "authoring.reviews",
    "authoring.slips",
    "authoring.nearness",
    "authoring.trials",
    "authoring.check",
    "authoring.summary",
    "authoring.progress",
    "authoring.watch",
    "explain",
    "clause_text",
    "code_text",
    "policy_text",
    "rule_text",
    "source_attributes",
    "policy_json",
    "changes",
    "pages",
    "feedback_bars",
    "feedback_page",
    "openapi",
    "web.errors",
    "web.browsers",
    "web.compression",
    "web.probe",
    "web.accepted",
    "web.record",
    "web.trusted",
    "web.gate",
    "web.reading",
    "web.calls",
    "web.feedback",
    "web.well_known",
    "web.document",
    "workbench.patients",
    "workbench.fhir",
    "workbench.dropped",
    "workbench.rendering",
    "workbench.validation",
    "workbench.routes",
    "app",
    "self_check.known_answers",
    "self_check.surfaces",
    "self_check.stores",
    "self_check.checks",
    "self_check.watch",
    "chunks",
    "arrival",
    "connection",
    "worker",
    "server",
    "store_commands",
    "__main__",
)

# Between chart and card nothing may ask the clock or the network, or write a log: "today" is an argument.
PURE = LADDER[: LADDER.index("card") + 1]
SIDE_EFFECTS = {
    "asyncio",
    "ftplib",
    "http",
    "httpx",
    "locale",
    "logging",
    "multiprocessing",
    "os",
    "random",
    "requests",
    "secrets",
    "select",
    "smtplib",
    "socket",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "urllib3",
}
CLOCK = {"now", "utcnow", "today", "fromtimestamp"}
# Uuids of a fixed scope are pure; those made of the clock, the host or chance are not.
CHANCE = {"uuid1", "uuid4"}

ONLY_IN = {
    "flask": {
        *(
            "pages",
            "feedback_page",
            "web.errors",
            "web.browsers",
            "web.compression",
            "web.trusted",
            "web.gate",
            "web.reading",
            "web.calls",
            "web.feedback",
        ),
        *("web.well_known", "web.document", "workbench.routes", "app", "server"),
        *("self_check.known_answers", "self_check.surfaces", "self_check.checks"),
    },
    "flask_cors": {"web.browsers"},
    "gunicorn": {"arrival", "connection", "worker", "server", "operations.gunicorn_logs"},
    "werkzeug": {"web.errors", "web.trusted", "web.reading", "web.document", "app"},
    "fhir": {"fhir_models", "suggestions"},
    "jsonschema": {"schema_words", "schema_errors", "json_files"},
    "click": {"__main__", "store_commands"},
    "pydantic_settings": {"settings"},
    "requests": {"outgoing.client"},
    "urllib3": {"outgoing.client"},
    "structlog": {"operations.logs"},
    "prometheus_client": {"operations.metrics"},
    "limits": {"operations.rate"},
    "opentelemetry": {"operations.traces"},
    "markdown_it": {"workbench.rendering"},
    "nh3": {"workbench.rendering"},
    "cryptography": {"operations.sealing", "trust.jwk"},
    "jwt": {"trust.tokens"},
    "sqlalchemy": {
        "store.failures",
        "store.address",
        "store.tables",
        "store.migrations.versions.v0001",
        "store.patience",
        "store.circuit",
        "store.engines",
        "store.migration",
        "store.database",
        "store.shown",
        "store.feedback",
        "store.replay",
        "store.activity",
        "store.checking",
    },
    "alembic": {
        "store.migration",
        "store.migrations.env",
        "store.migrations.versions.v0001",
        "store.migrations.versions.v0002",
    },
}


# A rung that grew is a folder: its modules stand in the ladder under the folder's name.
PACKAGES = {
    "cds_service",
    "cds_service.authoring",
    "cds_service.fetching",
    "cds_service.loading",
    "cds_service.operations",
    "cds_service.outgoing",
    "cds_service.self_check",
    "cds_service.store",
    "cds_service.trust",
    "cds_service.web",
    "cds_service.workbench",
}


def syntax_tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


def imported(module: str) -> set[str]:
    """Every module that a rung imports, at its head or inside a function, under its full dotted name."""
    names: set[str] = set()
    for node in ast.walk(syntax_tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relative to its place; say cds_service"
            if node.module in PACKAGES:
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
            else:
                names.add(node.module)
    return names - PACKAGES


def rungs(module: str) -> set[str]:
    own = {name.removeprefix("cds_service.") for name in imported(module) if name.startswith("cds_service.")}
    return own - {"__version__"}


def libraries(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imported(module)} - {"cds_service"}


def test_every_module_has_its_rung_and_every_rung_its_module():
    found = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py") if path.stem != "__init__")
    assert {".".join(path.parts) for path in found} == set(LADDER)


@pytest.mark.parametrize("module", LADDER)
def test_a_module_imports_only_from_rungs_below_it(module):
    assert rungs(module) <= set(LADDER[: LADDER.index(module)])


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_heavy_library_stays_where_it_has_its_job(library):
    assert {module for module in LADDER if library in libraries(module)} <= ONLY_IN[library]


@pytest.mark.parametrize("library", ["flask", "gunicorn", "fhir", "jsonschema"])
def test_a_library_that_is_depended_on_is_used(library):
    assert any(library in libraries(module) for module in LADDER)


@pytest.mark.parametrize("module", PURE)
def test_the_way_from_chart_to_card_touches_nothing_outside(module):
    assert not libraries(module) & SIDE_EFFECTS


@pytest.mark.parametrize("module", PURE)
def test_the_way_from_chart_to_card_asks_no_clock_and_no_chance(module):
    called = {
        node.func.attr
        for node in ast.walk(syntax_tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & (CLOCK | CHANCE)


@pytest.mark.parametrize("module", PURE)
def test_the_way_from_chart_to_card_reads_no_file_but_the_policy(module):
    opens = {
        node.attr
        for node in ast.walk(syntax_tree(module))
        if isinstance(node, ast.Attribute) and node.attr in {"read_text", "read_bytes", "write_text", "write_bytes"}
    } | {
        node.func.id
        for node in ast.walk(syntax_tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "print"}
    }
    assert opens <= ({"read_text"} if module == "policy" else set())
