"""The cases of a rule set folder as one plain list: cases.json, cases-*.json, and tables of cases."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cds_service.errors import PolicyError
from cds_service.policy.json_files import CASES, plain_schema, read_json, schema_problems

_HOLE = "{code}"


class CaseFiles:
    """The cases of a rule set folder. They load on first use, because answering a call needs none."""

    def __init__(self, folder: Path, document: Mapping[str, Any] | None = None) -> None:
        """``document`` holds cases that were read or changed earlier."""
        self._folder, self._document = folder, document
        self._frame: Mapping[str, Any] | None = None

    @property
    def document(self) -> Mapping[str, Any]:
        """What ``read`` returns, read once and cached. Raises PolicyError as ``read`` does."""
        if self._document is None:
            self._document = self.read()
        return self._document

    @property
    def frame(self) -> Mapping[str, Any]:
        """What every case builds on: cases.json without its cases, unless they are already loaded.

        It is read once and cached. Raises PolicyError with file and place.
        """
        if self._document is not None:
            return self._document
        if self._frame is None:
            self._frame = {name: part for name, part in self._main().items() if name != CASES}
        return self._frame

    def read(self) -> dict[str, Any]:
        """cases.json, with the ``cases`` of every cases-*.json appended and each table expanded.

        The ``file`` of each case names the file that it is in. Raises PolicyError with file and place.
        """
        cases = self._main()
        return {**cases, CASES: list(_each(self._folder, cases))}

    def each(self) -> Iterator[dict[str, Any]]:
        """The ``cases`` of ``read``, with only one file in memory at a time.

        Raises PolicyError with file and place, at the latest after the last case.
        """
        return _each(self._folder, self._main())

    def _main(self) -> dict[str, Any]:
        path = self._folder / f"{CASES}.json"
        cases: dict[str, Any] = read_json(path)
        if problems := schema_problems(plain_schema(CASES), path, cases):
            raise PolicyError(problems)
        return cases


def _each(folder: Path, cases: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    problems: list[str] = []
    for path, listed in _lists(folder, cases, problems):
        for index, case in enumerate(listed):
            try:
                yield from ({**opened, "file": path.name} for opened in _opened(case))
            except ValueError as error:
                problems.append(f"{path}: $.cases[{index}].for_each: {error}")
    if problems:
        raise PolicyError(problems)


def _lists(folder: Path, cases: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    yield folder / "cases.json", cases["cases"]
    for path in sorted(folder.glob("cases-*.json")):
        try:
            document = read_json(path)
        except PolicyError as error:
            problems += error.problems
            continue
        if not isinstance(document, dict) or list(document) != ["cases"]:
            problems.append(f'{path}: must hold {{"cases": […]}} alone; day, charts and orders are those of cases.json')
            continue
        # The schema of cases.json applies to cases in every file; the other parts of cases.json are already valid.
        wrong = schema_problems(plain_schema("cases"), path, {**cases, "cases": document["cases"]})
        problems += wrong
        if not wrong:
            yield path, document["cases"]


def _opened(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The cases that a table stands for; any other case unchanged."""
    if "for_each" not in case:
        return [case]
    values = case["for_each"]
    body = {name: part for name, part in case.items() if name not in ("name", "for_each")}
    if _HOLE not in repr(body):
        raise ValueError(f"nothing in the case holds {_HOLE}, so that all cases of the table would be alike")
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} occurs twice")
    return [{"name": f"{case['name']} ({value})", **_filled(body, value)} for value in values]


def _filled(value: Any, code: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, code) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, code) for item in value]
    return value.replace(_HOLE, code) if isinstance(value, str) else value
