"""The words of launch and sign-in at the EHR, in one place so that a site can reword or translate them.

A message says what happened and what to do. A detail follows "What the service saw:", and contains no patient data.
"""

from cds_service.documentation.messages import FormMessage

# The EHR lists the service under this name, and shows it to users on the consent page.
APP_NAME = "cds-service documentation form"

_FROM_THE_CHART = "Open the form again from the card in the patient's chart."
_IF_AGAIN = "If it happens again, tell your administrator."
_ADMINISTRATOR = "Ask your administrator to check how this service is registered with the EHR."

UNKNOWN_SERVER = FormMessage(
    "This EHR is not registered",
    "The launch names a FHIR server that this service does not know.",
    _ADMINISTRATOR,
)
CANNOT_REACH = FormMessage(
    "The service could not reach the EHR",
    "The service asked the EHR how to sign you in and got no answer.",
    f"Try again in a minute. {_IF_AGAIN}",
    502,
)
NO_SMART = FormMessage(
    "The EHR's sign-in settings cannot be used",
    "The service cannot use the sign-in settings that the EHR publishes.",
    _ADMINISTRATOR,
    502,
)
NO_COOKIE = FormMessage(
    "This sign-in cannot continue",
    "The browser did not keep this form's cookie, or the sign-in took too long or was already used.",
    f"{_FROM_THE_CHART} If the EHR shows the form inside its own window, open it in a separate window.",
)
OTHER_SERVER = FormMessage(
    "The answer came from another server",
    "The service asked one EHR to sign you in, and another EHR answered. The service sent nothing to that EHR.",
    f"{_FROM_THE_CHART} {_IF_AGAIN}",
)
DENIED = FormMessage(
    "The EHR denied access",
    "You or the EHR denied this form access to the chart. Nothing was read or written.",
    "Open the form again from the card in the patient's chart, and allow the access that the form requests.",
    403,
)
NO_TOKEN = FormMessage(
    "The EHR did not complete the sign-in",
    "The EHR refused to give this service access to the chart. Nothing was read or written.",
    f"{_FROM_THE_CHART} {_IF_AGAIN}",
    502,
)
NO_PATIENT = FormMessage(
    "The EHR did not identify the patient",
    "Without a patient, the service cannot read a chart or save the form.",
    f"{_FROM_THE_CHART} {_IF_AGAIN}",
    502,
)
BAD_IDENTITY = FormMessage(
    "The EHR did not identify you",
    "The service cannot verify what the EHR sent about you. Nothing was read or written.",
    f"{_FROM_THE_CHART} {_IF_AGAIN}",
    502,
)

NO_ISSUER = "the answer does not name its issuer"
ERROR = "the EHR answered with an error"
NO_CODE = "the answer has no code"
NO_ACCESS_TOKEN = "the answer has no access token"  # noqa: S105 - a sentence, not a secret
NOT_BEARER = "the token is not a Bearer token"
NOT_JSON = "the answer is not JSON"
NOT_AN_OBJECT = "the answer is not a JSON object"
ID_TOKEN_UNREADABLE = "the id_token cannot be read"  # noqa: S105 - a sentence, not a secret
ID_TOKEN_INVALID = "the id_token is not valid"  # noqa: S105 - a sentence, not a secret
ID_TOKEN_EXPIRED = "the id_token has expired"  # noqa: S105 - a sentence, not a secret
ID_TOKEN_OF_ANOTHER = "the id_token belongs to another sign-in"  # noqa: S105 - a sentence, not a secret


def status(number: int) -> str:
    """An unusable status of an answer."""
    return f"the EHR answered with status {number}"


def not_named(member: str) -> str:
    """A member that is missing in the configuration."""
    return f"the settings do not include {member}"


def not_https(member: str) -> str:
    """An unsafe address in the configuration."""
    return f"{member} is not an https address"
