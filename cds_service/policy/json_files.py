"""Authors' JSON files: read without comments and validated against their schema; each fault names its place."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cache, cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import jsonschema_rs

from cds_service.errors import PolicyError, UnreadableError
from cds_service.fhir.dates import days

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

RULES = ("policy", "codes", "card", "payers")
CASES = "cases"
FILES = (*RULES, CASES)
COMMENT = "//"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

# The messages of the standard library's JSON parser, reworded for an author who has the file open in an editor.
_NO_JSON = {
    "Expecting value": "a value is expected here: text in double quotes, a number, true, false, null, [ or {; "
    "perhaps a comma is one too many, or quotes are missing",
    "Expecting property name": "a key in double quotes is expected here; perhaps the comma before is one too many",
    "Expecting ':'": "a colon is expected here, between a key and its value",
    "Expecting ','": "a comma or a closing bracket is expected here; perhaps the entry before has no comma after it",
    "Illegal trailing comma": "a comma is not allowed here, after the last entry",
    "Extra data": "the file goes on after its last closing bracket; perhaps a bracket was closed too early",
    "Unterminated string": 'the text that begins here has no closing double quotes; inside text they are written \\"',
    "Invalid control character": "there is a line break or a tab inside text, which must be on one line; "
    "perhaps the double quotes at the end of the text are missing",
    "Invalid \\": 'this backslash means nothing; inside text, a backslash is written \\\\ and double quotes \\"',
}


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def _is_fhir_date(text: str) -> bool:
    try:
        return bool(days(text))
    except UnreadableError:
        return False


_FORMATS: Mapping[str, Callable[[str], bool]] = MappingProxyType({"date": _is_day, "fhir-date": _is_fhir_date})


def written_schema(name: str) -> dict[str, Any]:
    """The schema in ``schemas/<name>.schema.json``, unchanged."""
    text = (Path(__file__).parent / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


class FileSchema:
    """The schema of an author's file, as two validators: a fast one in Rust that says whether a document is valid, and
    one in Python, a hundred times slower, that says what is wrong.

    Each validator and its library load on first use, so valid files never load the slow one.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    def problems(self, document: Any) -> list[tuple[str, str]]:
        """(JSON path, sentence) of every fault in a document, in path order."""
        if self._gate.is_valid(document):
            return []
        from cds_service.policy import schema_faults

        return schema_faults.problems(self.wording, document)

    @cached_property
    def _gate(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self.schema, formats=dict(_FORMATS), validate_formats=True)

    @cached_property
    def wording(self) -> "Draft202012Validator":
        """The Python validator, whose errors say what is wrong."""
        from jsonschema import Draft202012Validator, FormatChecker

        checker = FormatChecker(())
        for name, conforms in _FORMATS.items():
            checker.checks(name)(partial(_conforms, conforms))
        return Draft202012Validator(self.schema, format_checker=checker)


def _conforms(conforms: Callable[[str], bool], value: object) -> bool:
    return not isinstance(value, str) or conforms(value)


@cache
def plain_schema(name: str) -> FileSchema:
    """The schema of a file that does not depend on the vocabulary."""
    return FileSchema(written_schema(name))


class _Repeating(dict[str, Any]):
    """An object of the file with duplicate keys."""

    repeated: tuple[str, ...] = ()


class _Objects:
    """Builds the objects of one file; ``repeat`` says whether any object has a duplicate key."""

    def __init__(self, text: str) -> None:
        self._comments = f'"{COMMENT}' in text
        self.repeat = False

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """An object without its comments (members whose key starts with //). Comments may share a key."""
        members = [pair for pair in pairs if not pair[0].startswith(COMMENT)] if self._comments else pairs
        found = dict(members)
        if len(found) == len(members):
            return found
        self.repeat = True
        repeating = _Repeating(found)
        names = [key for key, _ in members]
        repeating.repeated = tuple(key for key in found if names.count(key) > 1)
        return repeating


def _repeated(value: Any, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[str, str]]:
    """(JSON path, key) of each duplicate key in an object."""
    from cds_service.policy import schema_faults

    if isinstance(value, _Repeating):
        yield from ((schema_faults.place(steps), key) for key in value.repeated)
    if isinstance(value, dict | list):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _repeated(inner, (*steps, step))


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number in JSON")


def read_json(path: Path) -> Any:
    """Reads a JSON file without duplicate keys, and leaves out comments: members whose key starts with //.

    Raises PolicyError with file and place.
    """
    try:
        # Some editors put a byte order mark in front of the text.
        text = path.read_text(encoding="utf-8-sig")
        objects = _Objects(text)
        document = json.loads(text, object_pairs_hook=objects, parse_constant=_no_number)
    except FileNotFoundError:
        raise PolicyError([f"{path}: the file is missing; a rule set needs {', '.join(FILES)} (.json)"]) from None
    except json.JSONDecodeError as error:
        told = next((words for said, words in _NO_JSON.items() if error.msg.startswith(said)), "this is not JSON")
        raise PolicyError([f"{path}: line {error.lineno}, column {error.colno}: {told}"]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PolicyError([f"{path}: line {line}: a character is not UTF-8; save the file as UTF-8 text"]) from None
    except ValueError as error:
        raise PolicyError([f"{path}: {error}"]) from None
    # Keys inside comments may repeat.
    twice = [*_repeated(document)] if objects.repeat else []
    if twice:
        raise PolicyError(
            [f"{path}: {place}: the key '{key}' occurs twice; each key may occur once" for place, key in twice]
        )
    return document


def schema_problems(schema: FileSchema, path: Path, document: Any) -> list[str]:
    """Every way in which a document violates its schema, one sentence each with file and JSON path."""
    return [f"{path}: {place}: {sentence}" for place, sentence in schema.problems(document)]
