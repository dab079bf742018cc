"""The words of the Check tab of the Developer panel, in one place so that a site can reword or translate them: the
sentence for each check that passes, and for each problem.
"""

from collections.abc import Iterable

# --- a call -----------------------------------------------------------------------------------------------------------

NOT_AN_OBJECT = "The body must be a JSON object."
ACCEPTED = "The service accepts the call"
COUNTS = "Every record sent counts for this patient"
MEMBERS = "hookInstance is a UUID, and CDS Hooks 2.0 defines every member"
CONTEXT = "context identifies the user and the patient as the hook requires"
DRAFTS = "draftOrders is a Bundle of drafts with ids"
SELECTIONS = "Every selection names a draft"
READABLE = "The service can read every draft as an order for this patient"
ACCESS = "fhirServer and fhirAuthorization are complete"
PREFETCH_SENT = "The call sends every prefetch key, or the service can fetch it"
PREFETCH_FITS = "Every prefetch value matches its template"

ORDER_OF_ANOTHER = (
    "This order is for a patient other than context.patientId. The service answers 400 if a statement applies to the "
    "order, and otherwise ignores the order."
)
INSTANCE = "hookInstance must be a UUID; generate a new one each time the hook fires."
PATIENT_ID = "context.patientId must be an id without 'Patient/'."
ENCOUNTER_TEXT = "context.encounterId must be text; omit it if there is no encounter."
ENCOUNTER_ID = "context.encounterId must be an id without 'Encounter/'."
EVERY_HOOK = "Every hook"
DRAFTS_TYPE = "context.draftOrders must be a FHIR Bundle; set resourceType to 'Bundle'."
BUNDLE_TYPE = "A FHIR Bundle needs a type, such as 'collection'."
DRAFT_ID = "The draft has no id, so only its fullUrl can select it, and no suggestion can change it. Add an id."
DRAFT_STATUS = "Orders in an order-select call must have the status 'draft'."
SELECTS_NOTHING = "This selection does not match an order in context.draftOrders."
NOTHING_SELECTED = "No order is selected, so the service cannot return a card."
SERVER_ADDRESS = "fhirServer must be an absolute https address."
SERVER_HTTPS = "fhirServer must use https because it sends patient data."
TOKEN_TYPE = "fhirAuthorization.token_type must be 'Bearer'."  # noqa: S105 - words
PATIENT_OF_SCOPES = "The scopes cover one patient, so fhirAuthorization.patient should name that patient."
# The content of each member of fhirAuthorization.
GRANT = {
    "access_token": "the access token",
    "token_type": "'Bearer'",
    "expires_in": "the token's lifetime in whole seconds",
    "scope": "the scopes granted, separated by spaces",
    "subject": "the OAuth 2.0 client id of this service at the authorization server",
}


def hook(allowed: Iterable[str]) -> str:
    """An unknown hook."""
    return f"hook must be one of {', '.join(allowed)}; it determines which service to call."


def answered(status: int, sentence: str) -> str:
    """A call that the service refuses."""
    return f"The service answers {status}: {sentence}"


def not_an_order(sentence: str) -> str:
    """An unreadable draft."""
    return f"The service cannot read this draft as an order: {sentence}"


def no_member(name: str) -> str:
    """A member that CDS Hooks does not define."""
    return f"'{name}' is not a member of a CDS Hooks request; the service ignores it."


def user_missing(hook: str) -> str:
    """A call without a user; ``hook`` is "" if the hook is unknown."""
    return f"{hook or EVERY_HOOK} requires context.userId; send it as Type/id."


def user(types: Iterable[str]) -> str:
    """An unreadable user."""
    return f"context.userId must be Type/id, where Type is one of {', '.join(types)}."


def no_field(hook: str, name: str) -> str:
    """A context field that the hook does not define."""
    return f"{hook} has no context field '{name}'; the service ignores it."


def grant(member: str) -> str:
    """A missing member of fhirAuthorization."""
    return f"fhirAuthorization.{member} is required: {GRANT[member]}."


def not_covered(kind: str) -> str:
    """A resource type that the call neither includes nor lets the service read."""
    return f"The scopes do not cover {kind}, and prefetch does not include it, so criteria that need it stay unknown."


# --- its prefetch -----------------------------------------------------------------------------------------------------

WILL_FETCH = "Not sent. The service fetches it from fhirServer if an order needs it."
NO_PATIENT = "Not sent, and the service cannot fetch it. The service answers 412 if it recognizes an order."
WRAPPED = "Wrapped in {response, resource}, as before CDS Hooks 1.0. Send the resource itself."
FIRST_PAGE = "This is the first of several pages; the service fetches the rest."
FIRST_PAGE_ALONE = (
    "This is the first of several pages, and the service cannot fetch the rest. Send all pages in one Bundle."
)
A_SEARCH = "The template is a search: send the whole searchset Bundle."
A_LIST = "A prefetch value is one resource or one Bundle, not a list."
OTHER_PATIENT = "This Patient is not the patient in context.patientId."


def no_key(key: str, known: Iterable[str]) -> str:
    """A prefetch key that discovery does not list."""
    return f"Discovery has no prefetch key '{key}'; the keys are {', '.join(known)}."


def no_template(why: str) -> str:
    """A missing key whose template cannot be resolved."""
    return f"Not sent, and the service cannot resolve its template: {why}."


def not_sent(template: str) -> str:
    """A missing key that the service cannot fetch."""
    return (
        f"Not sent, and the service cannot fetch it, so criteria that need it stay unknown. Its template is {template}"
    )


def failed(why: str) -> str:
    """An unusable value."""
    return f"The service cannot use this value, so criteria that need it stay unknown: {why}."


def a_read(kind: str) -> str:
    """A Bundle instead of a resource."""
    return f"The template is a read: send the {kind} itself, not a Bundle."


def holds_others(kind: str, others: Iterable[str]) -> str:
    """A value with resource types other than the type of its key."""
    return f"This key is for {kind}, but the value contains {', '.join(others)}."


def of_another(number: int, kind: str) -> str:
    """Records of another patient."""
    said = f"{number} {kind} {'belongs' if number == 1 else 'belong'}"
    return f"{said} to a patient other than context.patientId; not used as evidence."


def none_counts(received: int, kind: str, example: str) -> str:
    """Received records that are all unusable; ``example`` names one record and the reason."""
    return (
        f"The service cannot use any of the {received} {kind} that it received, so criteria that need them stay "
        f"unknown: {example}."
    )


def not_counted(number: int, received: int, kind: str, example: str) -> str:
    """Received records that are partly unusable; ``example`` names one record and the reason."""
    return f"The service does not count {number} of {received} {kind}: {example}."


# --- its answer -------------------------------------------------------------------------------------------------------

CARD_COMPLETE = "Every card has a uuid, a summary under 140 characters, an indicator, and a source"
SUGGESTIONS_COMPLETE = "Every suggestion has a label, a uuid, and complete actions"
LINKS_COMPLETE = "Every link is absolute and has a type"
REASONS_COMPLETE = "Every override reason has a code, a system, and a display"
SYSTEM_ACTIONS_COMPLETE = "Every system action is complete"
NO_CARDS = "An answer must be a JSON object with a list 'cards'."
SYSTEM_ACTIONS = "systemActions must be a list of actions; omit it if there are none."
CARD = "A card must be an object."
SUMMARY = "A card needs a summary."
SOURCE = "A card needs a source with a label."
SOURCE_ADDRESS = "The address of a source must be absolute."
CARD_ID = "Add a uuid so that feedback can refer to the card."
REASON = "A reason needs a code, a system, and a display."
SUGGESTION = "A suggestion needs a label."
SUGGESTION_ID = "Add a uuid so that feedback can refer to the suggestion."
ACTION = "An action needs a description."
ACTION_DELETES = "A delete action needs a resourceId."
LINK = "A link needs a label, a url, and a type (absolute or smart)."
LINK_ADDRESS = "The address of a link must be absolute."
LINK_CONTEXT = "Only a link of type smart may have an appContext."


def summary_length(limit: int) -> str:
    """A summary over the length limit."""
    return f"A summary must have fewer than {limit} characters."


def one_of(member: str, allowed: Iterable[str]) -> str:
    """A member whose value is not allowed."""
    return f"{member} must be one of {', '.join(allowed)}."


def action_holds(kind: str) -> str:
    """An action without its resource."""
    return f"An action of type {kind} needs the whole resource."


# --- resources --------------------------------------------------------------------------------------------------------


def valid(number: int) -> str:
    """The number of valid resources, if the check passes."""
    return f"{number} {'resource is' if number == 1 else 'resources are'} valid against FHIR R4B models"


def first_validated(number: int, limit: int) -> str:
    """More resources than the service validates."""
    return f"{number} resources: only the first {limit} are validated against FHIR R4B models."


def not_valid(problem: str) -> str:
    """An invalid resource."""
    return f"Not valid in FHIR R4B: {problem}.".replace("..", ".")
