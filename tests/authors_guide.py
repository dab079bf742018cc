"""What the pages for policy authors show of the program, made by the program: the first check of a new policy, and one
criterion of the first policy from its source to the card."""

import json
import re
from datetime import date
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner

from cds_service.app import create_app
from cds_service.authoring import cases
from cds_service.authoring.check import Wishes, check_folder
from cds_service.authoring.documents import Documents, Edit, edited
from cds_service.authoring.mutation_test import Trial, unnoticed
from cds_service.authoring.mutations import Mutation, mutations
from cds_service.authoring.new_policy import write_starting_folder
from cds_service.authoring.placeholders import guidance, placeholders, read_as_written
from cds_service.authoring.summary import lines, problem_lines
from cds_service.commands.main import main
from cds_service.facts.vocabulary import VOCABULARY
from cds_service.questionnaire.rendering import questionnaire
from cds_service.questionnaire.versions import Version
from cds_service.settings.settings import Settings, data_folder
from tests.loading import policy_of, read_documents
from tests.questionnaire_answers import items
from tests.shipped import BASE, PUBLIC_URL, TODAY, example, guide, library
from tests.test_new_policy import fill_in

FOLDER = data_folder("cards") / "isass-restorative-neurostimulation-2023"
CASES_DAY = date(2026, 3, 15)
CRITERION, FACT = "pain-severity", "pain-score"


def starting() -> str:
    """What the check says of a folder that was just begun; of the places of the first step the first three."""
    with TemporaryDirectory() as directory:
        folder = write_starting_folder("society-procedure-2026", Path(directory))
        told = list(guidance(folder, placeholders(read_as_written(folder))))
    places = [line for line in told if line.startswith("  ")]
    shown = [line.replace(f"{directory}/", "") for line in told if line not in places[3:]]
    return _text(*shown[:5], f"  … and {len(places) - 3} more", *shown[5:])


def finished() -> str:
    """What the check says of that folder once everything is filled in."""
    with TemporaryDirectory() as directory:
        folder = write_starting_folder("society-procedure-2026", Path(directory))
        fill_in(folder, range(1, 7))
        told = lines(check_folder(folder, BASE, Wishes(CASES_DAY)))
    return _text(*(line for _, line in told))


def citation() -> str:
    """The criterion's first citation and the entry of its source, as they are in policy.json."""
    policy = _documents()["policy"]
    (cited, *_) = _criterion(policy)["sources"]
    source = {cited["source"]: policy["sources"][cited["source"]]}
    return _json(f'"sources": {_pretty(source)}', f'"sources": [{_flat(cited)}]')


def fact() -> str:
    """The fact that the criterion reads."""
    return _json(f'"{FACT}": {_pretty(_documents()["policy"]["facts"][FACT])}')


def form_item() -> str:
    """The question that the fact becomes, without what fills it in and without its children."""
    form = questionnaire(policy_of(FOLDER, _documents()), BASE, Version.V2_0_1)
    item = next(item for item in items(form) if item["linkId"] == CRITERION)
    return _json(_pretty({name: value for name, value in item.items() if name != "item"}))


def criterion() -> str:
    """The criterion without its citations."""
    entry = {name: value for name, value in _criterion(_documents()["policy"]).items() if name != "sources"}
    return _json(_pretty(entry))


def cases_at_the_limit() -> str:
    """The two cases on the two sides of the limit, and the two on both sides of the look-back."""
    listed = {case["name"]: case for case in _documents()["cases"]["cases"]}
    names = (
        "A patient with pain 6 of 10 is like those studied.",
        "A patient with pain 5.9 of 10 is unlike those studied, and inside the label.",
        "A pain score of 90 days ago still counts.",
        "A pain score of 91 days ago counts no longer.",
    )
    shown = ({name: value for name, value in listed[name].items() if name != "file"} for name in names)
    return _json(",\n".join(map(_pretty, shown)))


def mutation() -> str:
    """What the check says of a limit one step up, where the cases that notice it are missing."""
    documents = _without_noticing_cases(_mutation_up(_documents()))
    policy = policy_of(FOLDER, documents)
    made = _mutation_up(documents)
    survivors = Trial(FOLDER, documents, policy, guide(), VOCABULARY).survivors([made], lambda done: None)
    told = problem_lines(list(unnoticed(survivors, documents)), f"{FOLDER.name}/")
    return _text(*(f"{severity.value}: {line}" for severity, line in told))


def explained() -> str:
    """What ``explain`` prints of the criterion."""
    environment = {"COLUMNS": "100"}
    arguments = ("explain", "-", "--today", TODAY.isoformat())
    told = CliRunner().invoke(main, arguments, input=json.dumps(example("typical-gaps")), env=environment).output
    found = re.search(r"^✓ Pain 6/10 or more.*?(?=^\S)", told, re.MULTILINE | re.DOTALL)
    assert found is not None
    return _text(*found.group().splitlines())


def phrases() -> str:
    """The criterion's phrases in card.json."""
    return _json(f'"{CRITERION}": {_pretty(_documents()["card"]["criteria"][CRITERION])}')


def card() -> str:
    """What the card says of a patient with a score below the limit: its summary, and the line that comes first."""
    documents = _documents()
    policy = policy_of(FOLDER, documents)
    case = next(
        case for case in policy.cases.document["cases"] if case["name"].startswith("A patient with pain 5.9 of 10")
    )
    (answer,) = cases.case_result(policy, case, cases.guide_of(policy, guide())).answers
    assert answer.card is not None
    return "\n".join(f"> {line}  " for line in (f"**{answer.card['summary']}**", answer.card["detail"].splitlines()[0]))


def page() -> str:
    """What the policy page says of the criterion, as text."""
    app = create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY)
    html = app.test_client().get(f"/policies/{FOLDER.name}").text
    article = re.search(rf'<article class="criterion" id="{CRITERION}".*?</dl>', html, re.DOTALL)
    assert article is not None
    told = [
        (_plain(term), _plain(said))
        for term, said in re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", article.group(), re.DOTALL)
    ]
    return "\n".join(("| on the page | says |", "|---|---|", *(f"| {term} | {said} |" for term, said in told)))


def _mutation_up(documents: Documents) -> Mutation:
    """The mutation that moves the criterion's limit one step up."""
    index = _index(documents["policy"])
    steps = ("criteria", index, "test", "at_least")
    policy = policy_of(FOLDER, documents)
    return max(
        (mutation for mutation in mutations(documents, policy) if mutation.steps == steps),
        key=lambda mutation: mutation.edits[0].value,
    )


def _without_noticing_cases(made: Mutation) -> dict[str, Any]:
    """The documents without the cases that come out otherwise under the mutation."""
    documents = _documents()
    moved = policy_of(FOLDER, edited(documents, made.edits))
    noticing = {result.name for result in cases.run_cases(moved, guide()) if result.differences}
    kept = [case for case in documents["cases"]["cases"] if case["name"] not in noticing]
    return edited(documents, (Edit("cases", ("cases",), kept),))


def _documents() -> dict[str, Any]:
    return read_documents(FOLDER)


def _index(policy: Any) -> int:
    return [entry["id"] for entry in policy["criteria"]].index(CRITERION)


def _criterion(policy: Any) -> Any:
    return policy["criteria"][_index(policy)]


def _plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pretty(value: Any) -> str:
    """JSON with a member on each line and everything below it flat."""
    members = ",\n".join(f"  {json.dumps(name)}: {_flat(inner)}" for name, inner in value.items())
    return f"{{\n{members}\n}}"


def _json(*parts: str) -> str:
    return "\n".join(("```json", *parts, "```"))


def _text(*lines: str) -> str:
    return "\n".join(("```text", *lines, "```"))
