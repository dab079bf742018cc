"""Expansions of the value sets (FHIR R4, ValueSet/$expand): the listed codes, and the codes of the families.

The codes of a family are those under it in a release of the code system (``policy.released_codes``), because the
service stores no code system.
"""

from typing import NamedTuple

from cds_service.fhir.elements import Json
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import Policy
from cds_service.questionnaire.terminology import concept_of

# The maximum number of codes in a response.
MOST_OF_A_PAGE = 1000


class TooCostlyError(Exception):
    """An expansion that is not made; the sentence says why, and what the caller can do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Page(NamedTuple):
    """The requested part of an expansion: codes or displays that contain ``filter``, and ``size`` of them from
    ``offset`` on (None: all)."""

    filter: str = ""
    offset: int = 0
    size: int | None = None


class Contents(NamedTuple):
    """The codes of one value set, each once, in row order.

    ``releases`` are the "system|release" that list its families; no known release lists the families of ``unlisted``.
    """

    codes: tuple[Json, ...]
    releases: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()


def contents(policy: Policy, codes: CodeSet) -> Contents:
    """The codes that a code set of a rule set stands for."""
    found: dict[tuple[str, str], Json] = {}
    releases: dict[str, None] = {}
    unlisted = []
    # A code that has its own row takes that row's words, even if a family's row comes first.
    for row in sorted(codes.listed, key=lambda row: row.is_family):
        if not row.is_family:
            # An ingredient without a known code has only a name.
            if row.code:
                found.setdefault((row.system, row.code), {"system": row.system, **concept_of(row)})
            continue
        released = policy.released_codes.get(row.system)
        under = released.under(row) if released else ()
        if not under or released is None:
            unlisted.append(row.spelling)
            continue
        releases.setdefault(f"{row.system}|{released.release}")
        for code in under:
            found.setdefault((row.system, code), {"system": row.system, "code": code})
    return Contents(tuple(found.values()), tuple(releases), tuple(unlisted))


def expanded(value_set: Json, of: Contents, page: Page, identifier: str, timestamp: str) -> Json:
    """A ValueSet with its expansion; ``identifier`` is a URI, ``timestamp`` an instant.

    Raises TooCostlyError if the codes exceed one response and no page is requested, or if no release lists one of its
    families.
    """
    if of.unlisted:
        raise TooCostlyError(
            f"The ValueSet '{value_set['id']}' stands for families of codes ({', '.join(of.unlisted[:3])}), of which "
            "this service has no list; expand it on a terminology server.",
        )
    wanted = page.filter.casefold()
    found = [item for item in of.codes if wanted in f"{item['code']} {item.get('display', '')}".casefold()]
    if page.size is None and len(found) - page.offset > MOST_OF_A_PAGE:
        raise TooCostlyError(
            f"The ValueSet '{value_set['id']}' has {len(found)} codes and an answer holds {MOST_OF_A_PAGE}; ask for "
            "pages with count and offset, or for less with filter.",
        )
    size = MOST_OF_A_PAGE if page.size is None else min(page.size, MOST_OF_A_PAGE)
    parameters = [
        *({"name": "version", "valueString": release} for release in of.releases),
        *([{"name": "filter", "valueString": page.filter}] if page.filter else []),
    ]
    expansion = {
        "identifier": identifier,
        "timestamp": timestamp,
        "total": len(found),
        "offset": page.offset,
        "parameter": parameters,
        "contains": found[page.offset : page.offset + size],
    }
    # FHIR does not allow empty lists.
    return value_set | {"expansion": {name: value for name, value in expansion.items() if value != []}}
