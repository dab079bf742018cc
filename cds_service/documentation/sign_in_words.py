"""The words of launch and sign-in at the EHR, in one place so that a site can reword or translate them.

A message says what happened and what to do. A detail follows "What the service saw:", and contains no patient data.
"""

from cds_service.documentation.messages import FormMessage

# The EHR lists the service under this name, and shows it to users on the consent page.
APP_NAME = "cds-service documentation form"

_FROM_THE_CHART = "Open the form from the card in the patient's chart again."
_IF_AGAIN = "If it happens again, tell your administrator."
_ADMINISTRATOR = "Ask your administrator to check how this service is registered with the EHR."

UNKNOWN_SERVER = FormMessage(
    "This EHR is not registered",
    "The launch names a FHIR server that this service does not know.",
    _ADMINISTRATOR,
)
CANNOT_REACH = FormMessage(
    "The EHR could not be reached",
    "The service asked the EHR how to sign you in and got no answer.",
    f"Try again in a minute. {_IF_AGAIN}",
    502,
)
NO_SMART = FormMessage(
    "The EHR does not say how to sign in",
    "The service cannot use the sign-in settings that the EHR publishes.",
    _ADMINISTRATOR,
    502,
)
NO_COOKIE = FormMessage(
    "This sign-in cannot be continued",
    "The browser did not keep this form's cookie, or the sign-in took too long, or was used before.",
    f"{_FROM_THE_CHART} If the EHR shows the form inside its own window, open it in a separate window.",
)
OTHER_SERVER = FormMessage(
    "The answer came from another server",
    "The EHR that answered is not the one that was asked. Nothing was sent to it.",
    f"{_FROM_THE_CHART} {_IF_AGAIN}",
)
DENIED = FormMessage(
    "The EHR did not give access",
    "You or the EHR denied this form access to the chart. Nothing was read or written.",
    "Open the form from the card in the patient's chart again and allow the access that it asks for.",
    403,
)
NO_TOKEN = FormMessage(
    "The EHR did not complete the sign-in",
    "The EHR refused to give this service access to the chart. Nothing was read or written.",
    f"{_FROM_THE_CHART} {_IF_AGAIN}",
    502,
)
NO_PATIENT = FormMessage(
    "The EHR did not say which patient",
    "Without a patient, there is no chart to read and nowhere to write.",
    f"{_FROM_THE_CHART} {_IF_AGAIN}",
    502,
)
BAD_IDENTITY = FormMessage(
    "The EHR did not say who you are",
    "What the EHR sent about the user cannot be trusted. Nothing was read or written.",
    f"{_FROM_THE_CHART} {_IF_AGAIN}",
    502,
)

NO_ISSUER = "its answer does not say whose it is"
ERROR = "it answered with an error"
NO_CODE = "its answer has no code"
NO_ACCESS_TOKEN = "its answer has no access token"  # noqa: S105 - words
NOT_BEARER = "its token is not a Bearer token"
NOT_JSON = "its answer is not JSON"
NOT_AN_OBJECT = "its answer is not a JSON object"
ID_TOKEN_UNREADABLE = "its id_token cannot be read"  # noqa: S105 - words
ID_TOKEN_INVALID = "its id_token is not valid"  # noqa: S105 - words
ID_TOKEN_EXPIRED = "its id_token has expired"  # noqa: S105 - words
ID_TOKEN_OF_ANOTHER = "its id_token is of another sign-in"  # noqa: S105 - words


def status(number: int) -> str:
    """An unusable status of an answer."""
    return f"it answered with status {number}"


def not_named(member: str) -> str:
    """A member that is missing in the configuration."""
    return f"it does not say its {member}"


def not_https(member: str) -> str:
    """An unsafe address in the configuration."""
    return f"its {member} is not an https address"
