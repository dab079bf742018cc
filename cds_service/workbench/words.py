"""The words that modules of the demo EHR give to its pages, in one place so that a site can reword or translate them.
All other words are in ``static/workbench/strings.js`` and in the templates; the words of the Check tab are in
``check_words``. Answers of the FHIR and OAuth servers to programs stay in those modules.
"""

from collections.abc import Iterable, Mapping

# The app that the consent page names.
APP = "Documentation form of cds-service"
NO_NAME = "A patient without a name"

# The groups of the patient list by the content of a patient's card, the most informative first.
FACETS: Mapping[str, str] = {
    "documentation": "Documentation needed",
    "off-label": "Off-label or contraindicated",
    "conflict": "Conflicting records",
    "met": "Label criteria met",
    "trial": "Label met, trial criteria open",
    "payer": "Payer excludes it",
    "question": "Order unclear",
    "routed": "Not evaluated",
    "not-checked": "Not checked",
    "none": "No card",
    "other": "Another outcome",
}

# --- refusals of the demo EHR -----------------------------------------------------------------------------------------

Choices = Mapping[str, str]
# For each choice, by its name: its label, and the words for each value ("" for no refusal).
REFUSALS: Mapping[str, tuple[str, Choices]] = {
    "authorization": (
        "Authorization",
        {"": "Ask on the consent page", "denied": "Deny every authorization", "cut": "Grant reading, no writing"},
    ),
    "write": (
        "Writes",
        {
            "": "Accept",
            "401": "401: the token is not accepted",
            "403": "403: the scope does not allow it",
            "404": "404: this type cannot be written",
            "405": "405: the method is not allowed",
            "409": "409: changed by somebody else",
            "412": "412: a precondition fails",
            "422": "422: a business rule refuses it",
            "500": "500: the server fails",
            "timeout": "Store it, and answer too late",
            "reset": "Reset the connection",
        },
    ),
    "of": ("Applies to", {"": "Every write", "QuestionnaireResponse": "QuestionnaireResponse only"}),
    "read_back": ("Reading it back", {"": "Show what was written", "403": "403 for what was written"}),
    "lifetime": ("Access token lasts", {"": "5 minutes", "30": "30 seconds", "5": "5 seconds"}),
}
NO_CHOICES = "The choices must be an object."
# The EHR's message about a write that it refuses, which an app may show.
REFUSED: Mapping[str, str] = {
    "401": "The access token is no longer accepted.",
    "403": "The granted scope does not allow this write.",
    "404": "This server does not know the type of resource.",
    "405": "This server does not let apps write this type of resource.",
    "409": "Another user changed the record in the meantime. Read it again and repeat the change.",
    "412": "A precondition of the request does not hold.",
    "422": "A rule of this EHR refuses the resource: the encounter is closed.",
    "500": "The EHR failed. It is not known whether anything was stored.",
}


def no_choice(name: str, allowed: Iterable[str]) -> str:
    """An unknown choice or value; ``allowed`` is empty if no choice has that name."""
    values = ", ".join(map(repr, allowed))
    return f"'{name}' must be one of {values}." if values else f"'{name}' is not a choice."


# --- consent ----------------------------------------------------------------------------------------------------------

SESSION_OVER = "The session of the workbench is over. Launch the app again."
OTHER_SESSION = "This page belongs to another session of the workbench. Launch the app again."
ANSWERED_BEFORE = "This page was answered before, or is too old. Launch the app again."
NOT_ANSWERED = "The authorization request could not be answered."
NOT_AUTHORIZED = "The app was not authorized"
# The permission that each scope gives, as the user reads it.
SCOPES: Mapping[str, str] = {
    "openid": "Know who you are",
    "fhirUser": "Read your own record as a user",
    "launch": "Know which patient is open",
    "launch/patient": "Know which patient is open",
}
READ, WRITE = "Read", "Write"
EVERY_KIND = "every kind of record"


def scope(verb: str, records: str) -> str:
    """The permission of an app to use records; ``verb`` is READ or WRITE."""
    return f"{verb} {records}"


# --- a Bundle that a user brings --------------------------------------------------------------------------------------

NOT_AN_OBJECT = "This is not a FHIR Bundle: it must be a JSON object."
A_REQUEST = "This is a CDS Hooks request, not a Bundle. Paste it in the Developer panel, under Request, and resend it."
EMPTY = "The Bundle is empty: entry must list at least one Patient."
NO_PATIENT = "The Bundle holds no Patient; add the Patient whose records these are."
NO_ID = "The Patient has no id; the other resources name it by Patient/id."
NOT_CHOSEN = "patientId names no Patient of the Bundle."
NO_TEMPLATES = "templates must be an object of prefetch keys and templates."


def no_bundle(kind: str) -> str:
    """A resource that is not a Bundle; ``kind`` is its type, "" if it has none."""
    said = f"resourceType is '{kind}'" if kind else "it has no resourceType"
    return f"This is not a FHIR Bundle: {said}; it must be 'Bundle'."


def no_resource(place: str) -> str:
    """An entry without a resource."""
    return f"{place}.resource must be a FHIR resource."


def no_type(place: str) -> str:
    """A resource without a type."""
    return f"{place}.resource has no resourceType."


def too_many_patients(number: int, most: int) -> str:
    """A Bundle with more patients than the list can show."""
    return f"The Bundle holds {number} patients; at most {most} can be listed."


def too_many_templates(most: int) -> str:
    """More templates than the service answers."""
    return f"At most {most} templates are answered."


def no_template(key: str, why: str) -> str:
    """A template that cannot be resolved."""
    return f"The template of '{key}': {why}."
