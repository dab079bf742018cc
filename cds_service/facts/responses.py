"""QuestionnaireResponses to our own questionnaires (FHIR R4): the answers, their authors, and what does not count."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from cds_service.chart.chart import Chart
from cds_service.chart.evidence_rules import refuse_modified, status_word
from cds_service.chart.records import Record
from cds_service.errors import UnreadableError
from cds_service.facts.attesters import DEFAULT_ACCEPTS, Accepts, Attester, author_of
from cds_service.fhir.elements import Json, days_of, first_of, list_of, relative, text_of
from cds_service.fhir.types import TYPES

_ROW = TYPES["QuestionnaireResponse"]
DEEPEST_ITEM = 20
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
# The linkIds under which a form asks for the signer's role.
_ROLE_ITEMS = ("attester.role", "attester")
_LONGEST_EDITION = 20


class Response(NamedTuple):
    """One completed response: its record, when it was authored as written, and its author."""

    record: Record
    authored: str
    author: Attester

    @property
    def instant(self) -> datetime | None:
        """The time at which it was authored, to the second; None if only the day or no zone is stated."""
        if len(self.authored) <= 10:
            return None
        try:
            moment = datetime.fromisoformat(self.authored)
        except ValueError:
            return None
        return moment if moment.tzinfo is not None else None


class Given(NamedTuple):
    """An item of a response: answered, or ``withdrawn`` if it has a reason for an absent answer."""

    response: Response
    item: Json
    withdrawn: bool = False

    @property
    def answers(self) -> list[Any]:
        """The answers of the item."""
        return list_of(self.item.get("answer"))


class Refused(NamedTuple):
    """Why a response, or a part of it, does not count, and the linkIds that it would have answered; none: not known.

    ``unread``: it would count if it were readable, so the items that it answers stay open.
    """

    why: str
    links: frozenset[str] = frozenset()
    unread: bool = False

    def concerns(self, links: frozenset[str]) -> bool:
        """Whether it answers, or may answer, one of these linkIds."""
        return not self.links or not self.links.isdisjoint(links)


class Answers(NamedTuple):
    """The answers by linkId, and the responses that do not count (``refused``).

    ``groups`` are the items that have items of their own and no answer. ``part`` is the current part of the scope: the
    linkIds of its items end with it ("score.right"). ``ours`` are the references of all responses to our
    questionnaires, whether they count or not.
    """

    chart: Chart
    items: Mapping[str, list[Given]]
    groups: Mapping[str, list[Given]]
    refused: tuple[Refused, ...]
    ours: frozenset[str] = frozenset()
    accepts: Accepts = DEFAULT_ACCEPTS
    part: str = ""

    def link(self, item: str) -> str:
        """The linkId of an item for the part."""
        return f"{item}.{self.part}" if self.part else item

    def within(self, item: str) -> Iterator[tuple[Response, "Answers"]]:
        """Each group of that item: its response, and the answers inside it.

        Inside a group, the linkId of an item begins with the linkId of the group ("event.right.date").
        """
        begin = f"{self.link(item)}."
        for response, group, _ in self.groups.get(self.link(item), ()):
            items: dict[str, list[Given]] = {}
            for inner in opened_items(group.get("item"), []):
                link = inner.get("linkId")
                if isinstance(link, str) and link.startswith(begin) and ("answer" in inner or _says_absent(inner)):
                    given = Given(response, inner, _says_absent(inner))
                    items.setdefault(link.removeprefix(begin), []).append(given)
            yield response, self._replace(items=items, groups={}, refused=(), part="")

    def why_refused(self, items: Iterable[str]) -> list[str]:
        """Why responses that answer one of the items do not count."""
        links = frozenset(map(self.link, items))
        return [one.why for one in self.refused if one.concerns(links)]

    def may_hold(self, items: Iterable[str]) -> bool:
        """Whether an unreadable response may answer one of the items."""
        links = frozenset(map(self.link, items))
        return any(one.unread and one.concerns(links) for one in self.refused)

    def beside(self, given: Given, link: str) -> Iterator[Mapping[str, Any]]:
        """The answers to another item of the same response, such as the date of the observation."""
        for other in self.items.get(link, ()):
            if other.response is given.response:
                yield from (answer for answer in other.answers if isinstance(answer, dict))

    def copied_by(self, observation: Json) -> str:
        """The response to one of our questionnaires from which an Observation says it was derived; "" if there is
        none."""
        if not self.ours or "derivedFrom" not in observation:
            return ""
        named = (reference_of(item, observation, self.chart) for item in list_of(observation.get("derivedFrom")))
        return next((name for name in named if name in self.ours), "")


def reference_of(reference: Any, container: Json, chart: Chart) -> str:
    """``Type/id`` of the resource that a Reference names, as evidence shows it; "" if the resource has no id."""
    if not isinstance(reference, dict) or not isinstance(target := reference.get("reference"), str):
        return ""
    resolved = chart.references.resolve(reference, container)
    if resolved is not None and isinstance(identity := resolved.get("id"), str):
        return f"{resolved.get('resourceType')}/{identity}"
    named = relative(target)
    return named if "/" in named else ""


def read_answers(chart: Chart, questionnaires: frozenset[str], accepts: Accepts = DEFAULT_ACCEPTS) -> Answers:
    """The items answered in QuestionnaireResponses to one of the questionnaires, by linkId, with groups opened.

    ``questionnaires`` are their canonical addresses, each with its edition ("address|edition").
    """
    items: dict[str, list[Given]] = {}
    groups: dict[str, list[Given]] = {}
    refused: list[Refused] = []
    ours: set[str] = set()
    addresses = {canonical.partition("|")[0] for canonical in questionnaires}
    for record in chart.records(_ROW.name):
        canonical = record.resource.get("questionnaire")
        if not isinstance(canonical, str) or canonical.partition("|")[0] not in addresses:
            continue
        ours.add(record.reference)
        if why_not := _why_it_does_not_count(record, canonical, questionnaires):
            refused.append(Refused(f"{record.reference}: {why_not}", links_of(record.resource.get("item"))))
            continue
        try:
            response, level = read_response(record, chart)
        except UnreadableError as error:
            refused.append(Refused(f"{record.reference}: {error}", links_of(record.resource.get("item")), unread=True))
            continue
        broken: list[Any] = []
        for item in opened_items(level, broken):
            link = item.get("linkId")
            if not isinstance(link, str):
                continue
            if "answer" in item or _says_absent(item):
                items.setdefault(link, []).append(Given(response, item, _says_absent(item)))
            elif "item" in item:
                groups.setdefault(link, []).append(Given(response, item))
        if broken:
            refused.append(Refused(f"{record.reference}: an item cannot be read", unread=True))
    return Answers(chart, items, groups, tuple(refused), frozenset(ours), accepts)


def _why_it_does_not_count(record: Record, canonical: str, questionnaires: frozenset[str]) -> str:
    """Why a response does not count, by its edition and its status; "" if it counts when it is readable."""
    edition = canonical.partition("|")[2]
    if not edition:
        return "answers to a questionnaire without its edition"
    if canonical not in questionnaires:
        return f"answers to edition {edition[:_LONGEST_EDITION]}, which does not exist"
    status = record.resource.get("status")
    return "" if status in _ROW.statuses else f"answers are {status_word(status)}, not completed"


def read_response(record: Record, chart: Chart) -> tuple[Response, Any]:
    """A response that counts, and its items. Raises UnreadableError with the reason if it is unreadable."""
    refuse_modified(record.resource)
    try:
        authored = text_of(first_of(record.resource, *_ROW.dates))
        days_of(authored)
    except UnreadableError:
        raise UnreadableError("no readable date of answering") from None
    level = record.resource.get("item")
    return Response(record, authored, author_of(record.resource, _stated_roles(level), chart)), level


def links_of(level: Any) -> frozenset[str]:
    """The linkIds of all items at a level and below it."""
    return frozenset(link for item in opened_items(level, []) if isinstance(link := item.get("linkId"), str))


def _stated_roles(level: Any) -> list[Any]:
    """The roles of the signer that items of a form state, as CodeableConcepts."""
    found = []
    for item in opened_items(level, []):
        if item.get("linkId") in _ROLE_ITEMS:
            for answer in list_of(item.get("answer")):
                if isinstance(answer, dict) and isinstance(coding := answer.get("valueCoding"), dict):
                    found.append({"coding": [coding], "text": coding.get("display")})
                elif isinstance(answer, dict) and isinstance(text := answer.get("valueString"), str):
                    found.append({"text": text})
    return found


def _says_absent(item: Json) -> bool:
    """Whether an item has no answer and states that the data are absent (extension data-absent-reason)."""
    answers = list_of(item.get("answer"))
    if any(name.startswith("value") for answer in answers if isinstance(answer, dict) for name in answer):
        return False
    return any(map(_is_absent, [item, *answers]))


def _is_absent(element: Any) -> bool:
    if not isinstance(element, dict):
        return False
    values = [value for name, value in element.items() if name.startswith("_value") and isinstance(value, dict)]
    listed = [extension for part in (element, *values) for extension in list_of(part.get("extension"))]
    return any(isinstance(extension, dict) and extension.get("url") == ABSENT for extension in listed)


def opened_items(level: Any, broken: list[Any]) -> Iterator[Json]:
    """All items at a level and below it, including items inside answers; appends to ``broken`` what is not an item."""
    pending: list[tuple[Any, int]] = [(level, 0)]
    while pending:
        level, depth = pending.pop()
        for item in level if isinstance(level, list) and depth < DEEPEST_ITEM else ():
            if isinstance(item, dict):
                yield item
                if "item" in item:
                    pending.append((item["item"], depth + 1))
                for answer in list_of(item.get("answer")):
                    if isinstance(answer, dict) and "item" in answer:
                        pending.append((answer["item"], depth + 1))
            else:
                broken.append(item)
