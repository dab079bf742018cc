"""The words for one fault in a file: what was found, what is allowed, and under which condition.

A ``description`` in a schema is the noun phrase for a pattern ("lower-case words and numbers joined by dashes"), so
that authors never see a regular expression.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from jsonschema import Draft202012Validator

from cds_service.spelling import listed, meant, nearest, shortened

Schema = Mapping[str, Any]

_TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_FORMATS = {
    "date": ("not a day", "a valid day as year-month-day, such as 2026-03-15"),
    "fhir-date": (
        "not a date",
        "a valid day such as 2026-03-15, a month such as 2026-03, or a year such as 2026",
    ),
}
LENGTH_SHOWN = 60
_OF_SOME_FORM = ("in the wrong format", "text in the expected format")

# These keywords contain schemas by name, or the schemas of an object's or list's members.
_NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs")
_INNER = ("properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "items", "prefixItems")


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of a schema.

    ``root`` is the whole schema of the file, and ``schema_path`` the path in it to the violated keyword. ``schema`` is
    the object that contains the keyword, and ``wanted`` the keyword's value. ``path`` is the path in the document to
    ``found``. ``branches`` has the faults of each branch of an anyOf or oneOf, by index.
    """

    root: Schema
    schema_path: tuple[str | int, ...]
    schema: Schema
    keyword: str
    wanted: Any
    path: tuple[str | int, ...]
    found: Any
    branches: Mapping[int, tuple["Fault", ...]]


def sentence(fault: Fault) -> str:
    """The sentence for one fault."""
    words = _SENTENCES.get(fault.keyword, _other)(fault)
    where = condition(fault)
    return f"{words} ({where})" if where else words


def is_type(value: Any, name: str) -> bool:
    """Whether a value has a type of JSON Schema; true and false are not numbers."""
    return bool(Draft202012Validator.TYPE_CHECKER.is_type(value, name))


def without_quotes(text: Any, types: str | list[str]) -> bool:
    """Whether text is a quoted value of one of these types: "18" where a number is required."""
    try:
        bare = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return False
    names = [types] if isinstance(types, str) else types
    return isinstance(text, str) and any(is_type(bare, name) for name in names)


def resolved(root: Schema, schema: Any) -> Any:
    """A schema with its ``$ref`` (in the same file) replaced by the schema that it refers to."""
    while isinstance(schema, Mapping) and str(schema.get("$ref", "")).startswith("#/"):
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


# --- under which condition a fault is one ----------------------------------------------------------------------------


def _conditions(fault: Fault) -> Iterator[tuple[int, Schema, bool]]:
    """(steps up to the object that it concerns, the ``if``, whether it is met) of each if/then/else above a fault."""
    node: Any = fault.root
    found: list[tuple[int, Schema, bool]] = []
    depth, is_name = 0, False
    for step in fault.schema_path[:-1]:
        node = resolved(fault.root, node)
        if is_name:
            is_name = False
        else:
            # Tells a property named "then" from the keyword.
            is_name = step in _NAMED
            depth += step in _INNER
            if step in ("then", "else") and "if" in node:
                found.append((depth, node["if"], step == "then"))
        node = node[step]
    return ((depth - at, schema, met) for at, schema, met in found)


def condition_keys(fault: Fault) -> set[str]:
    """The keys of the same object whose values decide whether the violated schema applies."""
    return {
        key
        for up, schema, _ in _conditions(fault)
        if up == 0
        for key in (*schema.get("properties", {}), *schema.get("required", ()))
    }


def condition(fault: Fault) -> str:
    """The condition under which the violated schema applies, as "where 'kind' is 'onset'"; "" if there is none."""
    told = [
        f"'{key}' is {'' if met else 'not '}{described(fault.root, schema)}"
        for up, condition, met in _conditions(fault)
        if up <= 1
        for key, schema in condition.get("properties", {}).items()
    ]
    return f"where {' and '.join(told)}" if told else ""


# --- the pieces -------------------------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A value as it is in the file, shortened; text is in single quotes."""
    match value:
        case str():
            written = json.dumps(value, ensure_ascii=False)[1:-1]
            return f"'{written if len(written) <= LENGTH_SHOWN else written[: LENGTH_SHOWN - 1] + '…'}'"
        case dict():
            return f"an object with {keys_named(list(value))}" if value else "an empty object"
        case list():
            return f"the list {shortened(json.dumps(value, ensure_ascii=False))}" if value else "an empty list"
        case _:
            return shortened(json.dumps(value))


def keys_named(keys: Sequence[str]) -> str:
    """Keys as "the key 'a'" or "the keys 'a' and 'b'"."""
    quoted = [f"'{shortened(key)}'" for key in keys[:6]] + ([f"{len(keys) - 6} more"] if len(keys) > 6 else [])
    return f"the key {quoted[0]}" if len(quoted) == 1 else f"the keys {', '.join(quoted[:-1])} and {quoted[-1]}"


def described(root: Schema, schema: Any) -> str:
    """What a schema allows, as a noun phrase."""
    schema = resolved(root, schema)
    if not isinstance(schema, Mapping):
        return "anything" if schema else "nothing"
    if "description" in schema:
        return str(schema["description"])
    if "const" in schema:
        return shown(schema["const"])
    if "enum" in schema:
        return _or(shown(value) for value in schema["enum"])
    if "format" in schema:
        return _FORMATS.get(schema["format"], _OF_SOME_FORM)[1]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return _or(described(root, branch) for branch in schema[word])
    if schema.get("required"):
        return ("an object with " if schema.get("type") == "object" else "") + keys_named(schema["required"])
    return _types(schema["type"]) if "type" in schema else "something else"


def _or(words: Iterable[str]) -> str:
    *first, last = dict.fromkeys(words)
    joined = ", or " if any(" or " in word or ", " in word for word in first) else " or "
    return f"{', '.join(first)}{joined}{last}" if first else last


def _types(types: str | list[str]) -> str:
    return _or(_TYPES[name] for name in ([types] if isinstance(types, str) else types))


def _found(value: Any) -> str:
    return f"the text {shown(value)}" if isinstance(value, str) else shown(value)


def _count(value: Any, one: str, many: str) -> str:
    return f"{len(value)} {one if len(value) == 1 else many}"


def _known_keys(fault: Fault) -> str:
    known = list(fault.schema.get("properties", {}))
    return f"; allowed: {listed(known)}" if known else ""


# --- one function for each keyword ------------------------------------------------------------------------------------


def _type(fault: Fault) -> str:
    wanted = fault.wanted
    hint = ", so leave out the quotes" if without_quotes(fault.found, wanted) else ""
    if wanted == "array":
        hint = ", so put it between [ and ]"
    return f"found {_found(fault.found)}; expected {_types(wanted)}{hint}"


def _enum(fault: Fault) -> str:
    names = [value if isinstance(value, str) else shown(value) for value in fault.wanted]
    allowed = nearest(fault.found, names) if isinstance(fault.found, str) else f"allowed: {listed(names)}"
    return f"{shown(fault.found)} is not allowed here; {allowed}"


def _const(fault: Fault) -> str:
    # A key whose only value is true is a switch.
    otherwise = ", or the key is left out" if fault.wanted is True else ""
    return f"{shown(fault.found)} is not allowed here; the only value is {shown(fault.wanted)}{otherwise}"


def _pattern(fault: Fault) -> str:
    wanted = fault.schema.get("description", _OF_SOME_FORM[1])
    words = re.sub(r"[^a-z0-9]+", " ", fault.found.lower()).split()
    repaired = (" ".join(fault.found.split()), "-".join(words), " ".join(words))
    guess = next((text for text in repaired if text and re.search(fault.wanted, text)), None)
    hint = f"did you mean '{shortened(guess)}'? Allowed:" if guess else "allowed:"
    return f"{shown(fault.found)} is not allowed here; {hint} {wanted}"


def _format(fault: Fault) -> str:
    what, wanted = _FORMATS.get(fault.wanted, _OF_SOME_FORM)
    return f"{shown(fault.found)} is {what}; expected {wanted}"


def _min_length(fault: Fault) -> str:
    if not fault.found:
        return "the text is empty; write something here"
    found = _count(fault.found, "character", "characters")
    return f"{shown(fault.found)} has {found}; at least {fault.wanted} are required"


def _max_length(fault: Fault) -> str:
    found = _count(fault.found, "character", "characters")
    return f"{shown(fault.found)} has {found}; at most {fault.wanted} are allowed"


def _too_few(fault: Fault, one: str, many: str, what: str) -> str:
    needed = f"at least {fault.wanted} {f'{one} is' if fault.wanted == 1 else f'{many} are'} required"
    if not fault.found:
        return f"the {what} is empty; {needed}"
    return f"the {what} has only {_count(fault.found, one, many)}; {needed}"


def _min_items(fault: Fault) -> str:
    return _too_few(fault, "entry", "entries", "list")


def _min_properties(fault: Fault) -> str:
    return _too_few(fault, "key", "keys", "object") + _known_keys(fault)


def _at_most(fault: Fault) -> str:
    return f"at most {fault.wanted} {'is' if fault.wanted == 1 else 'are'} allowed"


def _max_items(fault: Fault) -> str:
    return f"{shown(fault.found)} has {_count(fault.found, 'entry', 'entries')}; {_at_most(fault)}"


def _max_properties(fault: Fault) -> str:
    found = f"found {keys_named(list(fault.found))} together"
    return f"{found}; {_at_most(fault)}{_known_keys(fault).replace('; allowed:', ', of', 1)}"


def _unique_items(fault: Fault) -> str:
    values = fault.found
    twice = next(value for index, value in enumerate(values) if value in values[:index])
    return f"{shown(twice)} occurs twice in the list; each entry may occur once"


def _minimum(fault: Fault) -> str:
    return f"{shown(fault.found)} is too small; the minimum is {fault.wanted}"


def _maximum(fault: Fault) -> str:
    return f"{shown(fault.found)} is too large; the maximum is {fault.wanted}"


def _exclusive_minimum(fault: Fault) -> str:
    return f"{shown(fault.found)} is too small; it must be above {fault.wanted}"


def _exclusive_maximum(fault: Fault) -> str:
    return f"{shown(fault.found)} is too large; it must be below {fault.wanted}"


def _alternatives(fault: Fault) -> str:
    wanted = [described(fault.root, branch) for branch in fault.wanted]
    if not fault.branches:
        return (
            f"{_found(fault.found)} must match only one of these, and matches more: {'; '.join(dict.fromkeys(wanted))}"
        )
    values = [value for branch in fault.wanted for value in _values(fault.root, branch)]
    guess = meant(fault.found, values) if isinstance(fault.found, str) else None
    hint = f"did you mean '{guess}'? Expected" if guess else "expected"
    return f"found {_found(fault.found)}; {hint} {_or(wanted)}"


def _values(root: Schema, schema: Any) -> list[str]:
    """The string values that a schema lists."""
    schema = resolved(root, schema)
    named = [*schema.get("enum", ()), schema.get("const")] if isinstance(schema, Mapping) else []
    return [value for value in named if isinstance(value, str)]


def _not(fault: Fault) -> str:
    keys = fault.wanted.get("required", ()) if isinstance(fault.wanted, Mapping) else ()
    if len(keys) > 1:
        return f"{keys_named(keys)} may not be used together"
    return f"{keys_named(keys)} is not allowed here" if keys else _other(fault)


def _false(fault: Fault) -> str:
    schemas = reduce(lambda node, step: resolved(fault.root, node)[step], fault.schema_path, fault.root)
    keys = [key for key in fault.found if schemas.get(key) is False] if fault.schema_path[-1] == "properties" else []
    return f"{keys_named(keys)} {'is' if len(keys) == 1 else 'are'} not allowed here" if keys else _other(fault)


def _other(fault: Fault) -> str:
    wanted = fault.schema.get("description")
    return f"{_found(fault.found)} is not allowed here" + (f"; allowed: {wanted}" if wanted else "")


_SENTENCES: Mapping[str, Callable[[Fault], str]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "format": _format,
    "minLength": _min_length,
    "maxLength": _max_length,
    "minItems": _min_items,
    "maxItems": _max_items,
    "uniqueItems": _unique_items,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "anyOf": _alternatives,
    "oneOf": _alternatives,
    "not": _not,
    # jsonschema names no keyword if the schema of a key is false.
    "None": _false,
}
# The added keywords are reported together for an object, because an unknown key may be the missing one misspelled.
KEYWORDS = frozenset(_SENTENCES) - {"None"} | {
    "additionalProperties",
    "unevaluatedProperties",
    "required",
    "dependentRequired",
}
