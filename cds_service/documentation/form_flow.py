"""The steps of one form: launch from a card, sign-in, opening, answers, review, and writing into the EHR."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

import orjson

from cds_service.card.form_context import FormContext, read_context
from cds_service.card.style import Style
from cds_service.clock import Deadline
from cds_service.documentation import answers, form, scopes, sign_in, sign_in_words, smart_server, tokens, writing
from cds_service.documentation.answers import FieldFault, FormAnswer
from cds_service.documentation.earlier import EarlierForm
from cds_service.documentation.messages import LaunchError
from cds_service.documentation.open_form import OpenForm, banner_of, name_of
from cds_service.documentation.reading import ChartRead, Sitting, read_chart, style_of
from cds_service.documentation.resources import FormOccasion, ResponseWriter, Wording
from cds_service.documentation.saving import FormSaver
from cds_service.documentation.sign_in import SignIn
from cds_service.documentation.writing import EhrWriter, WritePlan, WriteResult
from cds_service.ehr.received import OutgoingError
from cds_service.facts.roles import NUCC, kind_of_role
from cds_service.fhir.elements import Json
from cds_service.installation import Forms
from cds_service.policy.model import Policy
from cds_service.questionnaire.question_words import SIGNER_ROLES
from cds_service.questionnaire.questions import groups, questions
from cds_service.service.guide import Guide
from cds_service.store.form_sessions import Begun
from cds_service.trust.smart import WRITES, AppRegistration

# The time limit for reading a chart, in seconds; afterwards the form opens without the rest.
READING_SECONDS = 6.0
# The time limit for writing all resources together, in seconds.
WRITING_SECONDS = 10.0
# A person never posts one form this often.
MOST_POSTS = 300
_SIGN_IN, _FORM, _CHOICE = b"S", b"F", b"C"
_MOST_BYTES = 64 * 1024

Registrations = Callable[[str], AppRegistration | None]


class SignedIn(NamedTuple):
    """A completed sign-in: the server's registration, the access that it gave, and what it ``shows``."""

    registration: AppRegistration
    access: tokens.Access
    shows: str


class FormReview(NamedTuple):
    """An answered form: the valid answers, the faults of the others, and the plan for writing.

    ``for_clinicians`` are the linkIds that this role may not answer.
    """

    answered: list[FormAnswer]
    faults: list[FieldFault]
    plan: WritePlan
    for_clinicians: tuple[str, ...]

    @property
    def mine(self) -> list[FormAnswer]:
        """The answers that this role may give."""
        return [item for item in self.answered if item.question.link_id not in self.for_clinicians]


class FormFlow:
    """Runs the forms of one installation. ``registrations`` returns the registration at a FHIR server, by ``iss``;
    ``clock`` returns the UTC day.
    """

    def __init__(
        self,
        guide: Guide,
        registrations: Registrations,
        forms: Forms,
        clock: Callable[[], date],
    ) -> None:
        self._guide, self._registrations, self._clock = guide, registrations, clock
        self._sessions, self._http, self._fetcher = forms.sessions, forms.http, forms.fetcher

    def client_metadata(self, launch: str, redirect: str) -> Json:
        """The data for an EHR's administrator: dynamic client metadata (RFC 7591, section 2), with both addresses."""
        return {
            "client_name": sign_in_words.APP_NAME,
            "application_type": "web",
            "initiate_login_uri": launch,
            "redirect_uris": [redirect],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic",
            "scope": scopes.asked(
                self._guide.library.resource_types, WRITES, observations=True, launched=True, old=False
            ),
        }

    def launch(
        self, issuer: str, launch: str | None, deadline: Deadline, shows: str = sign_in.FORM
    ) -> tuple[str, Begun]:
        """Begin a sign-in: the address for the browser, and the session that waits for it. Raises LaunchError.

        ``shows`` selects the page to open then; an evidence page requests read scopes only.
        """
        registration = self.registration(issuer)
        server = smart_server.smart_server(self._http, registration, deadline)
        writes = shows == sign_in.FORM
        asked = scopes.asked(
            self._reads(),
            registration.app.writes if writes else (),
            observations=writes and registration.app.observations,
            launched=launch is not None,
            old=server.old_scopes,
        )
        verifier, nonce = self._sessions.random(32).hex(), self._sessions.random(16).hex()
        waiting = SignIn("", verifier, nonce, registration.issuer, server, shows)
        begun = self._sessions.begin(_SIGN_IN + orjson.dumps(waiting.as_json()))
        # The state is the session's name. It needs that session's cookie, and works only once.
        signing = waiting._replace(state=begun.name)
        return sign_in.authorization_url(signing, registration, asked, launch), begun

    def signed_in(self, state: str, secret: str, given: Mapping[str, str], deadline: Deadline) -> SignedIn:
        """Complete a sign-in with the browser's parameters, and store nothing. Raises LaunchError."""
        held = self._sessions.take(state, secret)
        if held is None or not held.startswith(_SIGN_IN):
            raise LaunchError(sign_in_words.NO_COOKIE)
        signing = SignIn.of_json(orjson.loads(held[1:]))._replace(state=state)
        registration = self.registration(signing.issuer)
        code = sign_in.code_of(signing, registration, given)
        access = tokens.exchange(self._http, signing, registration, code, self._sessions.now, deadline)
        return SignedIn(registration, access, signing.shows)

    def begin(self, signed: SignedIn) -> Begun:
        """Begin the form's session."""
        now, access = self._sessions.now, signed.access
        opened = OpenForm(
            issuer=signed.registration.issuer,
            access=access,
            expires=int(now.timestamp()) + access.seconds,
            opened=int(now.timestamp()),
            form=self._sessions.random(16).hex(),
            token=self._sessions.random(16).hex(),
            policy=self._policy_of(read_context(access.context)),
        )
        return self._sessions.begin(_FORM + opened.as_json())

    def statement_of(self, signed: SignedIn) -> Policy | None:
        """The statement of an evidence page; None if the user must choose it."""
        name = self._policy_of(read_context(signed.access.context))
        return self._guide.library.policy(name) if name else None

    def keep_choice(self, signed: SignedIn) -> Begun:
        """Keep a sign-in, encrypted, until the user chooses the statement of the evidence page."""
        held = {"issuer": signed.registration.issuer, "access": signed.access._asdict()}
        return self._sessions.begin(_CHOICE + orjson.dumps(held))

    def chosen(self, name: str, secret: str) -> SignedIn | None:
        """The sign-in kept for a choice, removed from the store; None if it is missing or expired.

        Raises LaunchError.
        """
        held = self._sessions.take(name, secret)
        if held is None or not held.startswith(_CHOICE):
            return None
        kept = orjson.loads(held[1:])
        return SignedIn(self.registration(kept["issuer"]), tokens.Access(**kept["access"]), sign_in.EVIDENCE)

    def chart_of(self, signed: SignedIn, policy: Policy, deadline: Deadline) -> tuple[ChartRead, Sitting]:
        """Read the chart for an evidence page; returns it with its sitting, which holds the card's context."""
        sitting = _sitting(policy, signed.access, signed.registration)
        sitting = sitting._replace(without_order=not sitting.context.has_order)
        ends = Deadline(min(READING_SECONDS, deadline.left()))
        return read_chart(sitting, self._guide, self._fetcher, self._clock(), ends), sitting

    def open(self, name: str, secret: str) -> OpenForm | None:
        """The open form of a browser; None if it is missing or expired. Raises StoreError."""
        held = self._sessions.read(name, secret)
        return OpenForm.of_json(held[1:]) if held is not None and held.startswith(_FORM) else None

    def keep(self, name: str, secret: str, opened: OpenForm) -> bool:
        """Store the current state of a form; returns False if it is no longer open. Raises StoreError."""
        return self._sessions.keep(name, secret, _FORM + opened.as_json())

    def end(self, name: str) -> None:
        """Erase a form. Raises StoreError."""
        self._sessions.end(name)

    def registration(self, issuer: str) -> AppRegistration:
        """The registration at a FHIR server. Raises LaunchError if there is none."""
        found = self._registrations(issuer)
        if found is None:
            raise LaunchError(sign_in_words.UNKNOWN_SERVER)
        return found

    @property
    def today(self) -> date:
        """The UTC day."""
        return self._clock()

    def registration_of(self, opened: OpenForm) -> AppRegistration:
        """The registration at the form's FHIR server. Raises LaunchError if it no longer exists."""
        return self.registration(opened.issuer)

    def policy_of(self, opened: OpenForm) -> Policy | None:
        """The statement of a form; None if the user must choose it."""
        return self._guide.library.policy(opened.policy) if opened.policy else None

    def read(self, opened: OpenForm, policy: Policy, deadline: Deadline) -> ChartRead:
        """Read the chart into a form: its rows, its patient, and the lists that could not be read."""
        registration = self.registration(opened.issuer)
        sitting = _sitting(policy, opened.access, registration)
        context = sitting.context
        ends = Deadline(min(READING_SECONDS, deadline.left()))
        found = read_chart(sitting, self._guide, self._fetcher, self._clock(), ends)
        opened.policy = policy.id
        opened.banner = banner_of(found.patient)
        opened.user = opened.user or name_of(self.user(registration, opened.access, ends))
        opened.orders = (context.order,) if context.order else ()
        opened.drafts, opened.attested = found.drafts, dict(found.attested)
        opened.unread = dict(found.unread)
        opened.why_not = found.why_not
        is_new, opened.rows = opened.rows is None, ()
        if found.found is not None:
            findings, payer = found.found.decision.findings, found.found.decision.payer.reference
            opened.coverages = (payer,) if payer else ()
            opened.rows = form.rows_of(policy, found.found.known, found.found.recorded, found.found.decision)
            opened.before = opened.before or {key: item.truth.value for key, item in findings.items()}
            if is_new and context.draft:
                self.resume(opened, policy, f"{scopes.RESPONSES}/{context.draft}")
        return found

    def resume(self, opened: OpenForm, policy: Policy, reference: str) -> bool:
        """Fill in a draft from the chart again; returns False if no draft has that reference."""
        may_update = writing.plan(self.registration_of(opened), opened.access.scopes).can_update
        return opened.resume(reference, list(questions(policy)), self.style_of(opened), may_update=may_update)

    def style_of(self, opened: OpenForm) -> Style:
        """The date style at the EHR of a form."""
        return style_of(self.registration_of(opened))

    def wording_of(self, opened: OpenForm) -> Wording:
        """The wording in which the service repeats a form's answers to the user."""
        return Wording(self.style_of(opened), opened.names)

    def review(self, opened: OpenForm, policy: Policy) -> FormReview:
        """The current answers of a form, and the plan for writing."""
        pairs = form.answerable(policy, opened.rows or ())
        shown = {row.link_id: row.shown() for _, row in pairs}
        # The form does not ask what the chart settles, whatever a browser sends.
        answered, faults = answers.read([question for question, _ in pairs], shown, opened.fields, self._clock())
        kind = kind_of_role({"coding": [{"system": NUCC, "code": opened.role}]})
        refused = tuple(
            item.question.link_id
            for item in answered
            if opened.role and item.question.is_attestation and kind not in item.question.attested_by
        )
        return FormReview(answered, faults, writing.plan(self.registration_of(opened), opened.access.scopes), refused)

    def sign(self, opened: OpenForm, policy: Policy, review: FormReview, kind: str) -> tuple[WriteResult, ...]:
        """Write a form as ``kind`` (QuestionnaireResponse or DocumentReference); returns the result of each resource.

        A second write creates no duplicates.
        """
        return self._saver(opened, policy, review).sign(opened, review.answered, kind)

    def keep_draft(self, opened: OpenForm, policy: Policy, review: FormReview) -> WriteResult:
        """Write a form as an unsigned draft, with the answers that this role may give."""
        return self._saver(opened, policy, review).keep_draft(opened, review.mine)

    def other_version(self, opened: OpenForm, policy: Policy, review: FormReview) -> EarlierForm | None:
        """The draft in the EHR as another user left it; see ``FormSaver.other_version``."""
        saver = self._saver(opened, policy, review)
        return saver.other_version(opened, list(questions(policy)), self.style_of(opened))

    def _saver(self, opened: OpenForm, policy: Policy, review: FormReview) -> FormSaver:
        ehr = EhrWriter(self._http, self.registration(opened.issuer), opened.access.token, Deadline(WRITING_SECONDS))
        return FormSaver(ehr, lambda form: self.writer(form, policy), review.plan)

    def writer(self, opened: OpenForm, policy: Policy) -> ResponseWriter:
        """The writer of a form's resources."""
        occasion = FormOccasion(
            opened.written_as,
            f"Patient/{opened.access.patient}",
            opened.coverages,
            opened.orders,
            self._sessions.now.isoformat(timespec="seconds"),
        )
        role = SIGNER_ROLES.get(opened.role, opened.role)
        return ResponseWriter(
            policy,
            self._guide.addresses.canonical_base,
            groups(policy),
            occasion,
            opened.attester(role),
            self.wording_of(opened),
        )

    def has_access(self, opened: OpenForm) -> bool:
        """True if the EHR's access token has not expired."""
        return self._sessions.now.timestamp() < opened.expires

    def _reads(self) -> set[str]:
        """Every resource type that a statement needs, including the types read by reference."""
        return {name for policy in self._guide.library.policies for name in policy.resource_types}

    def _policy_of(self, context: FormContext) -> str:
        policies = self._guide.library.policies
        if self._guide.library.policy(context.policy) is not None:
            return context.policy
        return policies[0].id if len(policies) == 1 else ""

    def user(self, registration: AppRegistration, access: tokens.Access, deadline: Deadline) -> Json | None:
        """The resource of the signed-in user; None if the EHR does not return it."""
        reference = "/".join(access.user.rstrip("/").split("/")[-2:])
        if "/" not in reference:
            return None
        try:
            received = self._http.get(
                f"{registration.issuer}/{reference}",
                accept=writing.MEDIA_TYPE,
                allowance=registration.allowance,
                deadline=deadline,
                max_bytes=_MOST_BYTES,
                token=access.token,
            )
            found: Json = orjson.loads(received.body)
        except (OutgoingError, orjson.JSONDecodeError):
            return None
        return found if received.status == 200 and isinstance(found, dict) else None


def _sitting(policy: Policy, access: tokens.Access, registration: AppRegistration) -> Sitting:
    """The sitting of a form or evidence page, with the card's context only if it is about this statement."""
    context = read_context(access.context)
    if context.policy != policy.id:
        context = FormContext(policy.id, policy.edition)
    return Sitting(policy, context, access, registration)
