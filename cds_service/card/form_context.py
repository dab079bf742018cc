"""The context that a card passes to the form or page that it links to (``appContext``; CDS Hooks 2.0, "Link"). Pure.

It identifies the statement and the order only by codes, so it has no patient data. It stays short, because some EHRs
cut text after 256 characters.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from cds_service.chart.orders import ProcedureOrder
from cds_service.errors import UnreadableError
from cds_service.fhir.elements import codings, list_of
from cds_service.policy.model import Act, Policy

LONGEST = 256
MOST_CODES = 6
_LONGEST_CODE = 40
# The end of the year 9999.
_LAST_SECOND = 253_402_300_800
_CARD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


NOT_SAID: Mapping[str, int | str] = MappingProxyType({})


class FormContext(NamedTuple):
    """The rule set of a form, and the order: its reference, the codes of its drafts and those of their sites.

    ``draft`` is the id of a QuestionnaireResponse that was started, "" if there is none. ``made`` is when the card was
    made (seconds since 1970, 0: unknown), ``results`` the digest of its results (``ids.results_digest``), and ``card``
    its id.
    """

    policy: str = ""
    edition: str = ""
    order: str = ""
    codes: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    draft: str = ""
    made: int = 0
    results: str = ""
    card: str = ""

    @property
    def has_order(self) -> bool:
        """Whether the context has an order; a card for an opened chart has none."""
        return bool(self.order or self.codes)


def app_context(
    policy: Policy, order: ProcedureOrder | None, draft: str = "", of_card: Mapping[str, int | str] = NOT_SAID
) -> str:
    """The ``appContext`` of a card's link, without members that do not fit; ``draft`` is the reference of a draft.

    ``of_card`` are those of ``made``, ``results`` and ``card`` of FormContext to pass on.
    """
    drafts = order.drafts if order else ()
    known = {code for act in policy.orders.acts for _, code in keys_of(act)}
    codes = [code for draft in drafts for code in _codes(draft.resource.get("code")) if code in known]
    sites = [code for draft in drafts for site in list_of(draft.resource.get("bodySite")) for code in _codes(site)]
    told: dict[str, Any] = {"policy": policy.id, "edition": policy.edition}
    optional = {
        "draft": draft.rpartition("/")[2],
        "codes": _unique(codes),
        "sites": _unique(sites),
        "order": drafts[0].reference if drafts else "",
        **of_card,
    }
    for name, value in optional.items():
        longer = told | {name: value}
        if value and len(_written(longer)) <= LONGEST:
            told = longer
    return _written(told)


def read_context(text: str) -> FormContext:
    """The context of a launch; missing and unreadable members stay empty, because some EHRs pass no context."""
    try:
        told = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return FormContext()
    if not isinstance(told, dict):
        return FormContext()
    policy, edition, order, draft, results, card = (
        value if isinstance(value := told.get(name), str) else ""
        for name in ("policy", "edition", "order", "draft", "results", "card")
    )
    codes, sites = (tuple(_texts(told.get(name))) for name in ("codes", "sites"))
    made = told.get("made")
    known = made if isinstance(made, int) and 0 < made < _LAST_SECOND else 0
    named = card if _CARD.fullmatch(card) else ""
    return FormContext(
        policy=policy,
        edition=edition,
        order=order,
        codes=codes,
        sites=sites,
        draft=draft,
        made=known,
        results=results[:_LONGEST_CODE],
        card=named,
    )


def keys_of(act: Act) -> Iterator[tuple[str, str]]:
    """(system, code) of each code of an act, its own code first."""
    yield act.code.system, act.code.code
    for row in act.codes.listed:
        yield row.system, row.code


def _written(value: Any) -> str:
    return orjson.dumps(value).decode()


def _codes(concept: Any) -> Iterator[str]:
    try:
        found = codings(concept)
    except UnreadableError:
        return
    for coding in found:
        if isinstance(code := coding.get("code"), str):
            yield code


def _unique(codes: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(codes))[:MOST_CODES]


def _texts(value: Any) -> Iterator[str]:
    for item in value[:MOST_CODES] if isinstance(value, list) else ():
        if isinstance(item, str) and len(item) <= _LONGEST_CODE:
            yield item
