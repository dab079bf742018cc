"""The form over HTTP: launch and callback of the sign-in, the form itself, its review, and the written result.

The server renders every page, and pages work without their script, which adds keyboard shortcuts. The name in its
address identifies a form, and a cookie with that name opens it, so the forms of two patients stay separate in one
browser.
"""

from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Flask, Response, redirect, request

from cds_service.clock import Deadline
from cds_service.documentation import form, resources, scopes, writing
from cds_service.documentation import form_words as words
from cds_service.documentation.answers import MOST_EVENTS, kept_fields
from cds_service.documentation.earlier import said
from cds_service.documentation.evidence_routes import EvidenceAnswers, SignedResponse
from cds_service.documentation.form_flow import MOST_POSTS, FormFlow, FormReview
from cds_service.documentation.messages import LaunchError
from cds_service.documentation.open_form import OpenForm
from cds_service.documentation.pages import FormPages
from cds_service.documentation.recording import FormRecorder
from cds_service.documentation.sign_in import EVIDENCE, FORM
from cds_service.documentation.writing import WriteRefusal
from cds_service.errors import RequestError
from cds_service.policy.model import Policy
from cds_service.questionnaire import question_words
from cds_service.questionnaire.question_words import SIGNER_ROLES
from cds_service.questionnaire.questions import questions
from cds_service.service.guide import Guide
from cds_service.store.form_sessions import Begun
from cds_service.web import accepted, evidence_links, form_links
from cds_service.web.gate import Gate
from cds_service.web.registered import CALLBACK_PATH

LONGEST_FORM = 200_000
MOST_FIELDS = 3_000
# The time limit of a form's request, in seconds; it calls the EHR several times.
SECONDS = 20.0
# The pages of these actions have no form fields.
STEPS = ("sign", "handed-over")
FORMS = "/forms"


def register(  # noqa: C901 - its routes are functions within it
    app: Flask, form_flow: FormFlow, guide: Guide, gate: Gate, record: FormRecorder, *, evidence: EvidenceAnswers
) -> None:
    """Add the form's routes; ``evidence`` answers a sign-in for an evidence page."""
    library, public_url = guide.library, guide.addresses.public_url
    routes = Blueprint("form", __name__)
    pages = FormPages(form_flow, public_url)

    @routes.get("/smart/client.json")
    def client() -> Response:
        registered = form_flow.client_metadata(public_url + form_links.LAUNCH_PATH, public_url + CALLBACK_PATH)
        return Response(orjson.dumps(registered, option=orjson.OPT_INDENT_2), mimetype="application/json")

    @routes.get(form_links.LAUNCH_PATH)
    def launch() -> Response:
        return launched(FORM)

    @routes.get(evidence_links.LAUNCH_PATH)
    def launch_evidence() -> Response:
        return launched(EVIDENCE)

    def launched(shows: str) -> Response:
        gate.count_opening()
        issuer, token = request.args.get("iss", ""), request.args.get("launch")
        if (answer := pages.way_out_of_a_frame(issuer)) is not None:
            return answer
        try:
            address, begun = form_flow.launch(issuer, token, _deadline(), shows)
        except LaunchError as error:
            return pages.told(error.message, error.detail, issuer)
        return pages.with_cookie(_sent(address), begun)

    @routes.get(CALLBACK_PATH)
    def callback() -> Response:
        gate.count_opening()
        state = request.args.get("state", "")
        try:
            signed = form_flow.signed_in(state, pages.secret_of(state), request.args, _deadline())
            if signed.shows == EVIDENCE:
                return pages.without_cookie(evidence.first(signed, _deadline()), state)
        except LaunchError as error:
            return pages.told(error.message, error.detail, request.args.get("iss", ""))
        begun = form_flow.begin(signed)
        answer = pages.with_cookie(_sent(f"{public_url}{FORMS}/{begun.name}"), begun)
        return pages.without_cookie(answer, state)

    def opened_of(name: str) -> OpenForm | None:
        return form_flow.open(name, pages.secret_of(name))

    def form_page(name: str, opened: OpenForm, policy: Policy, status: int = 200, **values: object) -> Response:
        rows = opened.rows or ()
        return pages.of_form(
            "form.html",
            name,
            opened,
            policy,
            status,
            groups=list(form.asked(policy, rows)),
            settled=form.settled(policy, rows),
            plan=writing.plan(form_flow.registration_of(opened), opened.access.scopes),
            roles=SIGNER_ROLES.items(),
            words=question_words,
            events=range(MOST_EVENTS),
            **{"faults": {}, "for_clinicians": (), "saved": None, "theirs": None, **values},
        )

    @routes.get(f"{FORMS}/<name>")
    def show(name: str) -> Response:
        opened = opened_of(name)
        if opened is None:
            return pages.told(words.GONE)
        policy = _chosen(opened, request.args.get("statement", ""))
        if policy is None:
            return pages.of_form("form_choose.html", name, opened, None, policies=library.policies)
        if opened.rows is None or opened.policy != policy.id:
            try:
                form_flow.read(opened, policy, _deadline())
            except LaunchError as error:
                return pages.told(error.message, error.detail)
            record.opened(policy)
            form_flow.keep(name, pages.secret_of(name), opened)
        return pages.with_cookie(form_page(name, opened, policy), Begun(name, pages.secret_of(name)))

    @routes.post(f"{FORMS}/<name>")
    def answer(name: str) -> Response:
        opened, policy = posted(name)
        if opened is None or policy is None:
            return pages.told(words.GONE)
        if "resume" in request.form:
            form_flow.resume(opened, policy, request.form["resume"])
            kept(name, opened)
            return form_page(name, opened, policy)
        review = form_flow.review(opened, policy)
        action = request.form.get("action", "review")
        faults = {fault.field: fault.sentence for fault in review.faults}
        kept(name, opened)
        if action == "draft":
            return draft_saved(name, opened, policy, review)
        if action in ("hand-over", "handed-over"):
            return handed_over(name, opened, policy, review, is_decided=action == "handed-over")
        if not _is_signed(opened, faults):
            return form_page(name, opened, policy, 422, faults=faults, for_clinicians=review.for_clinicians)
        if action == "sign":
            return written(name, opened, policy, review)
        return review_page(name, opened, policy, review)

    def review_page(
        name: str, opened: OpenForm, policy: Policy, review: FormReview, status: int = 200, **values: object
    ) -> Response:
        without = [
            item.question.text
            for item in review.answered
            if item.question.is_attestation and item.value is True and not item.has_basis
        ]
        clinicians = [item.question.text for item in review.answered if item.question.link_id in review.for_clinicians]
        return pages.of_form(
            "form_review.html",
            name,
            opened,
            policy,
            status,
            review=review,
            lines=lines_of(opened, review),
            without=without,
            clinicians=clinicians,
            role=SIGNER_ROLES.get(opened.role, ""),
            **{"refused": None, "next": "", "theirs": None, "their_lines": (), **values},
        )

    def written(name: str, opened: OpenForm, policy: Policy, review: FormReview) -> Response:
        allowed = (
            review.plan.form,
            writing.next_rung(form_flow.registration_of(opened), opened.access.scopes, review.plan.form),
        )
        kind = request.form.get("as", review.plan.form)
        if not kind or kind not in allowed or not review.answered or not opened.access.user:
            return review_page(name, opened, policy, review)
        if not form_flow.has_access(opened):
            refusal = writing.WriteResult(kind, refusal=WriteRefusal.SIGNED_OUT)
            return review_page(name, opened, policy, review, 409, refused=refusal)
        results = form_flow.sign(opened, policy, review, kind)
        record.sent(opened, form_flow.registration_of(opened).client, policy, review.answered, results)
        if not results[0].reference:
            theirs, lines = None, []
            if results[0].refusal is WriteRefusal.CHANGED and opened.stored is not None:
                theirs = form_flow.other_version(opened, policy, review)
                lines = said(theirs, list(questions(policy))) if theirs else []
            kept(name, opened)
            after = writing.next_rung(form_flow.registration_of(opened), opened.access.scopes, kind)
            return review_page(
                name, opened, policy, review, 502, refused=results[0], next=after, theirs=theirs, their_lines=lines
            )
        before, lines = dict(opened.before), lines_of(opened, review)
        read = form_flow.read(opened, policy, _deadline())
        decision = read.decision if kind == scopes.RESPONSES else None
        if decision is not None:
            record.settled(policy, before, decision.findings)
        changed = [
            (finding.criterion.title, before[key], finding.truth.value)
            for key, finding in (decision.findings.items() if decision else ())
            if before.get(key, finding.truth.value) != finding.truth.value
        ]
        summary = pages.of_form(
            "form_done.html",
            name,
            opened,
            policy,
            changed=changed,
            results=results,
            decided=decision is not None,
            lines=lines,
            packet=evidence.packet_of_form(opened, read, signed_response(opened, policy, review, results[0])),
        )
        return ended(name, summary)

    def signed_response(
        opened: OpenForm, policy: Policy, review: FormReview, result: writing.WriteResult
    ) -> SignedResponse:
        """The signed answers and their place in the EHR, which has one only if it accepted the response itself."""
        response = form_flow.writer(opened, policy).response(review.answered, status="completed")
        is_there = result.kind == scopes.RESPONSES
        name = result.reference.rpartition("/")[2] if is_there else opened.form
        return SignedResponse(response | {"id": name}, is_there, SIGNER_ROLES.get(opened.role, opened.role))

    def ended(name: str, last: Response) -> Response:
        """The last page of a form; erases the form."""
        form_flow.end(name)
        return pages.without_cookie(last, name)

    def lines_of(opened: OpenForm, review: FormReview) -> list[str]:
        """The answers in words for the user."""
        wording = form_flow.wording_of(opened)
        return [line for item in review.answered for line in resources.in_words(item, wording)]

    def kept_draft(name: str, opened: OpenForm, policy: Policy, review: FormReview) -> dict[str, object]:
        """The result of saving a draft, and another user's version that replaced the draft."""
        result, theirs = writing.WriteResult(scopes.RESPONSES, refusal=WriteRefusal.SCOPE), None
        if review.plan.form == scopes.RESPONSES and review.answered and opened.access.user:
            result = writing.WriteResult(scopes.RESPONSES, refusal=WriteRefusal.SIGNED_OUT)
            if form_flow.has_access(opened):
                result = form_flow.keep_draft(opened, policy, review)
                client = form_flow.registration_of(opened).client
                record.sent(opened, client, policy, review.mine, [result], draft=True)
                if result.refusal is WriteRefusal.CHANGED:
                    theirs = form_flow.other_version(opened, policy, review)
                kept(name, opened)
        return {"saved": result, "theirs": theirs}

    def draft_saved(name: str, opened: OpenForm, policy: Policy, review: FormReview) -> Response:
        return form_page(name, opened, policy, 200, **kept_draft(name, opened, policy, review))

    def handed_over(name: str, opened: OpenForm, policy: Policy, review: FormReview, *, is_decided: bool) -> Response:
        """The page that lists the remaining questions by role; after the decision, the last page of this form."""
        values = kept_draft(name, opened, policy, review) if is_decided else {"saved": None, "theirs": None}
        saved = values["saved"]
        is_over = isinstance(saved, writing.WriteResult) and bool(saved.reference)
        answer = pages.of_form(
            "form_hand_over.html",
            name,
            opened,
            policy,
            502 if is_decided and not is_over else 200,
            left=form.left_open(policy, opened.rows or (), review.answered, review.for_clinicians),
            lines=lines_of(opened, review),
            can_save=review.plan.form == scopes.RESPONSES and bool(review.answered) and bool(opened.access.user),
            is_over=is_over,
            **values,
        )
        return ended(name, answer) if is_over else answer

    @routes.get(f"{FORMS}/<name>/response.json")
    def response(name: str) -> Response:
        opened = opened_of(name)
        policy = form_flow.policy_of(opened) if opened is not None else None
        if opened is None or policy is None:
            return pages.told(words.GONE)
        review = form_flow.review(opened, policy)
        body = form_flow.writer(opened, policy).response(review.answered, status="in-progress")
        answer = Response(orjson.dumps(body, option=orjson.OPT_INDENT_2), mimetype=writing.MEDIA_TYPE)
        answer.headers["Content-Disposition"] = 'attachment; filename="documentation-form.json"'
        return answer

    def posted(name: str) -> tuple[OpenForm | None, Policy | None]:
        """The form of a post, with its fields. Raises RequestError for a post that did not come from the form."""
        request.max_content_length, request.max_form_parts = LONGEST_FORM, MOST_FIELDS
        _check_origin(public_url)
        opened = opened_of(name)
        policy = form_flow.policy_of(opened) if opened is not None else None
        if opened is None or policy is None:
            return None, None
        if request.form.get("token", "") != opened.token:
            raise RequestError(403, "forbidden", words.NOT_FROM_ITS_PAGE)
        opened.posts += 1
        if opened.posts > MOST_POSTS:
            raise RequestError(429, "throttled", words.SENT_TOO_OFTEN)
        if "role" in request.form or not (request.form.get("action") in STEPS or "resume" in request.form):
            opened.fields = kept_fields(list(questions(policy)), request.form.to_dict(flat=False))
            role = request.form.get("role", "")
            opened.role = role if role in SIGNER_ROLES else ""
            opened.signed = request.form.get("statement") == "yes"
        return opened, policy

    def kept(name: str, opened: OpenForm) -> None:
        if not form_flow.keep(name, pages.secret_of(name), opened):
            raise RequestError(404, "not-found", words.GONE.happened)

    def _chosen(opened: OpenForm, wanted: str) -> Policy | None:
        return (library.policy(wanted) if wanted else None) or form_flow.policy_of(opened)

    app.register_blueprint(routes)


def _is_signed(opened: OpenForm, faults: dict[str, str]) -> bool:
    """True if the form names its signer; adds missing details to the faults."""
    if not opened.role:
        faults["role"] = words.CHOOSE_ROLE
    if not opened.signed:
        faults["statement"] = words.CONFIRM
    return not faults


def _check_origin(public_url: str) -> None:
    """Refuse a post from a page of another site (Fetch, "Origin header"). Raises RequestError 403."""
    ours = urlsplit(public_url)
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{ours.scheme}://{ours.netloc}":
        raise RequestError(403, "forbidden", words.FROM_ANOTHER_SITE)


def _deadline() -> Deadline:
    return accepted.deadline_of(request.environ, SECONDS)


def _sent(address: str) -> Response:
    answer = redirect(address, 303)
    assert isinstance(answer, Response)
    return answer
