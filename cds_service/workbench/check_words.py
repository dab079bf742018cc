"""The words of the Check tab of the Developer panel, in one place so that a site can reword or translate them: the
sentence for each check that passes, and for each problem.
"""

from collections.abc import Iterable

# --- a call -----------------------------------------------------------------------------------------------------------

NOT_AN_OBJECT = "The body must be a JSON object."
ACCEPTED = "The service accepts the call"
COUNTS = "Every record that was sent counts as this patient's"
MEMBERS = "hookInstance is a UUID, and every member is one of CDS Hooks 2.0"
CONTEXT = "context names user and patient as the hook asks"
DRAFTS = "draftOrders is a Bundle of drafts with ids"
SELECTIONS = "Every selection names a draft"
READABLE = "Every draft can be read as an order for this patient"
ACCESS = "fhirServer and fhirAuthorization are complete"
PREFETCH_SENT = "Every prefetch key of discovery was sent, or can be fetched"
PREFETCH_FITS = "Every prefetch value is what its template asks for"

ORDER_OF_ANOTHER = (
    "This order is for a patient other than context.patientId: 400 where a statement concerns it, else ignored."
)
INSTANCE = "hookInstance must be a UUID, a new one for each time the hook fires."
PATIENT_ID = "context.patientId must be the id alone, without 'Patient/'."
ENCOUNTER_TEXT = "context.encounterId must be text, or be left out."
ENCOUNTER_ID = "context.encounterId must be the id alone, without 'Encounter/'."
EVERY_HOOK = "every hook"
DRAFTS_TYPE = "context.draftOrders must be a FHIR Bundle; say resourceType."
BUNDLE_TYPE = "A FHIR Bundle needs a type, such as collection."
DRAFT_ID = "The draft has no id: only a fullUrl selects it, and no suggestion can change it."
DRAFT_STATUS = "Orders of order-select are drafts: status must be 'draft'."
SELECTS_NOTHING = "This selection names no order in context.draftOrders."
NOTHING_SELECTED = "Nothing is selected, so there can be no card."
SERVER_ADDRESS = "fhirServer must be an absolute https address."
SERVER_HTTPS = "fhirServer must be https: it sends patient data."
TOKEN_TYPE = "fhirAuthorization.token_type must be 'Bearer'."  # noqa: S105 - words
PATIENT_OF_SCOPES = "The scopes are those of one patient: fhirAuthorization.patient should name that patient."
# The content of each member of fhirAuthorization.
GRANT = {
    "access_token": "the token",
    "token_type": "'Bearer'",
    "expires_in": "the token's lifetime in seconds, a whole number",
    "scope": "the scopes granted, separated by spaces",
    "subject": "the OAuth 2.0 client id of this service at the authorization server",
}


def hook(allowed: Iterable[str]) -> str:
    """An unknown hook."""
    return f"hook must be one of {', '.join(allowed)}; it decides which service is called."


def answered(status: int, sentence: str) -> str:
    """A call that the service refuses."""
    return f"The service answers {status}: {sentence}"


def not_an_order(sentence: str) -> str:
    """An unreadable draft."""
    return f"Not read as an order: {sentence}"


def no_member(name: str) -> str:
    """A member that CDS Hooks does not define."""
    return f"'{name}' is not a member of a CDS Hooks request; the service ignores it."


def user_missing(hook: str) -> str:
    """A call without a user; ``hook`` is "" if the hook is unknown."""
    return f"context.userId is required by {hook or EVERY_HOOK}; send Type/id."


def user(types: Iterable[str]) -> str:
    """An unreadable user."""
    return f"context.userId must be Type/id with one of {', '.join(types)}."


def no_field(hook: str, name: str) -> str:
    """A context field that the hook does not define."""
    return f"{hook} has no context field '{name}'; it is ignored."


def grant(member: str) -> str:
    """A missing member of fhirAuthorization."""
    return f"fhirAuthorization.{member} is required: {GRANT[member]}."


def not_covered(kind: str) -> str:
    """A resource type that the call neither includes nor lets the service read."""
    return f"The scopes do not cover {kind}, which prefetch does not hold either: its criteria stay unknown."


# --- its prefetch -----------------------------------------------------------------------------------------------------

WILL_FETCH = "Not sent: the service fetches it from fhirServer where an order needs it."
NO_PATIENT = "Not sent, and there is no FHIR server to ask: an order that is recognized is answered 412."
WRAPPED = "Wrapped in {response, resource}, as before CDS Hooks 1.0: send the resource itself."
FIRST_PAGE = "This is the first page of several: the service fetches the rest."
FIRST_PAGE_ALONE = "This is the first page of several, and there is no FHIR server to ask for the rest."
A_SEARCH = "The template is a search: send the whole searchset Bundle."
A_LIST = "A prefetch value is one resource or one Bundle, not a list."
OTHER_PATIENT = "The Patient is not the one of context.patientId."


def no_key(key: str, known: Iterable[str]) -> str:
    """A prefetch key that discovery does not list."""
    return f"Discovery has no prefetch key '{key}'; the keys are {', '.join(known)}."


def no_template(why: str) -> str:
    """A missing key whose template cannot be resolved."""
    return f"Not sent, and its template cannot be resolved: {why}."


def not_sent(template: str) -> str:
    """A missing key, with no FHIR server to ask."""
    return (
        f"Not sent, and there is no FHIR server to ask: criteria that need it stay unknown. Its template is {template}"
    )


def failed(why: str) -> str:
    """An unusable value."""
    return f"Counts as failed, so criteria that need it stay unknown: {why}."


def a_read(kind: str) -> str:
    """A Bundle instead of a resource."""
    return f"The template is a read: send the {kind} itself, not a Bundle."


def holds_others(kind: str, others: Iterable[str]) -> str:
    """A value with resource types other than the type of its key."""
    return f"This key is for {kind}, but the value holds {', '.join(others)}."


def of_another(number: int, kind: str) -> str:
    """Records of another patient."""
    said = f"{number} {kind} {'is' if number == 1 else 'are'}"
    return f"{said} of another patient than context.patientId; ignored as evidence."


def none_counts(received: int, kind: str, example: str) -> str:
    """Received records that are all unusable; ``example`` names one record and the reason."""
    return (
        f"The service can use none of the {received} {kind} that it received, so criteria that need them stay unknown: "
        f"{example}."
    )


def not_counted(number: int, received: int, kind: str, example: str) -> str:
    """Received records that are partly unusable; ``example`` names one record and the reason."""
    return f"{number} of {received} {kind} do not count: {example}."


# --- its answer -------------------------------------------------------------------------------------------------------

CARD_COMPLETE = "Every card has a uuid, a summary under 140 characters, an indicator, and a source"
SUGGESTIONS_COMPLETE = "Every suggestion has a label, a uuid, and actions that can be taken"
LINKS_COMPLETE = "Every link is absolute and says its type"
REASONS_COMPLETE = "Every override reason has a code, a system, and words"
SYSTEM_ACTIONS_COMPLETE = "Every system action can be taken"
NO_CARDS = "An answer is a JSON object with a list 'cards'."
SYSTEM_ACTIONS = "systemActions must be a list of actions, or be left out."
CARD = "A card must be an object."
SUMMARY = "A card needs a summary."
SOURCE = "A card needs a source with a label."
SOURCE_ADDRESS = "The address of a source must be absolute."
CARD_ID = "Without a uuid, no feedback can name the card."
REASON = "A reason needs a code, a system, and a display."
SUGGESTION = "A suggestion needs a label."
SUGGESTION_ID = "Without a uuid, no feedback can name the suggestion."
ACTION = "An action needs a description."
ACTION_DELETES = "An action of type delete names what it deletes."
LINK = "A link needs a label, a url, and a type (absolute or smart)."
LINK_ADDRESS = "The address of a link must be absolute."
LINK_CONTEXT = "Only a link of type smart has an appContext."


def summary_length(limit: int) -> str:
    """A summary over the length limit."""
    return f"A summary has fewer than {limit} characters."


def one_of(member: str, allowed: Iterable[str]) -> str:
    """A member whose value is not allowed."""
    return f"{member} must be one of {', '.join(allowed)}."


def action_holds(kind: str) -> str:
    """An action without its resource."""
    return f"An action of type {kind} holds the whole resource."


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
