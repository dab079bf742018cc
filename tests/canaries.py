"""Marks every text of a hook request, so that a search shows whether any of it got where nothing of a patient may be.

A mark is planted in every string that a call can do without: names, narratives, ids, displays, notes, tokens. What a
call needs to come out as before (codes, systems, units, dates, statuses, references, types) stays as it was.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

MARK = "Kanarienvogel"
_MARKED = re.compile(rf"{MARK}\d+".encode(), re.IGNORECASE)

# Members whose text decides what a call means: with a mark in it the call would be another one.
KEPT = frozenset(
    {
        *("hook", "resourceType", "code", "system", "unit", "status", "intent", "type", "comparator", "use", "mode"),
        *("url", "questionnaire", "linkId", "profile", "gender", "value", "relation", "token_type", "scope", "kind"),
        *("method", "language", "priority", "category", "relationship", "contentType"),
    }
)
# Of these members the text is an address or an identifier of a person, though it is called a value.
PERSONAL = frozenset({"telecom", "contact"})
# What a planted request has again.
REPLACED = frozenset({"hookInstance", "fhirAuthorization"})
# FHIR instants, dates and times, and the elements of them that have a type in their name.
DATED = re.compile(r"-?\d{4}(-\d\d(-\d\d(T.*)?)?)?|\d\d:\d\d(:\d\d(\.\d+)?)?")
# References and ids belong together: each is given the same mark wherever it is.
IDENTITIES = frozenset({"id", "reference", "patientId", "userId", "encounterId", "fullUrl"})
# Texts of which a value is wanted that is still an address.
ADDRESSES = frozenset({"fhirServer"})


def is_kept(name: str, within: str) -> bool:
    """Whether the text of a member, in an object that is the member ``within``, must stay as it is."""
    return name in KEPT and within not in PERSONAL


class Planted:
    """A marked copy of a request, and the marks that are in it."""

    def __init__(self, request: Any) -> None:
        self._count = 0
        self._identities: dict[str, str] = {}
        self.request = self._marked({name: item for name, item in request.items() if name not in REPLACED}, "")
        self._add_what_may_be_sent()

    @property
    def marks(self) -> list[str]:
        """All marks that have been given out."""
        return [f"{MARK}{number}" for number in range(1, self._count + 1)]

    def mark(self) -> str:
        """The next mark."""
        self._count += 1
        return f"{MARK}{self._count}"

    def _marked(self, value: Any, name: str, within: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._marked(item, key, name) for key, item in value.items()}
        if isinstance(value, list):
            return [self._marked(item, name, within) for item in value]
        if not isinstance(value, str):
            return value
        if name in ADDRESSES:
            return f"{value.rstrip('/')}/{self.mark()}"
        if name in IDENTITIES or name == "selections":
            return self._identity(value)
        if is_kept(name, within) or DATED.fullmatch(value):
            return value
        return f"{value} {self.mark()}"

    def _identity(self, value: str) -> str:
        """An id with its mark, the same wherever it is: behind ``Type/``, an address, or ``urn:uuid:``."""
        if value.startswith("#"):
            return "#" + self._identity(value[1:])
        head, slash, tail = value.rpartition("/")
        if tail not in self._identities:
            self._identities[tail] = f"{tail}-{self.mark()}"
        return f"{head}{slash}{self._identities[tail]}"

    def _add_what_may_be_sent(self) -> None:
        """Members that the specification allows and the example may lack: a token, an address, extensions."""
        self.request["hookInstance"] = self.mark()
        if "fhirServer" not in self.request:
            self.request["fhirServer"] = f"https://ehr.example/{self.mark()}"
        self.request["fhirAuthorization"] = {
            "access_token": self.mark(),
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": f"patient/*.read {self.mark()}",
            "subject": self.mark(),
            # The grant of another patient is refused.
            "patient": self.request.get("context", {}).get("patientId"),
        }
        self.request["extension"] = {f"com.example.{self.mark()}": {"note": self.mark()}}
        self.request[self.mark()] = self.mark()


def feedback(planted: Planted) -> dict[str, Any]:
    """A feedback request with a mark in every text that a user or an EHR makes up."""
    return {
        "feedback": [
            {
                "card": planted.mark(),
                "outcome": "overridden",
                "overrideReason": {"reason": {"code": planted.mark(), "display": planted.mark()}},
                "userComment": planted.mark(),
                "outcomeTimestamp": "2026-11-23T10:00:00Z",
            },
            {
                "card": planted.mark(),
                "outcome": "overridden",
                "overrideReason": {"userComment": planted.mark()},
                "outcomeTimestamp": "2026-11-23T10:00:00Z",
            },
        ]
    }


def found_in(data: bytes | str) -> set[str]:
    """Every mark in some output, whatever its case."""
    return {found.decode() for found in _MARKED.findall(data.encode() if isinstance(data, str) else data)}


def found_below(folders: Iterable[Path]) -> dict[str, set[str]]:
    """Every mark in the files below some folders (a database's too), and in their names: path -> marks."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            data = path.read_bytes() if path.is_file() else b""
            if marks := found_in(data) | found_in(str(path.relative_to(folder))) | found_in(quote(path.name)):
                found[str(path)] = marks
    return found
