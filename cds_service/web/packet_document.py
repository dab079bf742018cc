"""A packet as a FHIR document (R4, "FHIR Documents"): a Composition, and each record behind it once. Pure.

Every reference resolves inside the document; a reference to another record becomes an identifier at the FHIR server.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any
from uuid import UUID, uuid5

from cds_service.card.evidence_rows import MET
from cds_service.card.style import DEFAULT_STYLE
from cds_service.fhir.elements import Json, relative
from cds_service.web import packet_words as words
from cds_service.web.evidence_view import RowGroup, is_without_document, view
from cds_service.web.packet import Packet, references_of

SERVICE = "Device/cds-service"
MEDICAL_RECORDS = {"system": "http://loinc.org", "code": "11503-0", "display": words.MEDICAL_RECORDS}
_XHTML = "http://www.w3.org/1999/xhtml"


def document(packet: Packet, part: Mapping[str, Any], identity: str, version: str) -> Json:
    """The document of a packet that identifies its patient; ``identity`` is a UUID, ``version`` that of the program."""
    return _Document(packet, part, UUID(identity), version).bundle()


class _Document:
    def __init__(self, packet: Packet, part: Mapping[str, Any], identity: UUID, version: str) -> None:
        self._packet, self._part, self._identity = packet, part, identity
        device = {
            "resourceType": "Device",
            "deviceName": [{"name": "cds-service", "type": "model-name"}],
            "version": [{"value": version}],
        }
        self._records = {**packet.records, SERVICE: device}
        self._own = {*packet.own, SERVICE}

    def bundle(self) -> Json:
        """The Composition, then the unchanged records, with references that resolve in this document."""
        records = {name: self._inside(item) for name, item in self._records.items()}
        entries = [{"fullUrl": self._address("Composition"), "resource": self._composition()}]
        entries += [{"fullUrl": self._address(name), "resource": item} for name, item in records.items()]
        return {
            "resourceType": "Bundle",
            "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{self._identity}"},
            "type": "document",
            "timestamp": self._packet.page["made"],
            "entry": entries,
        }

    def _address(self, name: str) -> str:
        """The fullUrl of a record: its address at the FHIR server, or a UUID in this document."""
        if name in self._own or name not in self._packet.records:
            return f"urn:uuid:{uuid5(self._identity, name)}"
        return f"{self._packet.issuer}/{name}"

    def _composition(self) -> Json:
        packet, shown = self._packet, view(self._packet.page, self._part)
        signed = bool(packet.author and packet.signed)
        authors = [name for name in (packet.author, SERVICE) if name in self._records]
        return {
            "resourceType": "Composition",
            "status": "final" if signed else "preliminary",
            "type": {"coding": [MEDICAL_RECORDS], "text": words.TYPE},
            "subject": self._reference(packet.subject),
            "date": packet.page["made"],
            "author": [self._reference(name) for name in authors],
            "title": words.document(self._part["title"], shown["summary"]),
            **({"attester": [self._attester()]} if signed and packet.author in self._records else {}),
            "section": [*self._sections(shown)],
        }

    def _attester(self) -> Json:
        return {
            "mode": "professional",
            "time": self._packet.signed,
            "party": self._reference(self._packet.author),
        }

    def _sections(self, shown: Mapping[str, Any]) -> Iterator[Json]:
        packet = self._packet
        counted = [row for group in packet.page["groups"] for row in group["rows"]]
        without = sum(map(is_without_document, counted))
        about = [
            shown["summary"],
            words.order_of_document(shown["orders"]),
            words.payer(shown["payers"]),
            words.checked(shown["day"]),
            words.met_in_chart(sum(row["result"] == MET for row in counted)),
            words.attested_without(without),
            *([words.left_out(packet.left_out)] if packet.left_out else []),
        ]
        first = [name for name in self._records if name == packet.order or name.startswith("Coverage/")]
        yield self._section(words.SUMMARY, about, first)
        if shown["checklist"]:
            yield self._section(words.CHECKLIST, [f"{name}: {says}" for name, says in shown["checklist"]], [])
        for kept, group in zip(packet.page["groups"], shown["groups"], strict=True):
            yield self._section(group.title, [*_lines(group)], references_of(kept["rows"]))
        responses = [name for name in self._records if name.startswith("QuestionnaireResponse/")]
        if responses:
            yield self._section(words.ANSWERS, [words.forms(len(responses), packet.role)], responses)
        received = [f"{name}: {says}" for name, says in shown["received"]]
        yield self._section(words.RECEIVED, received, [])
        sources = [f"{title}: {cited}" for title, cited, _ in shown["sources"]]
        yield self._section(words.SOURCES, [shown["about"], *sources], [])

    def _section(self, title: str, lines: Sequence[str], records: Sequence[str]) -> Json:
        rows = "".join(f"<li>{escape(line)}</li>" for line in lines if line) or f"<li>{words.NOTHING}</li>"
        entries = [self._reference(name) for name in records if name in self._records]
        return {
            "title": title,
            "text": {"status": "generated", "div": f'<div xmlns="{_XHTML}"><ul>{rows}</ul></div>'},
            **({"entry": entries} if entries else {}),
        }

    def _reference(self, name: str) -> Json:
        return {"reference": self._address(name)}

    def _inside(self, value: Any) -> Any:
        """A record with references that resolve in this document."""
        if isinstance(value, list):
            return [self._inside(item) for item in value]
        if not isinstance(value, dict):
            return value
        made = {name: self._inside(item) for name, item in value.items()}
        target = value.get("reference")
        if isinstance(target, str) and not target.startswith("#"):
            name = relative(target)
            if name in self._records:
                return made | {"reference": self._address(name)}
            del made["reference"]
            named = {"system": self._packet.issuer, "value": name}
            return {"identifier": named, "display": words.elsewhere(name)} | made
        return made


def _lines(group: RowGroup) -> Iterator[str]:
    yield from group.notes
    for row in group.rows:
        said = "; ".join(f"{label}: {text}" if label else text for label, text in row.lines)
        yield words.row(row.title, row.result.word, DEFAULT_STYLE.date(said))
