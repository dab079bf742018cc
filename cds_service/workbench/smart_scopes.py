"""The scopes of the demo EHR (SMART App Launch 2.2, "Scopes for requesting FHIR Resources", and 1.0 spellings).

Pure. The EHR omits unknown scopes and scopes that it does not grant (``system/``, ``offline_access``, a scope with a
constraint), as OAuth allows (RFC 6749, section 3.3).
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cds_service.fhir.types import TYPES
from cds_service.workbench import words as texts

# These scopes cover the user's identity and the launch context.
PLAIN = ("openid", "fhirUser", "launch", "launch/patient")
LAUNCHES = frozenset({"launch", "launch/patient"})
READ, WRITE = "rs", "cud"
_ALL = "cruds"
_FIRST_VERSION = {"read": READ, "write": WRITE, "*": _ALL}
_SCOPE = re.compile(r"(patient|user)/(\*|[A-Z][A-Za-z]{1,60})\.(?:(read|write|\*)|(c?r?u?d?s?))", re.ASCII)
_MOST = 100


class DataScope(NamedTuple):
    """One scope for resources: ``level`` is patient or user, ``kind`` a resource type or ``*``.

    ``interactions`` are letters of ``cruds``: create, read, update, delete, search. ``first_version`` is true for the
    spelling of SMART App Launch 1.0.
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
        """The scope limited to some interactions; None if none of its interactions is among them."""
        left = "".join(letter for letter in self.interactions if letter in letters)
        return self._replace(interactions=left) if left else None


def data_scopes(text: str) -> list[DataScope]:
    """The distinct scopes for resources in a scope string, in order."""
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
    """The distinct other scopes in a scope string that the EHR grants, in order."""
    return [word for word in dict.fromkeys(text.split()[:_MOST]) if word in PLAIN]


def granted(text: str) -> str:
    """The part of a scope string that the EHR can grant."""
    return " ".join([*plain_scopes(text), *map(str, data_scopes(text))])


def read_only(text: str) -> str:
    """The grantable part of a scope string without write interactions."""
    left = (scope.only(READ) for scope in data_scopes(text))
    return " ".join([*plain_scopes(text), *(str(scope) for scope in left if scope)])


def allows(text: str, kind: str, interaction: str) -> bool:
    """True if a granted scope string covers an interaction (a letter of ``cruds``) with a type of resource."""
    return any(scope.kind in ("*", kind) and interaction in scope.interactions for scope in data_scopes(text))


class Choice(NamedTuple):
    """One line of the consent page: ``value`` is the value of its checkbox, ``text`` its label."""

    value: str
    text: str


def choices(text: str) -> list[Choice]:
    """The parts of a scope string that a user can refuse individually: read and write access to each type.

    A user cannot refuse a launch scope alone: without a patient, the app has nothing to open.
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
    """A scope string without the choices that the user left unchecked, in its original spelling."""
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
