"""Code packs: a deployment's licensed content for a code system, which replaces the authors' own short labels.

A pack changes the documents of a rule set before the loader builds it. No module after the loader knows of packs, and
the rule sets on disk do not change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.errors import PolicyError
from cds_service.fhir.dates import days
from cds_service.fhir.terminology import canonical_code, canonical_system, is_standard
from cds_service.policy.codes import FROM_PACK
from cds_service.policy.json_files import plain_schema, read_json, schema_problems


class Entry(NamedTuple):
    """A pack's content for one code: the licensed words, and the dates of validity (None if the pack gives none)."""

    display: str
    valid_from: str | None
    valid_until: str | None


@dataclass(frozen=True, slots=True)
class CodePack:
    """One file: a release of one code system (canonical URI). The keys of ``codes`` and all code numbers are canonical.

    ``replaced_by`` maps a retired number to its replacement in this release, which is in ``codes``.
    """

    name: str
    system: str
    version: str
    notice: str
    codes: Mapping[str, Entry]
    replaced_by: Mapping[str, str]

    @property
    def title(self) -> str:
        """The pack's name in problems and on pages."""
        return f"code pack {self.name}, version {self.version}"


def read_packs(folder: Path | None) -> tuple[CodePack, ...]:
    """The packs of a folder, one for each JSON file in it; none if ``folder`` is None.

    Raises PolicyError with every problem of every file: invalid JSON, a schema violation, two packs for one system.
    """
    if folder is None:
        return ()
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        sentence = "a code pack is a JSON file in the folder that CDS_SERVICE_CODES or --codes names"
        raise PolicyError([f"{folder}: no code pack found; {sentence}"])
    problems: list[str] = []
    packs: list[CodePack] = []
    for file in files:
        try:
            packs.append(_read(file))
        except PolicyError as error:
            problems += error.problems
    for pack in packs:
        first = next(other for other in packs if other.system == pack.system)
        if first is not pack:
            problems.append(
                f"{folder / pack.name}: $.system: {first.name} is a pack for {pack.system} too; "
                "a system has one pack, so leave one of them out"
            )
    if problems:
        raise PolicyError(problems)
    return tuple(packs)


def _read(file: Path) -> CodePack:
    document = read_json(file)
    problems = schema_problems(plain_schema("code-pack"), file, document)
    if problems:
        raise PolicyError(problems)
    system = canonical_system(document["system"])
    pack = CodePack(
        name=file.name,
        system=system,
        version=document["version"],
        notice=document["notice"],
        codes={
            canonical_code(system, code): Entry(entry["display"], entry.get("valid_from"), entry.get("valid_until"))
            for code, entry in document["codes"].items()
        },
        replaced_by={
            canonical_code(system, old): canonical_code(system, new)
            for old, new in document.get("replaced_by", {}).items()
        },
    )
    problems = [f"{file}: {problem}" for problem in _faults(pack, document)]
    if problems:
        raise PolicyError(problems)
    return pack


def _faults(pack: CodePack, document: Mapping[str, Any]) -> Iterator[str]:
    if not is_standard(pack.system) and ":" not in pack.system:
        yield (
            f"$.system: '{pack.system}' is not a code system; write its FHIR address, "
            "such as http://www.ama-assn.org/go/cpt, or a common short name, such as cpt"
        )
    for member, kept in (("codes", pack.codes), ("replaced_by", pack.replaced_by)):
        if len(kept) < len(document.get(member, ())):
            yield f"$.{member}: one code occurs in two spellings; each code may occur once"
    for code, entry in pack.codes.items():
        if entry.valid_from and entry.valid_until and days(entry.valid_until).last < days(entry.valid_from).first:
            yield f"$.codes['{code}']: valid_until {entry.valid_until} lies before valid_from {entry.valid_from}"
    for old, new in pack.replaced_by.items():
        if new not in pack.codes:
            yield f"$.replaced_by['{old}']: '{new}' is not in the codes of this pack; add it there, with its display"
        elif new in pack.replaced_by:
            yield f"$.replaced_by['{old}']: '{new}' is itself replaced; name the number that counts now"


def apply(packs: Sequence[CodePack], documents: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """The schema-valid documents of a rule set folder with the packs' content added, and a list of problems.

    A code of a pack's system takes the pack's words and dates, and its system takes the pack's version and notice. If
    the pack replaces a code, the new number is added next to it and suggested instead. Each problem is a sentence that
    names set and code. The function does not change its arguments; if no pack applies, it returns the documents
    themselves.
    """
    codes, policy = documents["codes"], documents["policy"]
    by_name = {
        name: pack
        for name, system in codes["systems"].items()
        for pack in packs
        if pack.system == canonical_system(system["url"])
    }
    if not by_name:
        return documents, []
    problems: list[str] = []
    sets = {}
    for name, entry in codes["sets"].items():
        problems += _missing(name, entry["codes"], by_name)
        sets[name] = entry | {"codes": list(_rows(entry["codes"], by_name))}
    systems = {name: _system(system, by_name.get(name)) for name, system in codes["systems"].items()}
    acts = [act | {"code": _suggested(act["code"], by_name)} for act in policy["orders"]["acts"]]
    changed = {
        "codes": codes | {"systems": systems, "sets": sets},
        "policy": policy | {"orders": policy["orders"] | {"acts": acts}},
    }
    return {**documents, **changed}, problems


def _system(system: Mapping[str, Any], pack: CodePack | None) -> dict[str, Any]:
    taken = {"version": pack.version, "notice": pack.notice, "pack": pack.name} if pack else {}
    return {**system, **taken}


def _suggested(code: Mapping[str, Any], by_name: Mapping[str, CodePack]) -> dict[str, Any]:
    pack = by_name.get(code["system"])
    new = pack.replaced_by.get(canonical_code(pack.system, code["code"])) if pack else None
    return {**code, "code": new} if new else {**code}


def _missing(name: str, rows: Iterable[Mapping[str, Any]], by_name: Mapping[str, CodePack]) -> Iterator[str]:
    """A sentence for each code of a set that its pack neither contains nor replaces."""
    for row in rows:
        pack = by_name.get(row["system"])
        if pack is None:
            continue
        number = _number(row, pack)
        begins_so = _is_prefix(row) and any(code.startswith(number) for code in pack.codes)
        if number not in pack.codes and number not in pack.replaced_by and not begins_so:
            yield (
                f"$.sets.{name}: {row['system']} {row['code']} is not in the {pack.title}; add it to the pack's codes, "
                "or say in its replaced_by which number counts now"
            )


def _rows(rows: list[dict[str, Any]], by_name: Mapping[str, CodePack]) -> Iterator[dict[str, Any]]:
    """The rows of a set with the packs' words; each new number follows the number that it replaces."""
    present = {(row["system"], _number(row, by_name[row["system"]])) for row in rows if row["system"] in by_name}
    for row in rows:
        pack = by_name.get(row["system"])
        if pack is None:
            yield row
            continue
        number = _number(row, pack)
        new = None if _is_prefix(row) else pack.replaced_by.get(number)
        entry = pack.codes.get(number)
        known = _worded(row, entry, pack) if entry else row
        if "leaves" in row:
            newer = (pack.replaced_by.get(canonical_code(pack.system, leaf)) for leaf in row["leaves"])
            known = known | {"leaves": list(dict.fromkeys([*row["leaves"], *filter(None, newer)]))}
        if new is None:
            yield known
            continue
        yield known | {"provenance": f"{known['provenance']}; replaced by {new} in the {pack.title}"}
        if (row["system"], new) not in present:
            present.add((row["system"], new))
            yield _worded(known | {"code": new, "provenance": row["provenance"]}, pack.codes[new], pack)


def _worded(row: Mapping[str, Any], entry: Entry, pack: CodePack) -> dict[str, Any]:
    return {
        **row,
        "label": entry.display,
        "seen": FROM_PACK,
        "provenance": f"{pack.title}; its use here: {row['provenance']}",
        "valid_from": entry.valid_from or row["valid_from"],
        "valid_until": entry.valid_until or row["valid_until"],
    }


def _is_prefix(row: Mapping[str, Any]) -> bool:
    return str(row["code"]).endswith("-")


def _number(row: Mapping[str, Any], pack: CodePack) -> str:
    return canonical_code(pack.system, row["code"].removesuffix("-"))
