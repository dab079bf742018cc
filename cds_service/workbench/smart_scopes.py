"""The scopes that the demo EHR grants: SMART App Launch 2.2, "Scopes for requesting FHIR Resources", and 1.0 spellings.

Pure. A scope that is not understood, or that the EHR does not grant (``system/``, ``offline_access``, a scope with a
constraint), is left out of what is granted, as OAuth allows (RFC 6749, section 3.3).
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cds_service.fhir.types import TYPES
from cds_service.workbench import words as texts

# What says who uses the app and where it is launched.
PLAIN = ("openid", "fhirUser", "launch", "launch/patient")
LAUNCHES = frozenset({"launch", "launch/patient"})
READ, WRITE = "rs", "cud"
_ALL = "cruds"
_FIRST_VERSION = {"read": READ, "write": WRITE, "*": _ALL}
_SCOPE = re.compile(r"(patient|user)/(\*|[A-Z][A-Za-z]{1,60})\.(?:(read|write|\*)|(c?r?u?d?s?))", re.ASCII)
_MOST = 100


class DataScope(NamedTuple):
    """One scope for resources: ``level`` is patient or user, ``kind`` a resource type or ``*``.

    ``interactions`` are letters of ``cruds``: create, read, update, delete, search. ``first_version``: it is spelled as
    SMART App Launch 1.0 does.
    """

    level: str
    kind: str
    interactions: str
    first_version: bool

    def __str__(self) -> str:
        words = {letters: word for word, letters in _FIRST_VERSION.items()}
        verb = words.get(self.interactions) if self.first_version else self.interactions
        return f"{self.level}/{self.kind}.{verb or self.interactions}"

    def only(self, letters: str) -> "DataScope | None":
        """The part of it that is among some interactions; None where nothing of it is left."""
        left = "".join(letter for letter in self.interactions if letter in letters)
        return self._replace(interactions=left) if left else None


def data_scopes(text: str) -> list[DataScope]:
    """The scopes for resources in a scope string, in its order, each once."""
    return list(dict.fromkeys(_data_scopes(text)))


def _data_scopes(text: str) -> Iterator[DataScope]:
    for word in text.split()[:_MOST]:
        found = _SCOPE.fullmatch(word)
        if found is None:
            continue
        level, kind, first, letters = found.groups()
        if first or letters:
            yield DataScope(level, kind, _FIRST_VERSION[first] if first else letters, bool(first))


def plain_scopes(text: str) -> list[str]:
    """The other scopes in a scope string that are granted, in its order, each once."""
    return [word for word in dict.fromkeys(text.split()[:_MOST]) if word in PLAIN]


def granted(text: str) -> str:
    """What the EHR can grant of a scope string."""
    return " ".join([*plain_scopes(text), *map(str, data_scopes(text))])


def read_only(text: str) -> str:
    """The same without anything that writes."""
    left = (scope.only(READ) for scope in data_scopes(text))
    return " ".join([*plain_scopes(text), *(str(scope) for scope in left if scope)])


def allows(text: str, kind: str, interaction: str) -> bool:
    """Whether a granted scope string covers an interaction (a letter of ``cruds``) with a type of resource."""
    return any(scope.kind in ("*", kind) and interaction in scope.interactions for scope in data_scopes(text))


class Choice(NamedTuple):
    """One line of the consent page: ``value`` is what its box sends, ``text`` what it says."""

    value: str
    text: str


def choices(text: str) -> list[Choice]:
    """What a user may refuse of a scope string, one by one: reading and writing of each type apart.

    A launch scope cannot be refused alone: without a patient the app has nothing to open.
    """
    words = plain_scopes(text)
    lines = [Choice(word, texts.SCOPES[word]) for word in words if word not in LAUNCHES]
    for scope in data_scopes(text):
        for letters, verb in ((READ, texts.READ), (WRITE, texts.WRITE)):
            part = scope.only(letters)
            if part is not None:
                lines.append(Choice(str(part._replace(first_version=False)), texts.scope(verb, _called(scope.kind))))
    return lines


def _called(kind: str) -> str:
    if kind == "*":
        return texts.EVERY_KIND
    row = TYPES.get(kind)
    return f"{row.called} ({kind})" if row is not None else kind


def chosen(text: str, ticked: Iterable[str]) -> str:
    """A scope string without the choices that the user did not tick, spelled as it was asked for."""
    kept = set(ticked)
    words = [word for word in plain_scopes(text) if word in LAUNCHES or word in kept]
    scopes = []
    for scope in data_scopes(text):
        parts = [scope.only(letters) for letters in (READ, WRITE)]
        letters = "".join(
            part.interactions for part in parts if part and str(part._replace(first_version=False)) in kept
        )
        left = scope.only(letters) if letters else None
        if left is not None:
            scopes.append(str(left))
    return " ".join([*words, *scopes])
