"""A hook call over HTTP: read it, complete it from the EHR's FHIR server, answer it, and report it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import orjson
from flask import Flask, Response, g, request

from cds_service import json_bodies
from cds_service.card.style import Style
from cds_service.clock import Deadline
from cds_service.ehr.complete import complete_call
from cds_service.ehr.fetch import server_timing
from cds_service.hooks import hook_request
from cds_service.hooks.client_names import OPEN
from cds_service.hooks.hook_request import HookRequest
from cds_service.installation import Installation
from cds_service.operations import logs
from cds_service.operations.computing import Turn
from cds_service.service import call_chart, hook_call
from cds_service.service.concerned import concerned_policies, wanted_templates
from cds_service.service.guide import Guide
from cds_service.store.sealed_pages import ToClose
from cds_service.trust.entries import OFF
from cds_service.web import accepted, outcomes, probe, reading
from cds_service.web.client_profiles import spoken
from cds_service.web.evidence_links import EvidenceLinks, with_links
from cds_service.web.form_links import NoFormLinks
from cds_service.web.gate import Gate
from cds_service.web.record import CallRecord, tell

# Seconds reserved for evaluating and writing after the last record arrives; all waiting ends before them.
RESERVE = 0.2
# Seconds for the store to take an evidence page; after that, the card goes out without the link.
FOR_A_LINK = 1.0


class CardLinks(NamedTuple):
    """The makers of the links on cards: to evidence pages, and to the documentation form."""

    evidence: EvidenceLinks
    forms: NoFormLinks


# The arguments are everything that a call needs.
def register(
    app: Flask,
    guide: Guide,
    clock: Callable[[], date],
    installation: Installation,
    gate: Gate,
    links: CardLinks,
) -> None:
    """Add the services to the application.

    ``clock`` gives the UTC day on which calls are evaluated, ``gate`` admits callers, ``links`` makes the links on
    cards.
    """

    @app.post("/cds-services/<service_id>", strict_slashes=False)
    def call(service_id: str) -> Response:
        hook_request.hook_of(service_id)
        asked = probe.of(request.environ)
        record = CallRecord(service_id, asked.today if asked else clock())
        if asked is not None:
            answered = _answered(record, guide, installation, None, links)
            asked.answers = list(record.answers)
            return answered
        g.record = record
        logs.begin_call(record.request_id)
        logs.describe_call(service=service_id)
        with installation.traces.span("call", request.headers.get("traceparent"), service=service_id) as note:
            answered = _answered(record, guide, installation, gate, links)
            client = record.caller.client if record.caller else OPEN
            note(client=client, status=200, cards=len(record.answers), outcome=outcomes.of_call(record.answers))
        return answered

    # An unknown service gets 404 for every method, never 405.
    @app.before_request
    def known_service() -> None:
        root, _, behind = request.path.partition("/cds-services/")
        if not root and (service_id := behind.strip("/").partition("/")[0]):
            hook_request.hook_of(service_id)

    @app.after_request
    def told(answer: Response) -> Response:
        record: CallRecord | None = g.get("record")
        if record is not None:
            tell(record, answer.status_code, answer.get_data(), installation, guide.library)
            # The duration of a failed check would reveal which check it was, so only trusted callers get the times.
            if record.caller is not None:
                parts = filter(None, (record.timing.header(), server_timing(record.report)))
                answer.headers["Server-Timing"] = ", ".join(parts)
            logs.end_call()
        return answer


def _answered(
    record: CallRecord, guide: Guide, installation: Installation, gate: Gate | None, links: CardLinks
) -> Response:
    """The answer to the current request.

    Without a gate it is a call of our own, and its cards have no links to evidence pages or forms. Raises RequestError.
    """
    deadline = accepted.deadline_of(request.environ, installation.call_seconds)
    waits = deadline.earlier(RESERVE)
    client, in_time = installation.open_client, hook_call.always
    if gate is not None:
        # The call may have waited for a thread so long that the caller has given up.
        if not (in_time := lambda: deadline.left() > 0)():
            # Report a body that never arrived; calling again would not help that caller.
            reading.body()
            raise hook_call.late()
        admitted = gate.admit(record.timing, waits)
        # Set the caller before counting, so that a client over its limit appears in the audit log.
        record.caller, client = admitted
        gate.count(admitted)
    today = record.today
    with record.timing.step("read"):
        record.body = reading.body(deadline if gate is not None else None)
        with _turn(installation, gate, deadline):
            called = _read(record, guide)
    mode = links.evidence.mode(client, called.fhir_server)
    own = guide
    if record.caller:
        style = Style(client.detail_format, client.dates, spells_out=mode == OFF)
        own = replace(guide, client=record.caller.client, style=style)
    may_fetch = installation.fetcher.fetches and client.may_fetch()
    if may_fetch and called.fhir_server is not None and record.concerned:
        with record.timing.step("fetch"), installation.traces.span("fetch"):
            completed = complete_call(
                called,
                partial(wanted_templates, candidates=record.concerned, guide=own, today=today),
                installation.fetcher,
                client.fhir_allowance(),
                waits,
            )
        sent = called.prefetch
        called, record.report = completed.request, completed.report
        record.fetched = {key: value for key, value in called.prefetch.items() if value is not sent.get(key)}
        record.request = called
    with _turn(installation, gate, deadline):
        pages: Sequence[ToClose] = ()
        with record.timing.step("evaluate"), installation.traces.span("evaluate"):
            came = None
            if record.concerned:
                came = call_chart.arrivals(called, own.library)
                record.arrived = call_chart.states(came, own.library)
            record.answers = hook_call.answer(
                called, own, today, candidates=record.concerned, in_time=in_time, came=came
            )
        if gate is not None and record.answers:
            with record.timing.step("evidence"):
                pages = links.evidence.pages(record.answers, client, own.client)
    # Outside the turn, so that another call computes while this one waits for the store.
    if pages:
        with record.timing.step("evidence"):
            record.links = links.evidence.kept(pages, Deadline(min(waits.left(), FOR_A_LINK)))
    with record.timing.step("write"):
        launches = links.evidence.launches(record.answers, mode) if gate is not None else {}
        response = with_links(hook_call.response(record.answers), record.links, launches)
        if gate is not None and record.answers:
            response = links.forms.added(response, links.forms.links(record.answers, client, called.fhir_server))
        record.told = spoken(response, client)
        body = orjson.dumps(record.told, default=_decimal)
    return Response(body, mimetype="application/json")


def _read(record: CallRecord, guide: Guide) -> HookRequest:
    """Read only the parts of the body that the call needs: most orders concern no statement, so no chart is read."""
    if hook_request.hook_of(record.service_id) == hook_request.PATIENT_VIEW:
        envelope = json_bodies.Envelope(record.body, json_bodies.read_json(record.body), "prefetch")
    else:
        envelope = json_bodies.read_envelope(record.body, left="prefetch", exact="context")
    record.parsed = envelope.value
    record.request = hook_request.parse(record.service_id, envelope.value, guide.limits)
    concerned = concerned_policies(record.request, guide, record.today)
    # A prefetch that is not an object is refused even if no rule set reads it: the check costs almost nothing.
    if envelope.unread is not None and (concerned or not envelope.holds_an_object):
        record.request = hook_request.with_prefetch(record.request, envelope.read(), guide.limits)
    record.concerned = concerned
    return record.request


def _turn(installation: Installation, gate: Gate | None, deadline: Deadline) -> Turn:
    """The turn to compute; a call of our own has no deadline. Raises RequestError if the turn does not come in time."""
    try:
        return installation.turn.taken(deadline if gate is not None else None)
    except TimeoutError:
        raise hook_call.late() from None


def _decimal(value: Any) -> orjson.Fragment:
    """A decimal as written: JSON has no other way to keep 1.10."""
    if not isinstance(value, Decimal):
        raise TypeError
    return orjson.Fragment(str(value))
