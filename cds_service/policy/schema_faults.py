"""Which errors of a JSON schema an author sees: each fault once, at its place, without its consequences."""

import re
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cds_service.policy import schema_words as words
from cds_service.policy.schema_words import Fault, Schema
from cds_service.spelling import meant, nearest, shortened

# The wrong kind of value shows that the author did not mean this branch, however small the other faults are.
_OTHER_KIND = 1000
# How strongly a fault in each keyword counts against a branch; other keywords count 1.
_COSTS = {"const": 20, "enum": 20, "required": 4, "additionalProperties": 4}
_OF_KEYS = ("additionalProperties", "unevaluatedProperties", "required")
# If one value has several faults, the first in this order is reported, because it is the most serious.
_RANKS = {name: rank for rank, name in enumerate(("type", "const", "enum", "minLength", "maxLength", "format"))}


def problems(validator: Draft202012Validator, document: Any) -> list[tuple[str, str]]:
    """(JSON path, sentence) of every fault in a document, in path order."""
    root: Schema = validator.schema if isinstance(validator.schema, dict) else {}
    values: dict[tuple[str | int, ...], list[Fault]] = {}
    names: dict[tuple[str | int, ...], list[Fault]] = {}
    for fault in _branches_meant(_fault(root, document, error) for error in validator.iter_errors(document)):
        if "propertyNames" in fault.schema_path[-2:-1]:
            names.setdefault((*fault.path, fault.found), []).append(fault)
        else:
            values.setdefault(fault.path, []).append(fault)
    found = [(path, sentence) for path, faults in values.items() for sentence in _of_value(faults)]
    found += [(path[:-1], f"the key {_first(faults)}") for path, faults in names.items()]
    found.sort(key=lambda problem: [(isinstance(step, str), step) for step in problem[0]])
    return [(place(path), sentence) for path, sentence in dict.fromkeys(found)]


def place(steps: Iterable[str | int]) -> str:
    """A JSON path as jsonschema writes it: ``$.facts['pain-onset'].kind``."""
    return ValidationError("", path=tuple(steps)).json_path


def _fault(root: Schema, document: Any, error: ValidationError) -> Fault:
    branches: dict[int, tuple[Fault, ...]] = {}
    for inner in error.context or ():
        branch = int(inner.relative_schema_path[0])
        branches[branch] = (*branches.get(branch, ()), _fault(root, document, inner))
    found = error.instance
    if str(error.validator) == "None":
        # jsonschema does not name a key whose schema is false, so look the value up in the document.
        found = reduce(lambda value, step: value[step], error.absolute_path, document)
    return Fault(
        root=root,
        schema_path=tuple(error.absolute_schema_path),
        schema=error.schema if isinstance(error.schema, dict) else {},
        keyword=str(error.validator),
        wanted=error.validator_value,
        path=tuple(error.absolute_path),
        found=found,
        branches=branches,
    )


# --- the branch that was meant ----------------------------------------------------------------------------------------


def _branches_meant(faults: Iterable[Fault]) -> Iterator[Fault]:
    """The faults, with each anyOf or oneOf replaced by the faults of the intended branch, if one stands out."""
    for fault in faults:
        branch = _branch_meant(fault) if fault.branches else ()
        if branch:
            yield from _branches_meant(branch)
        else:
            yield fault


def _branch_meant(fault: Fault) -> tuple[Fault, ...]:
    """The faults of the branch that fits best; none if the author needs the names of all branches.

    That is so if every branch wants another kind of value, if two fit equally well, or if only a name is wrong.
    """
    for index, faults in fault.branches.items():
        # "18" where a number or the name of one is allowed: the quotes are the fault.
        if words.without_quotes(fault.found, words.resolved(fault.root, fault.wanted[index]).get("type", [])):
            return faults
    costs = {index: sum(_cost(inner, fault) for inner in faults) for index, faults in fault.branches.items()}
    least = min(costs.values())
    cheapest = [index for index, cost in costs.items() if cost == least]
    best = fault.branches[cheapest[0]]
    only_a_name = all(inner.path == fault.path and inner.keyword in ("const", "enum") for inner in best)
    return best if least < _OTHER_KIND and len(cheapest) == 1 and not only_a_name else ()


def _cost(fault: Fault, above: Fault) -> int:
    """How strongly a fault counts against its branch of the anyOf or oneOf ``above``."""
    if fault.branches:
        return min(sum(_cost(inner, above) for inner in faults) for faults in fault.branches.values())
    if fault.path == above.path and _other_kind(fault):
        return _OTHER_KIND
    return _COSTS.get(fault.keyword, 1) * max(1, len(_unknown(fault)))


def _other_kind(fault: Fault) -> bool:
    """Whether a value is of the wrong kind, rather than a wrong value of the right kind."""
    if fault.keyword not in ("const", "enum"):
        return fault.keyword == "type"
    wanted = [fault.wanted] if fault.keyword == "const" else fault.wanted
    return not any(isinstance(value, type(fault.found)) for value in wanted)


# --- the faults of one value ------------------------------------------------------------------------------------------


def _of_value(faults: list[Fault]) -> Iterator[str]:
    """The sentences of the faults of one value."""
    value = faults[0].found
    if any(fault.keyword == "type" for fault in faults) or not isinstance(value, dict | list):
        yield _first(faults)
    elif isinstance(value, dict):
        yield from _of_object(faults)
    else:
        yield from map(words.sentence, faults)


def _first(faults: list[Fault]) -> str:
    return words.sentence(min(faults, key=lambda fault: _RANKS.get(fault.keyword, len(_RANKS))))


def _of_object(faults: list[Fault]) -> Iterator[str]:
    """The sentences of the faults of one object; a misspelled key is not also reported as missing."""
    missing = _all_missing(faults)
    settled = [fault for fault in faults if not words.condition_keys(fault) & set(missing)]
    unknown = dict.fromkeys(key for fault in faults for key in _unknown(fault))
    allowed = list(
        dict.fromkeys(key for fault in faults if _unknown(fault) for key in fault.schema.get("properties", ()))
    )
    told = bool(unknown or missing)
    misspelled: set[str] = set()
    for key in unknown:
        intended = meant(key, [name for name in missing if name in allowed]) or meant(key, allowed)
        if intended and intended not in faults[0].found:
            misspelled.add(intended)
            missing.pop(intended, None)
        yield f"'{shortened(key)}' is not known here; {nearest(key, allowed)}"
    for why in dict.fromkeys(missing.values()):
        keys = [key for key, condition in missing.items() if condition == why]
        needed = f", needed {why}" if why else ""
        yield f"{words.keys_named(keys)} {'is' if len(keys) == 1 else 'are'} missing{needed}"
    for fault in settled:
        if fault.keyword == "dependentRequired":
            yield from (sentence for key, sentence in _dependent(fault) if key not in missing and key not in misspelled)
        elif fault.keyword not in _OF_KEYS and not (fault.keyword == "minProperties" and told):
            yield words.sentence(fault)


def _all_missing(faults: list[Fault]) -> dict[str, str]:
    """Each key that an object lacks -> the condition under which it is required ("" if always).

    A requirement that depends on a missing key is left out, because it is not known yet.
    """
    found: dict[str, str] = {}
    lacking = [fault for fault in faults if fault.keyword == "required"]
    for fault in sorted(lacking, key=lambda fault: bool(words.condition_keys(fault))):
        if not words.condition_keys(fault) & set(found):
            for key in fault.wanted:
                if key not in fault.found:
                    found.setdefault(key, words.condition(fault))
    return found


def _unknown(fault: Fault) -> list[str]:
    """The keys that an object may not have."""
    if fault.keyword not in ("additionalProperties", "unevaluatedProperties"):
        return []
    patterns = fault.schema.get("patternProperties", {})
    known = fault.schema.get("properties", {})
    return [key for key in fault.found if key not in known and not any(re.search(word, key) for word in patterns)]


def _dependent(fault: Fault) -> Iterator[tuple[str, str]]:
    """(missing key, sentence) of each key that another key requires."""
    for key, needed in fault.wanted.items():
        if key in fault.found:
            for other in needed:
                if other not in fault.found:
                    yield other, f"the key '{key}' needs the key '{other}' beside it, which is missing"
