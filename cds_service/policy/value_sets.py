"""Value sets of a deployment: licensed codes that it adds to the code sets of rule sets, and that are never committed.

A file is at ``POLICY/CODE-SET/FILE``: a FHIR R4 ValueSet as JSON (an expansion, or a compose that lists each code) or a
table as CSV. Like a code pack, it changes the documents of a rule set before the loader builds it. Its codes are added
to the rule set's rows, which do not change, and each added code carries the name of the value set.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.errors import PolicyError
from cds_service.fhir.check_digits import CHECKED
from cds_service.fhir.terminology import canonical_code, canonical_system, is_standard, system_of_code
from cds_service.policy.codes import FROM_VALUE_SET, Code
from cds_service.policy.json_files import read_json
from cds_service.policy.loading.code_sets import code_of
from cds_service.spelling import nearest

# A search by codes lists every code in its URL.
MOST_CODES = 5_000
MOST_BYTES = 10_000_000
LONGEST_NAME = 60
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9.,()/-]+")
_NO_CODE = re.compile(r"\s|^$")
# Column names as in FHIR, and as in downloads from the Value Set Authority Center.
_COLUMNS = {
    "system": ("system", "code system", "codesystem", "code system oid", "codesystemoid"),
    "code": ("code",),
    "display": ("display", "description", "displayname"),
}
_EXPAND = "have a terminology server $expand it, and save the expansion"


class ValueSetCode(NamedTuple):
    """One canonical code of a value set, and its display ("" if it has none)."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class ValueSet:
    """One file: its name (as cards show it), and the rule set and code set that receive its codes."""

    name: str
    file: str
    version: str
    policy: str
    code_set: str
    entries: tuple[ValueSetCode, ...]


def read_value_sets(folder: Path | None) -> tuple[ValueSet, ...]:
    """The value sets of a folder; none if ``folder`` is None.

    Raises PolicyError with every problem of every file.
    """
    if folder is None:
        return ()
    files = sorted(path for path in folder.glob("**/*") if path.is_file() and not path.name.startswith("."))
    if not files:
        sentence = "a value set lies at POLICY/CODE-SET/FILE.json or .csv in the folder of CDS_SERVICE_VALUE_SETS"
        raise PolicyError([f"{folder}: no value set found; {sentence}"])
    problems: list[str] = []
    found: list[ValueSet] = []
    for file in files:
        try:
            found.append(_read(file, folder))
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(problems)
    return tuple(found)


def _read(file: Path, folder: Path) -> ValueSet:
    place = file.relative_to(folder)
    if len(place.parts) != 3 or file.suffix.lower() not in (".json", ".csv"):
        raise PolicyError([f"{file}: must lie at POLICY/CODE-SET/FILE.json or .csv in {folder}"])
    if file.stat().st_size > MOST_BYTES:
        raise PolicyError([f"{file}: is larger than {MOST_BYTES} bytes, the most that is read of a value set"])
    is_json = file.suffix.lower() == ".json"
    name, version, written = _of_json(file) if is_json else (file.stem, "", list(_of_csv(file)))
    problems: list[str] = []
    entries: dict[tuple[str, str], ValueSetCode] = {}
    for where, system, code, display in written:
        entry = _entry(system, code, display)
        if isinstance(entry, str):
            problems.append(f"{file}: {where}: {entry}")
        else:
            entries.setdefault((entry.system, entry.code), entry)
    if not written:
        problems.append(f"{file}: holds no code")
    if len(entries) > MOST_CODES:
        problems.append(f"{file}: holds {len(entries)} codes; the most that is read is {MOST_CODES}")
    plain = _NOT_PLAIN.sub(" ", name).strip()[:LONGEST_NAME].strip()
    if not plain:
        problems.append(f"{file}: has no name that a card could show; give it one in letters or numbers")
    if problems:
        raise PolicyError(problems)
    return ValueSet(plain, str(place), version, place.parts[0], place.parts[1], tuple(entries.values()))


def _entry(system: Any, code: Any, display: Any) -> ValueSetCode | str:
    """One code, or a sentence that says why it is not valid."""
    if not isinstance(system, str) or not isinstance(code, str):
        return "a code needs a system and a code, both as text"
    known = canonical_system(system)
    if not is_standard(known):
        return f"'{system}' is not a code system whose codes are read; local codes are read by their words alone"
    number = canonical_code(known, code)
    known = system_of_code(known, number)
    if _NO_CODE.search(number):
        return f"'{code}' is not a code"
    if known in CHECKED and not CHECKED[known](number):
        return f"'{code}' has a wrong check digit, as a spreadsheet leaves behind; take it from its source again"
    return ValueSetCode(known, number, display if isinstance(display, str) else "")


_Written = tuple[str, Any, Any, Any]


def _of_json(file: Path) -> tuple[str, str, list[_Written]]:
    """(name, version, (place, system, code, display) of each code) of a ValueSet (FHIR R4)."""
    document = read_json(file)
    if not isinstance(document, dict) or document.get("resourceType") != "ValueSet":
        raise PolicyError([f"{file}: is not a FHIR ValueSet; its resourceType must be ValueSet"])
    name = next((text for key in ("title", "name") if isinstance(text := document.get(key), str)), file.stem)
    try:
        expansion = document.get("expansion")
        listed = list(_expanded(expansion)) if expansion is not None else list(_composed(document.get("compose")))
    except (AttributeError, TypeError):
        raise PolicyError([f"{file}: is not a ValueSet as FHIR R4 writes it; its lists must hold objects"]) from None
    except ValueError as error:
        raise PolicyError([f"{file}: {error}"]) from None
    return name, str(document.get("version") or ""), listed


def _expanded(expansion: Mapping[str, Any]) -> Iterator[_Written]:
    """The codes of an expansion, including nested ones. Raises ValueError if it is only one page."""
    found = list(_contained(expansion.get("contains", ()), "$.expansion.contains"))
    total = expansion.get("total")
    if isinstance(total, int) and total > len(found):
        raise ValueError(f"$.expansion holds {len(found)} of {total} codes; save the whole of it, not a page")
    return iter(found)


def _contained(listed: Iterable[Mapping[str, Any]], place: str) -> Iterator[_Written]:
    # Iterative, because an expansion may be nested to any depth.
    waiting = [(place, listed)]
    while waiting:
        place, entries = waiting.pop()
        for index, entry in enumerate(entries):
            if not entry.get("abstract"):
                yield f"{place}[{index}]", entry.get("system"), entry.get("code"), entry.get("display")
            if entry.get("contains"):
                waiting.append((f"{place}[{index}].contains", entry["contains"]))


def _composed(compose: Mapping[str, Any] | None) -> Iterator[_Written]:
    """The codes that a compose lists. Raises ValueError for a compose with a rule, which needs a terminology server."""
    if not compose:
        raise ValueError(f"has neither an expansion nor a compose; {_EXPAND}")
    left_out = {
        (canonical_system(str(part["system"])), str(entry.get("code")))
        for index, part in enumerate(compose.get("exclude", ()))
        for entry in _enumerated(part, f"$.compose.exclude[{index}]")
    }
    for index, part in enumerate(compose.get("include", ())):
        place = f"$.compose.include[{index}]"
        for number, entry in enumerate(_enumerated(part, place)):
            if (canonical_system(str(part["system"])), str(entry.get("code"))) not in left_out:
                yield f"{place}.concept[{number}]", part["system"], entry.get("code"), entry.get("display")


def _enumerated(part: Mapping[str, Any], place: str) -> Sequence[Mapping[str, Any]]:
    rule = next((name for name in ("filter", "valueSet") if part.get(name)), None)
    if rule or not part.get("concept") or not part.get("system"):
        why = f"says its codes by '{rule}'" if rule else "names no single codes"
        raise ValueError(f"{place} {why}; {_EXPAND}")
    listed: Sequence[Mapping[str, Any]] = part["concept"]
    return listed


def _of_csv(file: Path) -> Iterator[_Written]:
    """(place, system, code, display) of each row below the heading; other lines may precede the heading."""
    try:
        rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise PolicyError([f"{file}: is not CSV in UTF-8: {error}"]) from None
    heading = next((number for number, row in enumerate(rows) if {"system", "code"} <= _columns(row).keys()), None)
    if heading is None:
        raise PolicyError([f"{file}: has no line of headings with the columns system and code (and display)"])
    columns = _columns(rows[heading])
    for number, row in enumerate(rows[heading + 1 :], heading + 2):
        if any(cell.strip() for cell in row):
            cells = {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()}
            yield f"line {number}", cells["system"], cells["code"], cells.get("display", "")


def _columns(row: Sequence[str]) -> dict[str, int]:
    named = [cell.strip().lower() for cell in row]
    return {
        column: next(at for at, name in enumerate(named) if name in names)
        for column, names in _COLUMNS.items()
        if any(name in names for name in named)
    }


def unplaced(value_sets: Iterable[ValueSet], policies: Iterable[str]) -> list[str]:
    """A sentence for each value set whose folder is not named after a rule set."""
    known = list(policies)
    return [
        f"{item.file}: '{item.policy}' is not a rule set; {nearest(item.policy, known)}"
        for item in value_sets
        if item.policy not in known
    ]


def apply(
    value_sets: Sequence[ValueSet], policy: str, documents: Mapping[str, Any]
) -> tuple[Mapping[str, Any], list[str]]:
    """The schema-valid documents of a rule set folder with the codes of its value sets added, and a list of problems.

    The function does not change its arguments; if no value set applies, it returns the documents themselves.
    """
    own = [item for item in value_sets if item.policy == policy]
    if not own:
        return documents, []
    codes = documents["codes"]
    systems, sets = dict(codes["systems"]), dict(codes["sets"])
    problems = []
    for item in own:
        if item.code_set not in sets:
            problems.append(f"{item.file}: '{item.code_set}' is not a code set; {nearest(item.code_set, sets)}")
            continue
        entry = sets[item.code_set]
        rows = list(_rows(item, entry["codes"], systems))
        sets[item.code_set] = entry | {"codes": [*entry["codes"], *rows]}
    return {**documents, "codes": codes | {"systems": systems, "sets": sets}}, problems


def _rows(item: ValueSet, present: Sequence[Mapping[str, Any]], systems: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows for the codes of a value set that no row of the code set covers; new code systems are added to
    ``systems``."""
    names = {canonical_system(system["url"]): name for name, system in systems.items()}
    listed: list[Code] = [code_of(canonical_system(systems[row["system"]]["url"]), row) for row in present]
    exact = {(row.system, row.code) for row in listed if not row.is_family}
    families = [row for row in listed if row.is_family]
    for entry in item.entries:
        if (entry.system, entry.code) in exact:
            continue
        if any(row.system == entry.system and row.covers(entry.code) for row in families):
            continue
        if entry.system not in names:
            names[entry.system] = entry.system
            systems[entry.system] = {
                "url": entry.system,
                "version": "as the value sets of this deployment say",
                "notice": "The rule set has no codes of this system; these are of this deployment's value sets.",
            }
        yield {
            "system": names[entry.system],
            "code": entry.code,
            "label": entry.display or f"code of {item.name}",
            "seen": FROM_VALUE_SET,
            "provenance": f"value set {item.name}, {f'version {item.version}, ' if item.version else ''}{item.file}",
            "valid_from": None,
            "valid_until": None,
            "remark": f"by your value set {item.name}",
        }
