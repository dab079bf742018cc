"""Documentation that shows what the program does is made from it: `python -m tests.test_docs` writes it again."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from cds_service.app import create_app
from cds_service.card.outcomes import Outcome
from cds_service.commands.diagnosis import ADVICE
from cds_service.commands.main import main
from cds_service.facts import roles
from cds_service.operations import logs
from cds_service.operations.audit import AuditLog, Call, Caller
from cds_service.operations.audit_lines import Wanted, read
from cds_service.operations.check_names import CHECKS, DEGRADING, DEGRADING_WITH_TRUST, WARNINGS
from cds_service.operations.metric_list import described
from cds_service.policy.json_files import schema_problems
from cds_service.settings.settings import Settings, data_folder
from cds_service.trust.checks import CHECKS as TOKEN_CHECKS
from cds_service.trust.clients import KEYS, load_clients
from cds_service.trust.entries import QUIRKS
from cds_service.web import outcomes
from tests import authors_guide, reading_page, rooms, stored_page
from tests.charts import MINIMAL
from tests.loading import schema
from tests.shipped import TODAY, answers, example, library
from tests.spec import page
from tests.tokens import jwk

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "cards" / "README.md"]
PAGES += [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "fhir_examples" / "README.md", ROOT / "CHANGELOG.md"]


def card_in_readme() -> str:
    """The card for typical-gaps, as a quotation."""
    (card,) = json.loads((data_folder("fhir_examples") / "typical-gaps" / "response.json").read_text())["cards"]
    offers = "  ".join(f"[{suggestion['label']}]" for suggestion in card["suggestions"])
    links = "  ".join(f"[{link['label']}]" for link in card["links"])
    text = f"**{card['summary']}**\n\n{card['detail']}\n\n{offers}  {links}  [Dismiss ▾]"
    return "\n".join(f"> {line}" if line else ">" for line in text.splitlines())


FIRST_CARD = ROOT / "docs" / "first-card.md"


def request_of_first_card() -> dict[str, Any]:
    """The request that a reader of the page on the first card writes."""
    (shown,) = re.findall(r"^```json\n(.*?)^```", FIRST_CARD.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = json.loads(shown)
    return found


def summary_of_first_card() -> str:
    """The summary of the card for that request, as a quotation."""
    (found,) = answers(request_of_first_card())
    assert found.card is not None
    return f"> **{found.card['summary']}**"


def answers_in_guide() -> str:
    """What each item of the first policy's form holds."""
    policy = library().policies[0]
    items = {rule.item: rule for rule in policy.facts.values() if rule.item}
    rows = ["| linkId | value | meaning of true, or the question |", "|---|---|---|"]
    for criterion in policy.criteria:
        if criterion.id in items:
            rule = items[criterion.id]
            value = {"answer": "valueBoolean", "onset": "valueDate"}.get(rule.kind.name, "valueDecimal")
            unit = {"onset": ": the day it began"}.get(rule.kind.name, f", {rule.unit}" if rule.unit else "")
            if rule.kind.name == "measurement":
                unit += f", {rule.range[0]:g} to {rule.range[1]:g}"
            rows.append(f"| `{criterion.id}` | {value}{unit} | {criterion.title} |")
    return "\n".join(rows)


CARDS = ROOT / "cards" / "README.md"
GUIDE = ROOT / "docs" / "policy-authors-guide.md"
READING = ROOT / "docs" / "how-a-chart-is-read.md"
STORED = ROOT / "docs" / "what-is-stored.md"


def answers_for_parts() -> str:
    """What each item of the form of a statement that judges parts apart holds; a group for each event."""
    policy = next(policy for policy in library().policies if policy.scope)
    rows = ["| linkId | value | question |", "|---|---|---|"]
    for rule in policy.facts.values():
        links = [f"`{item}{'.PART' if rule.per_part else ''}`" for item in rule.items]
        if rule.kind.name == "events" and rule.item:
            inner = ["date", *(item.item for item in rule.attributes.values() if item.item)]
            held = ", ".join(f"`…{name}`" for name in inner)
            rows.append(f"| {links[0]} | a group for each, with {held} | {rule.title} |")
        elif rule.item:
            value = {"answer": "valueBoolean", "onset": "valueDate", "since": "valueDate"}.get(
                rule.kind.name, "valueDecimal"
            )
            until = f"; end date in `{rule.until}`" if rule.until else ""
            rows.append(f"| {' or '.join(links)} | {value}{until} | {rule.title} |")
    parts = ", ".join(f"`{part.id}`" for part in policy.scope.parts)
    return "\n".join([f"`PART` is one of {parts}; items of a group begin with the group's linkId.", "", *rows])


def roles_table() -> str:
    """Which roles of people who answer mean clinician, and which staff."""
    rows = ["| system | code | role | counts as | source |", "|---|---|---|---|---|"]
    rows += [f"| {row.system} | {row.code} | {row.label} | {row.kind} | {row.seen} |" for row in roles.TABLE]
    said = ", ".join(f'"{name}"' for name, kind in roles.IN_WORDS.items() if kind == roles.CLINICIAN)
    return "\n".join([*rows, "", f"Roles in words only, if the words are the whole role: {said}."])


def settings_table() -> str:
    """Every setting with its meaning and its default, as the settings class has them."""
    rows = ["| variable | meaning | default |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `CDS_SERVICE_{name.upper()}` | {field.description} | {_default(field)} |")
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    if name := DEFAULTS_BY_PLACE.get(field.description or ""):
        return name
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = json.dumps(value) if isinstance(value, list | bool) else str(value)
    return f"`{shown}`" if value not in ("", None) else "none"


# Defaults that depend on where the program runs, in words.
DEFAULTS_BY_PLACE = {
    Settings.model_fields["cards"].description: "the ones that ship",
    Settings.model_fields["state"].description: "`~/.local/state/cds-service`",
}


def metrics_table() -> str:
    """Every metric with its kind, its labels and its meaning, as the code has them."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for spec in described():
        labels = ", ".join(f"`{label}`" for label in spec.labels) or "none"
        rows.append(f"| `{spec.name}` | {spec.kind} | {labels} | {spec.help} |")
    return "\n".join(rows)


def events_table() -> str:
    """Every event that the log may hold, and what it tells."""
    rows = ["| event | meaning |", "|---|---|"]
    rows += [f"| `{name}` | {meaning} |" for name, meaning in logs.EVENTS.items()]
    return "\n".join(rows)


def not_ready(check: str) -> str:
    if check in WARNINGS:
        return "no"
    if check in DEGRADING_WITH_TRUST:
        return "degraded"
    return "degraded; with a clients file yes" if check in DEGRADING else "yes"


def checks_table() -> str:
    """Every self-check, what it looks at, and whether it costs readiness."""
    rows = ["| check | it passes if | not ready if it fails |", "|---|---|---|"]
    rows += [f"| `{name}` | {meaning} | {not_ready(name)} |" for name, meaning in CHECKS.items()]
    return "\n".join(rows)


def audit_line() -> str:
    """The line of one call, as it is written."""
    answer = answers(example("typical-gaps"))
    request = example("typical-gaps")
    with TemporaryDirectory() as folder:
        clock = datetime(2026, 11, 23, 10, 15, 0, 250_000, tzinfo=UTC)
        log = AuditLog(Path(folder), b"a key for documentation", None, lambda: clock)
        caller = Caller(
            client="general-hospital", issuer="https://ehr.example", tenant=None, token_id="7f0c", subject=None
        )
        body, response = json.dumps(request).encode(), json.dumps([item.card for item in answer]).encode()
        log.call(
            Call(
                request_id="4be1" * 8,
                service="coverage-guidance-order-sign",
                caller=caller,
                today=TODAY,
                status=200,
                outcome=outcomes.of_call(answer),
                milliseconds=2.4,
                request=body,
                response=response,
                hook=request["hook"],
                hook_instance=request["hookInstance"],
                patient_id=request["context"]["patientId"],
                told=outcomes.told(answer),
            )
        )
        (line,) = read(Path(folder), Wanted(), None, lambda sentence: None)
    line["id"] = "91d2" * 8
    return f"```json\n{json.dumps(line, indent=1, ensure_ascii=False)}\n```"


def outcomes_table() -> str:
    """Every outcome of a card in its order."""
    rows = ["| outcome | the card says | indicator | codes | topic ends in |", "|---|---|---|---|---|"]
    for item in Outcome:
        codes = "yes" if item.suggests else "no"
        rows.append(f"| `{item.value}` | {item.called} | {item.indicator} | {codes} | `{item.topic}` |")
    return "\n".join(rows)


def quirks_table() -> str:
    """Every quirk of a clients file and what it does."""
    rows = ["| quirk | effect |", "|---|---|"]
    return "\n".join([*rows, *(f"| `{name}` | {what} |" for name, what in QUIRKS.items())])


def token_checks_table() -> str:
    """Every check of a token, in order, and the doctor's advice where it fails."""
    rows = ["| check | requirement | if it fails |", "|---|---|---|"]
    return "\n".join([*rows, *(f"| `{name}` | {asks} | {ADVICE[name]} |" for name, asks in TOKEN_CHECKS.items())])


GENERATED = [
    (ROOT / "docs" / "integrators-guide.md", "outcomes", outcomes_table),
    (ROOT / "docs" / "clients-file.md", "quirks", quirks_table),
    (ROOT / "docs" / "clients-file.md", "checks", token_checks_table),
    (ROOT / "docs" / "metrics.md", "metrics", metrics_table),
    (ROOT / "docs" / "metrics.md", "events", events_table),
    (ROOT / "docs" / "audit.md", "line", audit_line),
    (STORED, "limits", stored_page.limits),
    (STORED, "store", stored_page.store),
    (STORED, "line", stored_page.line),
    (ROOT / "docs" / "operators-guide.md", "settings", settings_table),
    (ROOT / "docs" / "operators-guide.md", "checks", checks_table),
    (ROOT / "README.md", "card", card_in_readme),
    (FIRST_CARD, "summary", summary_of_first_card),
    (ROOT / "docs" / "integrators-guide.md", "answers", answers_in_guide),
    (READING, "roles", roles_table),
    (READING, "future", reading_page.future),
    (READING, "months", reading_page.months),
    (READING, "delivery", reading_page.delivery),
    (READING, "types", reading_page.types),
    (READING, "systems", reading_page.systems),
    (READING, "word-lists", reading_page.word_lists),
    (READING, "manners", reading_page.manner_of_examples),
    (READING, "typed", reading_page.typed),
    (READING, "spellings", reading_page.spellings),
    (READING, "known-units", reading_page.known_units),
    (READING, "body-mass", reading_page.body_mass_units),
    (READING, "yes-or-no", reading_page.yes_or_no),
    (READING, "limits", reading_page.limits),
    (ROOT / "docs" / "integrators-guide.md", "answers-for-parts", answers_for_parts),
    (CARDS, "starting", authors_guide.starting),
    (CARDS, "finished", authors_guide.finished),
    (CARDS, "vocabulary", page.vocabulary),
    (GUIDE, "citation", authors_guide.citation),
    (ROOT / "docs" / "architecture.md", "house", rooms.drawing),
    (ROOT / "docs" / "architecture.md", "rooms", rooms.table),
    (GUIDE, "fact", authors_guide.fact),
    (GUIDE, "form-item", authors_guide.form_item),
    (GUIDE, "criterion", authors_guide.criterion),
    (GUIDE, "cases", authors_guide.cases_at_the_limit),
    (GUIDE, "mutation", authors_guide.mutation),
    (GUIDE, "explained", authors_guide.explained),
    (GUIDE, "phrases", authors_guide.phrases),
    (GUIDE, "card", authors_guide.card),
    (GUIDE, "page", authors_guide.page),
]


def with_generated(text: str, name: str, made: str) -> str:
    return re.sub(
        rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)",
        lambda match: f"{match.group(1)}{made}\n{match.group(2)}",
        text,
        flags=re.DOTALL,
    )


@pytest.mark.parametrize(
    ("path", "name", "make"), GENERATED, ids=[f"{name} in {path.name}" for path, name, _ in GENERATED]
)
def test_what_is_shown_is_what_the_program_does(path, name, make):
    text = path.read_text(encoding="utf-8")
    assert f"<!-- {name}:begin -->" in text
    assert with_generated(text, name, make()) == text


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_file_that_the_architecture_names_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", text))
    assert {"service/hook_call.py", "verdicts/criteria.py", "tests/test_layout.py"} <= named
    assert {name for name in named if not (rooms.PACKAGE / name).exists() and not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_to_one(path):
    for target, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", path.read_text(encoding="utf-8")):
        text = (path.parent / target if target else path).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}, heading


@pytest.mark.parametrize("number", range(5))
def test_every_example_for_authors_is_sound_by_a_schema(number):
    examples = re.findall(r"^```json\n(.*?)^```", CARDS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(examples) == 5
    example = json.loads(examples[number])
    problems = []
    for name in ("policy", "card"):
        minimal = json.loads((MINIMAL / f"{name}.json").read_text(encoding="utf-8"))
        problems.append(schema_problems(schema(name), CARDS, {**minimal, **example}))
    assert [] in problems, problems


def test_the_group_of_an_event_in_the_guide_stands_in_an_example():
    guide = (ROOT / "docs" / "integrators-guide.md").read_text(encoding="utf-8")
    (shown,) = (block for block in re.findall(r"```json\n(.*?)```", guide, re.DOTALL) if block.startswith('{"linkId"'))
    request = json.loads((data_folder("fhir_examples") / "joint-all-documented" / "request.json").read_text())
    assert json.dumps(json.loads(shown)) in json.dumps(request)


def test_every_route_and_status_in_the_guide_exists():
    guide = (ROOT / "docs" / "integrators-guide.md").read_text(encoding="utf-8")
    settings = Settings()
    app = create_app(settings, library(), "http://127.0.0.1:8080", lambda: TODAY)
    rules = {rule.rule.split("<")[0].rstrip("/") for rule in app.url_map.iter_rules()}
    routes = set(re.findall(r"`(?:GET|POST) (/[a-z-]+)", guide))
    assert routes
    assert routes <= rules


def test_every_metric_in_an_alert_rule_is_one_there_is():
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rules = "\n".join(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    named = set(re.findall(r"cds_service_[a-z_]+", rules))
    known = {spec.name for spec in described()}
    known |= {f"{spec.name}_{part}" for spec in described() if spec.buckets for part in ("bucket", "count", "sum")}
    assert named
    assert named <= known


def test_every_key_of_a_client_is_in_the_table_and_no_other():
    page = (ROOT / "docs" / "clients-file.md").read_text(encoding="utf-8")
    table = page.partition("## Every key")[2].partition("\n\n**")[0]
    assert re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE) == list(KEYS)


def test_every_entry_that_is_shown_is_a_good_one(tmp_path):
    page = (ROOT / "docs" / "clients-file.md").read_text(encoding="utf-8")
    shown = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    point = jwk("p384")
    topics = library().topics
    for text in shown:
        whole = text.replace('x = "…"', f'x = "{point["x"]}"').replace('y = "…"', f'y = "{point["y"]}"')
        (tmp_path / "clients.toml").write_text(whole, encoding="utf-8")
        (tmp_path / "form.secret").write_text("a secret", encoding="ascii")
        (client,) = load_clients(tmp_path / "clients.toml").entries
        assert client.topic_aliases.keys() <= topics.keys()
    assert len(shown) == 6


def test_every_command_in_the_readme_is_one_there_is():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\.venv/bin/cds-service ([a-z-]+)", readme)) <= set(main.commands)


if __name__ == "__main__":
    for page, marker, maker in GENERATED:
        page.write_text(with_generated(page.read_text(encoding="utf-8"), marker, maker()), encoding="utf-8")
