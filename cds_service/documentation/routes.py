"""The form over HTTP: launch and callback of the sign-in, the form itself, its review, and what is written of it.

Every page is made on the server and works without its script, which adds keys. A form is found by the name in its
address and opened by a cookie of that name, so that two forms of two patients stay apart in one browser.
"""

from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Flask, Response, redirect, render_template, request

from cds_service.clock import Deadline
from cds_service.documentation import form, resources, scopes, writing
from cds_service.documentation.answers import MOST_EVENTS, kept_fields
from cds_service.documentation.desk import MOST_POSTS, FormDesk, FormReview
from cds_service.documentation.messages import GONE, FormMessage, LaunchError
from cds_service.documentation.open_form import OpenForm
from cds_service.documentation.writing import WriteRefusal
from cds_service.errors import RequestError
from cds_service.policy.model import Policy
from cds_service.questionnaire.items import SAYS_TRUE, SIGNER_ROLES
from cds_service.questionnaire.questions import questions
from cds_service.service import Guide
from cds_service.store.form_sessions import IDLE_SECONDS, Begun
from cds_service.web import accepted
from cds_service.web.gate import Gate

LONGEST_FORM = 200_000
MOST_FIELDS = 3_000
# A request of a form: to the EHR and back, several times.
SECONDS = 20.0
LAUNCH, CALLBACK, FORMS = "/smart/launch", "/smart/callback", "/forms"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors {}"
)


def register(app: Flask, desk: FormDesk, guide: Guide, gate: Gate) -> None:  # noqa: C901 - its routes are functions within it
    """Adds the form's routes."""
    library, public_url = guide.library, guide.addresses.public_url
    routes = Blueprint("form", __name__)
    is_secure = urlsplit(public_url).scheme == "https"

    def cookie_of(name: str) -> str:
        # Only this very origin can set a cookie of such a name (RFC 6265bis, 4.1.3.2).
        return f"__Host-form-{name}" if is_secure else f"form-{name}"

    def secret_of(name: str) -> str:
        return request.cookies.get(cookie_of(name), "") if len(name) <= 40 else ""

    def with_cookie(answer: Response, begun: Begun, opened: OpenForm | None = None) -> Response:
        answer.set_cookie(
            cookie_of(begun.name),
            begun.secret,
            max_age=IDLE_SECONDS,
            path="/",
            httponly=True,
            secure=is_secure,
            # In a frame of the EHR, which is another site, a browser keeps no other.
            samesite="None" if is_secure else "Lax",
            partitioned=is_secure,
        )
        return answer

    def page(template: str, status: int = 200, ancestors: tuple[str, ...] = (), **values: object) -> Response:
        root = "../" * (request.path.count("/") - 1)
        answer = Response(render_template(template, root=root, **values), status, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = _POLICY.format(" ".join(ancestors) or "'none'")
        # Without a referrer a browser would send the form with the origin null.
        answer.headers["Referrer-Policy"] = "same-origin"
        return answer

    def told(message: FormMessage, detail: str = "") -> Response:
        return page("form_message.html", message.status, message=message, detail=detail)

    @routes.get("/smart/client.json")
    def client() -> Response:
        registered = desk.client_metadata(public_url + LAUNCH, public_url + CALLBACK)
        return Response(orjson.dumps(registered, option=orjson.OPT_INDENT_2), mimetype="application/json")

    @routes.get(LAUNCH)
    def launch() -> Response:
        gate.count_opening()
        issuer, token = request.args.get("iss", ""), request.args.get("launch")
        try:
            address, begun = desk.launch(issuer, token, _deadline())
        except LaunchError as error:
            return told(error.message, error.detail)
        return with_cookie(_sent(address), begun)

    @routes.get(CALLBACK)
    def callback() -> Response:
        gate.count_opening()
        state = request.args.get("state", "")
        try:
            begun = desk.finish(state, secret_of(state), request.args, _deadline())
        except LaunchError as error:
            return told(error.message, error.detail)
        answer = with_cookie(_sent(f"{public_url}{FORMS}/{begun.name}"), begun)
        answer.delete_cookie(cookie_of(state), path="/", secure=is_secure)
        return answer

    def opened_of(name: str) -> OpenForm | None:
        return desk.open(name, secret_of(name))

    def ancestors_of(opened: OpenForm) -> tuple[str, ...]:
        try:
            return desk.registration_of(opened).frame_ancestors
        except LaunchError:
            return ()

    def form_page(name: str, opened: OpenForm, policy: Policy, status: int = 200, **values: object) -> Response:
        rows = opened.rows or ()
        return page(
            "form.html",
            status,
            ancestors_of(opened),
            name=name,
            opened=opened,
            policy=policy,
            groups=list(form.asked(policy, rows)),
            settled=form.settled(policy, rows),
            plan=writing.plan(desk.registration_of(opened), opened.access.scopes),
            roles=SIGNER_ROLES.items(),
            statement=SAYS_TRUE,
            events=range(MOST_EVENTS),
            **{"faults": {}, "for_clinicians": (), "saved": None, **values},
        )

    @routes.get(f"{FORMS}/<name>")
    def show(name: str) -> Response:
        opened = opened_of(name)
        if opened is None:
            return told(GONE)
        policy = _chosen(opened, request.args.get("statement", ""))
        if policy is None:
            return page("form_choose.html", 200, ancestors_of(opened), name=name, policies=library.policies)
        if opened.rows is None or opened.policy != policy.id:
            try:
                desk.read(opened, policy, _deadline())
            except LaunchError as error:
                return told(error.message, error.detail)
            desk.keep(name, secret_of(name), opened)
        return with_cookie(form_page(name, opened, policy), Begun(name, secret_of(name)))

    @routes.post(f"{FORMS}/<name>")
    def answer(name: str) -> Response:
        opened, policy = posted(name)
        if opened is None or policy is None:
            return told(GONE)
        review = desk.review(opened, policy)
        action = request.form.get("action", "review")
        faults = {fault.field: fault.sentence for fault in review.faults}
        kept(name, opened)
        if action == "draft":
            return saved_draft(name, opened, policy, review)
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
        return page(
            "form_review.html",
            status,
            ancestors_of(opened),
            name=name,
            opened=opened,
            policy=policy,
            review=review,
            lines=_lines(review),
            without=without,
            clinicians=clinicians,
            role=SIGNER_ROLES.get(opened.role, ""),
            **{"refused": None, "next": "", **values},
        )

    def written(name: str, opened: OpenForm, policy: Policy, review: FormReview) -> Response:
        allowed = (
            review.plan.form,
            writing.next_rung(desk.registration_of(opened), opened.access.scopes, review.plan.form),
        )
        kind = request.form.get("as", review.plan.form)
        if not kind or kind not in allowed or not review.answered or not opened.access.user:
            return review_page(name, opened, policy, review)
        if not desk.has_access(opened):
            refusal = writing.WriteResult(kind, refusal=WriteRefusal.SIGNED_OUT)
            return review_page(name, opened, policy, review, 409, refused=refusal)
        results = desk.write(opened, policy, review, draft=False, kind=kind)
        if not results[0].reference:
            after = writing.next_rung(desk.registration_of(opened), opened.access.scopes, kind)
            return review_page(name, opened, policy, review, 502, refused=results[0], next=after)
        before = dict(opened.before)
        decision = desk.read(opened, policy, _deadline()).decision if kind == scopes.RESPONSES else None
        changed = [
            (finding.criterion.title, before[key], finding.truth.value)
            for key, finding in (decision.findings.items() if decision else ())
            if before.get(key, finding.truth.value) != finding.truth.value
        ]
        summary = page(
            "form_done.html",
            200,
            ancestors_of(opened),
            name=name,
            opened=opened,
            policy=policy,
            changed=changed,
            results=results,
            decided=decision is not None,
            lines=_lines(review),
        )
        desk.end(name)
        summary.delete_cookie(cookie_of(name), path="/", secure=is_secure)
        return summary

    def saved_draft(name: str, opened: OpenForm, policy: Policy, review: FormReview) -> Response:
        result = None
        if review.plan.form == scopes.RESPONSES and review.answered and desk.has_access(opened):
            (result, *_) = desk.write(opened, policy, review, draft=True, kind=scopes.RESPONSES)
        return form_page(
            name, opened, policy, saved=result or writing.WriteResult(scopes.RESPONSES, refusal=WriteRefusal.SCOPE)
        )

    @routes.get(f"{FORMS}/<name>/response.json")
    def response(name: str) -> Response:
        opened = opened_of(name)
        policy = desk.policy_of(opened) if opened is not None else None
        if opened is None or policy is None:
            return told(GONE)
        review = desk.review(opened, policy)
        body = desk.writer(opened, policy).response(review.answered, status="in-progress")
        answer = Response(orjson.dumps(body, option=orjson.OPT_INDENT_2), mimetype=writing.MEDIA_TYPE)
        answer.headers["Content-Disposition"] = 'attachment; filename="documentation-form.json"'
        return answer

    def posted(name: str) -> tuple[OpenForm | None, Policy | None]:
        """The form of a post, with its fields. Raises RequestError for a post that is not the form's own."""
        request.max_content_length, request.max_form_parts = LONGEST_FORM, MOST_FIELDS
        _check_origin(public_url)
        opened = opened_of(name)
        policy = desk.policy_of(opened) if opened is not None else None
        if opened is None or policy is None:
            return None, None
        if request.form.get("token", "") != opened.token:
            raise RequestError(403, "forbidden", "This form was not sent from its own page. Open it again.")
        opened.posts += 1
        if opened.posts > MOST_POSTS:
            raise RequestError(429, "throttled", "This form was sent too often. Open it again from the card.")
        if request.form.get("action") != "sign" or "role" in request.form:
            opened.fields = kept_fields(list(questions(policy)), request.form.to_dict(flat=False))
            role = request.form.get("role", "")
            opened.role = role if role in SIGNER_ROLES else ""
            opened.signed = request.form.get("statement") == "yes"
        return opened, policy

    def kept(name: str, opened: OpenForm) -> None:
        if not desk.keep(name, secret_of(name), opened):
            raise RequestError(404, "not-found", GONE.happened)

    def _chosen(opened: OpenForm, wanted: str) -> Policy | None:
        return (library.policy(wanted) if wanted else None) or desk.policy_of(opened)

    app.register_blueprint(routes)


def _lines(review: FormReview) -> list[str]:
    """The answers as they are read back to the user."""
    return [line for item in review.answered for line in resources.in_words(item)]


def _is_signed(opened: OpenForm, faults: dict[str, str]) -> bool:
    """Whether the form says who signs it; what is missing is added to the faults."""
    if not opened.role:
        faults["role"] = "Choose the role in which you sign."
    if not opened.signed:
        faults["statement"] = "Confirm the statement to sign."
    return not faults


def _check_origin(public_url: str) -> None:
    """Refuses a post from a page of another site (Fetch, "Origin header"). Raises RequestError 403."""
    ours = urlsplit(public_url)
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{ours.scheme}://{ours.netloc}":
        raise RequestError(403, "forbidden", "This form can be sent from its own page alone.")


def _deadline() -> Deadline:
    return accepted.deadline_of(request.environ, SECONDS)


def _sent(address: str) -> Response:
    answer = redirect(address, 303)
    assert isinstance(answer, Response)
    return answer
