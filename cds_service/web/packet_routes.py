"""The packet over HTTP: the draft letter as a page to edit and print, and all files as one download."""

import io
import zipfile
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import orjson
from flask import Flask, Response, render_template, request

from cds_service import __version__
from cds_service.library import Library
from cds_service.web.evidence_links import RuleSetParts
from cds_service.web.evidence_view import us_dates, view
from cds_service.web.evidence_words import PACKET_GONE
from cds_service.web.gate import Gate
from cds_service.web.letter import letter
from cds_service.web.packet import Packet
from cds_service.web.packet_document import document
from cds_service.web.packet_words import DRAFT
from cds_service.web.packets import LONGEST, Packets

PATH = "/packet"
SUMMARY, DOWNLOAD = "summary", "download"
SUMMARY_FILE, LETTER_FILE, DOCUMENT_FILE = "1-summary.html", "2-letter-draft.html", "3-fhir-document.json"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_STATIC = Path(__file__).parent / "static"


def register(app: Flask, library: Library, parts: RuleSetParts, packets: Packets, gate: Gate) -> None:
    """Add the route that opens the encrypted packet of one of our pages; no route if packets are off."""
    if not packets.are_made:
        return

    @app.post(PATH)
    def packet() -> Response:
        request.max_content_length = request.max_form_memory_size = LONGEST
        gate.count_opening()
        found = packets.opened(request.form.get("content", ""))
        policy = library.policy(found.page["policy"]) if found is not None else None
        if found is None or policy is None:
            return _page(render_template("evidence.html", root="", message=PACKET_GONE), PACKET_GONE.status)
        maker = _Maker(found, parts.of(policy), letter(found.page, parts.of(policy), policy.phrases))
        if request.form.get("part") == DOWNLOAD:
            answer = Response(maker.archive(), mimetype="application/zip")
            answer.headers["Content-Disposition"] = 'attachment; filename="prior-authorization-packet.zip"'
            return answer
        if request.form.get("part") == SUMMARY:
            return _page(maker.summary(alone=False), 200)
        return _page(maker.letter(alone=False), 200)


class _Maker:
    """Makes the pages and files of one packet."""

    def __init__(self, packet: Packet, part: dict[str, object], draft: object) -> None:
        self._packet, self._part, self._draft = packet, part, draft

    def letter(self, *, alone: bool) -> str:
        """The letter as a page; with ``alone`` it contains its style."""
        return render_template(
            "packet_letter.html",
            root="",
            style=_style("design.css", "letter.css") if alone else "",
            letter=self._draft,
            mark=DRAFT,
            patient=self._packet.patient,
            us_dates=us_dates,
        )

    def summary(self, *, alone: bool) -> str:
        """The evidence page; with ``alone`` it contains its style."""
        named = {"patient": self._packet.patient} if self._packet.patient else {}
        return render_template(
            "evidence_patient.html",
            root="",
            style=_style("design.css", "evidence.css") if alone else "",
            page=view(self._packet.page, self._part),
            us_dates=us_dates,
            **named,
        )

    def archive(self) -> bytes:
        """A ZIP archive of all files, with a FHIR document if the patient is named."""
        made = datetime.fromisoformat(self._packet.page["made"]).timetuple()[:6]
        files = [(SUMMARY_FILE, self.summary(alone=True)), (LETTER_FILE, self.letter(alone=True))]
        if self._packet.patient:
            found = document(self._packet, self._part, str(uuid4()), __version__)
            files.append((DOCUMENT_FILE, orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()))
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files:
                archive.writestr(zipfile.ZipInfo(name, made), text, zipfile.ZIP_DEFLATED)
        return written.getvalue()


def _style(*names: str) -> str:
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)


def _page(html: str, status: int) -> Response:
    answer = Response(html, status, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer
