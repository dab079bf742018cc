"""The address of a read or a search, from a prefetch template and a call (CDS Hooks 2.0, "Prefetch tokens")."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

_TOKEN = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
# RFC 3986, section 2.3: unreserved characters, which are safe anywhere in an address. Any other character may end a
# segment, start a parameter or, decoded, split one value into two (FHIR R4 search: comma, bar, dollar, backslash).
_ID = re.compile(r"[A-Za-z0-9._~-]+")
_REFERENCE = re.compile(r"[A-Za-z]+/[A-Za-z0-9._~-]+")
# Ids of 64 and more characters exist; much longer texts are not ids.
LONGEST_VALUE = 512
_USERS = {
    "userPractitionerId": "Practitioner",
    "userPractitionerRoleId": "PractitionerRole",
    "userPatientId": "Patient",
    "userRelatedPersonId": "RelatedPerson",
}
# The characters of a template's own text that stay unescaped in an address.
_SAFE_IN_PATH, _SAFE_IN_QUERY = "/-._~$", "/?=&,:;@!$*+-._~%"


class UnresolvedError(Exception):
    """A token without a value, or with one that is unsafe in an address; the message is a clause that names it."""


class Query(NamedTuple):
    """A resolved template: ``path`` of a type or of one resource, and ``search``, which is None for a read.

    Both are ready to follow the base of a FHIR server in an address.
    """

    path: str
    search: str | None

    @property
    def resource_type(self) -> str:
        """The requested resource type."""
        return self.path.partition("/")[0]

    @property
    def relative(self) -> str:
        """The address below the base."""
        return self.path if self.search is None else f"{self.path}?{self.search}"


def resolve(template: str, context: Mapping[str, str]) -> Query:
    """The query of a template for a call; ``context`` maps the text members at the root of the call's context.

    For any values, the address has exactly the segments and the parameters of the template. Raises UnresolvedError.
    """
    path, mark, search = template.partition("?")
    return Query(
        _filled(path, context, _SAFE_IN_PATH, _ID),
        _filled(search, context, _SAFE_IN_QUERY, _ID, _REFERENCE) if mark else None,
    )


def _filled(text: str, context: Mapping[str, str], safe: str, *shapes: re.Pattern[str]) -> str:
    pieces = _TOKEN.split(text)
    for place, piece in enumerate(pieces):
        pieces[place] = _checked(piece, _value(piece, context), shapes) if place % 2 else quote(piece, safe=safe)
    return "".join(pieces)


def _value(token: str, context: Mapping[str, str]) -> str:
    if token in _USERS:
        kind, _, identity = context.get("userId", "").rpartition("/")
        if kind.rpartition("/")[2] != _USERS[token]:
            raise UnresolvedError(f"the user of the call is not a {_USERS[token]}")
        return identity
    space, _, name = token.partition(".")
    if space != "context" or not context.get(name):
        raise UnresolvedError(f"the call has no {token}")
    return context[name]


def _checked(token: str, value: str, shapes: tuple[re.Pattern[str], ...]) -> str:
    dots = value.rpartition("/")[2] in ("", ".", "..")
    if len(value) > LONGEST_VALUE or dots or not any(shape.fullmatch(value) for shape in shapes):
        raise UnresolvedError(f"{token} of the call cannot be part of an address")
    return value
