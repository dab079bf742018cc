"""The free text of a resource: its conclusion, its notes, its report as text or HTML; and what cannot be read.

Plain functions from JSON to texts. Each step reads the text once, so the work is linear in its length.
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from html import unescape
from typing import Any, NamedTuple

from cds_service.errors import UnreadableError
from cds_service.fhir.bundles import ReadLimits
from cds_service.fhir.elements import concept_label, concept_texts, list_of
from cds_service.fhir.types import ResourceType

# How many times longer than its words a text may be because of HTML tags and base64.
_MARKUP_SHARE = 8
_TEXT_TYPES = ("text/plain", "text/html", "application/xhtml+xml")
# https://www.iana.org/assignments/character-sets: the usual ones for text; Python codecs of other names may do
# anything.
_CHARSETS = ("utf-8", "utf8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16", "utf-16le", "utf-16be")
_TAG = re.compile(r"<(?:/?\s*([a-z][a-z0-9]*+)[^<>]*+|[^<>]*+)>", re.IGNORECASE)
_BLOCKS = frozenset(
    (
        *("address", "br", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"),
        *("section", "table", "td", "th", "tr", "ul"),
    )
)
_NOT_SHOWN = re.compile(r"<(/?)\s*(head|script|style|title)(?![a-z0-9])[^<>]*>", re.IGNORECASE)
# A line that was wrapped only for its length continues in the next one.
_WRAPPED = re.compile(r"(?<![.:;!?\s])[ \t]*\r?\n[ \t]*(?=[a-z(])")
# Headings of sections on what was asked, done or compared, and of sections with findings.
ASKED = (
    *("indication", "indications", "clinical indication", "clinical indications", "reason for exam", "history"),
    *("reason for study", "reason for examination", "clinical history", "clinical information", "clinical data"),
    *("comparison", "comparisons", "technique", "procedure", "exam", "examination", "study", "order", "contrast"),
    *("family history", "past medical history", "differential diagnosis", "recommendation", "recommendations", "plan"),
)
FOUND = (
    *("findings", "finding", "impression", "impressions", "conclusion", "conclusions", "assessment", "results"),
    *("result", "interpretation", "diagnosis", "report", "summary", "opinion", "physical exam", "physical examination"),
)
_ANY = "|".join(re.escape(name).replace(r"\ ", r"[ \t]") for name in sorted((*ASKED, *FOUND), key=len, reverse=True))
_ANY_LARGE = "|".join(name.upper() for name in sorted((*ASKED, *FOUND), key=len, reverse=True))
# A heading at the beginning of a line, or in capitals within one.
_HEADING = re.compile(rf"(?:^|\n)[ \t]*(?P<line>(?i:{_ANY}))[ \t]*(?::|(?=\r?\n|$))|(?<=[\s.])(?P<large>{_ANY_LARGE}):")
# A section on what was asked ends at the next heading, or at a blank line.
_END_OF_ASKED = re.compile(r"\S[^\n]*\n[ \t\r]*\n")
_SENTENCE_END = re.compile(r"(?<=[.;!])\s+|[\r\n]+")
_BULLET = re.compile(r"^[\s\-*\u2022]*(?:\d{1,2}[.)])?\s*")


class Narrative(NamedTuple):
    """The ``texts`` of a resource; ``failed`` says why a text cannot be read, ``unread`` why the service does not read
    one.

    An ``unread`` text is of an unsupported type (a PDF), or was not sent with the resource.
    """

    texts: tuple[str, ...]
    failed: str = ""
    unread: str = ""


NOTHING_SAID = Narrative(())


def telling_elements(row: ResourceType) -> tuple[str, ...]:
    """The elements of a resource that may have text: the row's ``words``, and components."""
    return (*row.words, "component") if "component" in row.coded_within else row.words


def narrative_of_parts(resource: Mapping[str, Any], row: ResourceType, limits: ReadLimits) -> Narrative:
    """The text of a resource and its components in the elements that the row lists as ``words``, each text after the
    name of its part if the text refers to that name."""
    parts = [] if resource.keys().isdisjoint(row.words) else [resource]
    if "component" in resource and "component" in row.coded_within:
        objects = (part for part in list_of(resource["component"]) if isinstance(part, dict))
        # Most components are numbers, without text.
        parts += [part for part in objects if not part.keys().isdisjoint(row.words)]
    if not parts:
        return NOTHING_SAID
    said, characters = [], 0
    for part in parts:
        said.append(_narrative_of(part, row, limits, characters))
        characters += sum(map(len, said[-1].texts))
    failed, unread = (next(filter(None, reasons), "") for reasons in zip(*(item[1:] for item in said), strict=True))
    return Narrative(tuple(text for item in said for text in item.texts), failed, unread)


def _narrative_of(resource: Mapping[str, Any], row: ResourceType, limits: ReadLimits, before: int) -> Narrative:
    """The text of one part; ``before`` is the number of characters in the parts before it."""
    longest, most = limits.text_characters, limits.all_text_characters
    texts: dict[str, None] = {}
    failed: list[str] = []
    unread: list[str] = []
    for name in row.words:
        for item in list_of(resource.get(name)):
            try:
                for text in _texts_in(item, longest):
                    if len(text) > longest:
                        raise UnreadableError(f"is longer than CDS_SERVICE_MAX_TEXT_CHARACTERS ({longest})")
                    texts[text] = None
            except UnreadableError as error:
                failed.append(str(error))
            except _UnreadError as error:
                unread.append(str(error))
    name = concept_label(resource.get(row.concept)) if texts and row.named_in_words else ""
    # A long name comes before each text, so the result may be many times as long as the input.
    if name and before + sum(map(len, texts)) + len(name) * len(texts) > most:
        return Narrative((), limits.worded_beyond)
    named = tuple(f"{name}: {text}" for text in texts) if name else tuple(texts)
    return Narrative(named, next(iter(failed), ""), next(iter(unread), ""))


def findings_in(text: str) -> str:
    """A text without the sections under headings such as question, technique or comparison, which report no
    findings."""
    kept: list[str] = []
    start, is_asked = 0, False
    for heading in _HEADING.finditer(text):
        kept += [_behind_asked(text[start : heading.start()]) if is_asked else text[start : heading.start()], "\n"]
        start = heading.end()
        is_asked = " ".join((heading["line"] or heading["large"]).lower().split()) in ASKED
    return "".join([*kept, _behind_asked(text[start:]) if is_asked else text[start:]])


def _behind_asked(part: str) -> str:
    """The text after the paragraph under a heading of what was asked."""
    end = _END_OF_ASKED.search(part)
    return part[end.end() :] if end else ""


def sentences(text: str) -> list[str]:
    """The sentences of a text, each on one line; a line that was wrapped for its length continues in the next."""
    parts = _SENTENCE_END.split(_WRAPPED.sub(" ", text))
    return [said for part in parts if (said := " ".join(_BULLET.sub("", part).split()))]


class _UnreadError(Exception):
    """A valid text that the service does not read."""


def _texts_in(item: Any, longest: int) -> Iterable[str]:
    """The texts of one element: a string, an Annotation, a CodeableConcept, an Attachment or an element with an
    Attachment."""
    if isinstance(item, str):
        return (item,)
    if not isinstance(item, dict):
        raise UnreadableError("is of a form that FHIR does not know")
    if "attachment" in item:
        return _texts_in(item["attachment"], longest)
    if "data" in item or "url" in item or "contentType" in item:
        return (_attached(item, longest),)
    if said := concept_texts(item):
        return said
    # Without words, the code of a concept is its text.
    codes = (coding.get("code") for coding in list_of(item.get("coding")) if isinstance(coding, dict))
    return [code for code in codes if isinstance(code, str)]


def _attached(attachment: Mapping[str, Any], longest: int) -> str:
    """The text of an Attachment. Raises UnreadableError, and _UnreadError if it is not text or was not sent."""
    kind, _, parameters = str(attachment.get("contentType") or "text/plain").lower().partition(";")
    kind = kind.strip()
    if kind not in _TEXT_TYPES:
        raise _UnreadError(f"{kind[:40]} is not read")
    data = attachment.get("data")
    if data is None:
        raise _UnreadError("its text was not sent")
    if not isinstance(data, str):
        raise UnreadableError("has data that is not text")
    if len(data) > longest * _MARKUP_SHARE:
        raise UnreadableError(f"is longer than CDS_SERVICE_MAX_TEXT_CHARACTERS ({longest})")
    try:
        raw = b64decode("".join(data.split()), validate=True)
    except ValueError as error:
        raise UnreadableError("is not base64") from error
    text = _decoded(raw, _charset(parameters.split(";")))
    return text if kind == "text/plain" else _without_tags(text)


def _charset(parameters: Iterable[str]) -> str:
    named = (item.partition("=")[2] for item in parameters if item.strip().startswith("charset="))
    return next(named, "").strip().strip("\"'")


def _decoded(raw: bytes, charset: str) -> str:
    if charset and charset not in _CHARSETS:
        raise UnreadableError("is in a character set that is not known")
    try:
        return raw.decode(charset or "utf-8")
    except UnicodeDecodeError as error:
        if charset:
            raise UnreadableError("is not in the character set that it names") from error
        # Without a name and not UTF-8: English words are the same in all remaining character sets.
        return raw.decode("windows-1252", "replace")


def _without_tags(html: str) -> str:
    """The words of HTML, with a line for each block."""
    return unescape("".join(_TAG.sub(_line_of_block, part) for part in _shown(html)))


def _line_of_block(tag: re.Match[str]) -> str:
    return "\n" if tag[1] and tag[1].lower() in _BLOCKS else ""


def _shown(html: str) -> Iterator[str]:
    """HTML without its head, its scripts and its styles."""
    start, hidden = 0, ""
    for tag in _NOT_SHOWN.finditer(html):
        name = tag[2].lower()
        if hidden:
            if tag[1] and name == hidden:
                start, hidden = tag.end(), ""
        elif not tag[1]:
            yield html[start : tag.start()]
            hidden = name
    if not hidden:
        yield html[start:]
