"""JSON files of authors: read without their comments, and held against their schema; each fault with file and place."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import relevance

from cds_service.dates import days
from cds_service.errors import PolicyError, UnreadableError

FILES = ("policy", "codes", "card", "payers", "cases")
COMMENT = "//"

_FORMATS = FormatChecker(("date",))


@_FORMATS.checks("fhir-date", UnreadableError)
def _is_fhir_date(value: object) -> bool:
    return not isinstance(value, str) or bool(days(value))


@cache
def schema(name: str) -> Draft202012Validator:
    """The validator of one file of a policy folder: ``schemas/<name>.schema.json``."""
    text = (Path(__file__).parent / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text), format_checker=_FORMATS)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without its comments, the members whose key starts with //; of these several may have one name."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key.startswith(COMMENT):
            continue
        if key in found:
            raise ValueError(f"the key '{key}' stands twice in one object; each key may stand once")
        found[key] = value
    return found


def read_json(path: Path) -> Any:
    """Reads a JSON file in which no key stands twice, and leaves out its comments: members whose key starts with //.

    Raises PolicyError with file and place.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_duplicates)
    except FileNotFoundError:
        raise PolicyError([f"{path}: the file is missing; a policy folder needs {', '.join(FILES)} (.json)"]) from None
    except json.JSONDecodeError as error:
        raise PolicyError([f"{path}: line {error.lineno}, column {error.colno}: {error.msg}"]) from None
    except ValueError as error:
        raise PolicyError([f"{path}: {error}"]) from None


def schema_problems(name: str, path: Path, document: Any) -> list[str]:
    """Every way in which a document breaks its schema, one sentence each with file and JSON path."""
    errors = sorted(schema(name).iter_errors(document), key=lambda error: (error.json_path, relevance(error)))
    return [f"{path}: {error.json_path}: {error.message}" for error in errors]
