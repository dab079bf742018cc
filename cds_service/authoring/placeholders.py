"""What the author still has to fill in, in the six steps of cards/README.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.facts.vocabulary import Vocabulary
from cds_service.policy.drafts import MARK
from cds_service.policy.json_files import FILES, read_json, schema_problems
from cds_service.policy.loading.vocabulary import schema
from cds_service.policy.places import Steps, path_of


class Placeholder(NamedTuple):
    """A place to fill in: a text that begins with ``FILL IN``, or (``is_key``) a key of the object at the place."""

    file: str
    steps: Steps
    wanted: str
    is_key: bool = False

    @property
    def line(self) -> str:
        """File, JSON path and the requested content."""
        return f"{self.file}.json: {path_of(self.steps)}: {'as the key: ' if self.is_key else ''}{self.wanted}"


class Step(NamedTuple):
    """One of the six steps: its subject and its files."""

    title: str
    files: str


STEPS = (
    Step("identity, sources and review", "policy.json"),
    Step("codes", "codes.json"),
    Step("orders", "policy.json"),
    Step("facts and criteria", "policy.json"),
    Step("words of the card, verdicts and payers", "policy.json, card.json and payers.json"),
    Step("cases", "cases.json"),
)
_STEP_OF_FILE = {"codes": 2, "card": 5, "payers": 5}
_STEP_OF_MEMBER = {
    "orders": 3,
    "scope": 3,
    "pathways": 3,
    "patient_view": 3,
    "parameters": 4,
    "facts": 4,
    "criteria": 4,
    "for_review": 4,
    "verdicts": 5,
    "profiles": 5,
}


def read_as_written(folder: Path) -> dict[str, Any]:
    """Every document of a rule set folder by file name, valid or not, including further case files.

    Raises PolicyError if a file is missing or is not JSON.
    """
    further = sorted(path.stem for path in folder.glob("cases-*.json"))
    return {name: read_json(folder / f"{name}.json") for name in (*FILES, *further)}


def placeholders(documents: Mapping[str, Any]) -> list[Placeholder]:
    """Every place that is still to be filled in, ordered by step, then by file."""
    found = [item for name, document in documents.items() for item in _in(name, document, ())]
    return sorted(found, key=step_of)


def step_of(item: Placeholder) -> int:
    """The number of the step (1 to 6) that a place belongs to."""
    if item.file.startswith("cases"):
        return 6
    return _STEP_OF_FILE.get(item.file) or _STEP_OF_MEMBER.get(str(item.steps[0]), 1)


def problems_beside(
    folder: Path, documents: Mapping[str, Any], open_places: Sequence[Placeholder], vocabulary: Vocabulary
) -> list[str]:
    """The problems of the completed parts: one sentence each, as from ``schema_problems``."""
    found = []
    for name in FILES:
        path = folder / f"{name}.json"
        unfilled = [_names(path_of(item.steps)) for item in open_places if item.file == name]
        for problem in schema_problems(schema(name, vocabulary), path, documents[name]):
            place = _names(problem.removeprefix(f"{path}: ").partition(": ")[0])
            if not any(steps[: len(place)] == place for steps in unfilled):
                found.append(problem)
    return found


def guidance(folder: Path, open_places: Sequence[Placeholder]) -> Iterator[str]:
    """Lines for the author: how much is left, the first open step in full, counts for later steps, and what to do
    next."""
    numbers = [step_of(item) for item in open_places]
    first = numbers[0]
    listed = [item for item in open_places if step_of(item) == first]
    step = STEPS[first - 1]
    done = ("", "; step 1 is filled in", f"; steps 1 to {first - 1} are filled in")[min(first - 1, 2)]
    yield f"{folder.name}: {_places(len(open_places))} to fill in{done}."
    yield f"Step {first} of {len(STEPS)}, {step.title}:"
    yield from (f"  {item.line}" for item in listed)
    later = [number for number in range(first + 1, len(STEPS) + 1) if number in numbers]
    for number in later:
        yield f"Later, step {number}, {STEPS[number - 1].title}: {_places(numbers.count(number))}"
    these = "this place" if len(listed) == 1 else f"these {len(listed)} places"
    yield f"Next: fill in {these} of {step.files}, save, and run `cds-service check {folder}` again."


def _in(file: str, value: Any, steps: Steps) -> Iterator[Placeholder]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.startswith(MARK):
                yield Placeholder(file, steps, key.removeprefix(MARK), is_key=True)
            yield from _in(file, inner, (*steps, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _in(file, inner, (*steps, index))
    elif isinstance(value, str) and value.startswith(MARK):
        yield Placeholder(file, steps, value.removeprefix(MARK))


def _names(path: str) -> list[str]:
    """The members of a JSON path in either spelling: ``$.a[0]`` and ``$['a'][0]`` are the same place."""
    return re.findall(r"[^$.\[\]'\"]+", path)


def _places(number: int) -> str:
    return f"{number} place{'' if number == 1 else 's'}"
