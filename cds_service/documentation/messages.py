"""What a launch or a form tells its user when it cannot go on, each with what to do next."""

from typing import NamedTuple


class FormMessage(NamedTuple):
    """A page that says why nothing more happens: its title, what happened, what to do, and its HTTP status."""

    title: str
    happened: str
    next: str
    status: int = 400


_FROM_THE_CHART = "Open the form from the card in the patient's chart again."
_ADMINISTRATOR = "Ask your administrator to look at the registration of this service at the EHR."

UNKNOWN_SERVER = FormMessage(
    "This EHR is not registered",
    "The launch names a FHIR server that this service does not know.",
    _ADMINISTRATOR,
)
CANNOT_REACH = FormMessage(
    "The EHR could not be reached",
    "The service asked the EHR how to sign you in and got no answer.",
    "Try again in a minute. If it happens again, tell your administrator.",
    502,
)
NO_SMART = FormMessage(
    "The EHR does not say how to sign in",
    "The service cannot use what the EHR says of its authorization.",
    _ADMINISTRATOR,
    502,
)
NO_COOKIE = FormMessage(
    "This sign-in cannot be continued",
    "The browser did not keep this form's cookie, or the sign-in took too long, or was used before.",
    f"{_FROM_THE_CHART} If the EHR shows the form inside its own window, open it in a window of its own.",
)
OTHER_SERVER = FormMessage(
    "The answer came from another server",
    "The EHR that answered is not the one that was asked. Nothing was sent to it.",
    f"{_FROM_THE_CHART} If it happens again, tell your administrator.",
)
DENIED = FormMessage(
    "The EHR did not give access",
    "You or the EHR refused this form access to the chart. Nothing was read or written.",
    f"{_FROM_THE_CHART} and allow the access that it asks for.".replace(". and", " and"),
    403,
)
NO_TOKEN = FormMessage(
    "The EHR did not complete the sign-in",
    "The EHR refused to give this service access to the chart. Nothing was read or written.",
    f"{_FROM_THE_CHART} If it happens again, tell your administrator.",
    502,
)
NO_PATIENT = FormMessage(
    "The EHR did not say which patient",
    "Without a patient there is no chart to read and nowhere to write.",
    f"{_FROM_THE_CHART} If it happens again, tell your administrator.",
    502,
)
BAD_IDENTITY = FormMessage(
    "The EHR did not say who you are",
    "What the EHR said of the user cannot be trusted. Nothing was read or written.",
    f"{_FROM_THE_CHART} If it happens again, tell your administrator.",
    502,
)
GONE = FormMessage(
    "This form is not open any more",
    "It was finished, or 30 minutes went by without an answer, or it was opened in another browser.",
    f"{_FROM_THE_CHART} A draft that was saved in the EHR is offered there.",
    404,
)


NOT_EVALUATED = FormMessage(
    "There is no evidence page for this order now",
    "The chart was read again, and the criteria were not counted.",
    "Sign the order again to see what the card says.",
    200,
)
CHOOSE_AGAIN = FormMessage(
    "This choice was made before",
    "The page was opened, or 30 minutes went by.",
    "Open the page from the card in the patient's chart again.",
    404,
)


class LaunchError(Exception):
    """A launch that cannot go on: the message for the user, and a detail for it that names nothing of a patient."""

    def __init__(self, message: FormMessage, detail: str = "") -> None:
        super().__init__(message.title)
        self.message, self.detail = message, detail
