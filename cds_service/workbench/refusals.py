"""What the demo EHR refuses on demand, to see what an app does then: one choice for each step of a launch. Pure."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from cds_service.errors import RequestError

OFF = ""
# How long a write that is answered late is held, in seconds: longer than an app waits, shorter than a proxy does.
LATE_SECONDS = 15.0
ACCESS_SECONDS = 300
DENIED, CUT = "denied", "cut"
TIMEOUT, RESET = "timeout", "reset"
# With this one alone the rest of what an app can fall back on is still taken.
FORMS = "QuestionnaireResponse"


class Option(NamedTuple):
    """One choice: its value, and the words for it on the page."""

    value: str
    text: str


AUTHORIZATION = (
    Option(OFF, "Ask on the consent page"),
    Option(DENIED, "Deny every authorization"),
    Option(CUT, "Grant reading, no writing"),
)
WRITES = (
    Option(OFF, "Accept"),
    Option("401", "401: the token is not accepted"),
    Option("403", "403: the scope does not allow it"),
    Option("404", "404: this type cannot be written"),
    Option("405", "405: the method is not allowed"),
    Option("409", "409: changed by somebody else"),
    Option("412", "412: a precondition fails"),
    Option("422", "422: a business rule refuses it"),
    Option("500", "500: the server fails"),
    Option(TIMEOUT, "Store it, and answer too late"),
    Option(RESET, "Reset the connection"),
)
OF = (Option(OFF, "Every write"), Option(FORMS, "QuestionnaireResponse only"))
READ_BACK = (Option(OFF, "Show what was written"), Option("403", "403 for what was written"))
LIFETIMES = (Option(OFF, "5 minutes"), Option("30", "30 seconds"), Option("5", "5 seconds"))

OPTIONS = {
    "authorization": ("Authorization", AUTHORIZATION),
    "write": ("Writes", WRITES),
    "of": ("Applies to", OF),
    "read_back": ("Reading it back", READ_BACK),
    "lifetime": ("Access token lasts", LIFETIMES),
}
_ANSWERS = {
    "401": (
        "login",
        "The access token is not accepted any more.",
        {"WWW-Authenticate": 'Bearer error="invalid_token"'},
    ),
    "403": (
        "forbidden",
        "The granted scope does not allow this write.",
        {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    ),
    "404": ("not-supported", "This server does not know the type of resource.", {}),
    "405": ("not-supported", "This server does not let apps write this type of resource.", {"Allow": "GET"}),
    "409": ("conflict", "Another user changed the record meanwhile. Read it again and repeat the change.", {}),
    "412": ("conflict", "A precondition of the request does not hold.", {}),
    "422": ("business-rule", "A rule of this EHR refuses the resource: the encounter is closed.", {}),
    "500": ("exception", "The EHR failed. It is not known whether anything was stored.", {}),
}


@dataclass(frozen=True, slots=True)
class Refusals:
    """What is switched on; each is a value of ``OPTIONS``, empty where nothing is refused."""

    authorization: str = OFF
    write: str = OFF
    of: str = OFF
    read_back: str = OFF
    lifetime: str = OFF

    @classmethod
    def of_json(cls, given: Any) -> "Refusals":
        """The choices that a page sends. Raises RequestError 400 for one that there is not."""
        if not isinstance(given, dict):
            raise RequestError(400, "structure", "The choices must be an object.")
        for name, value in given.items():
            allowed = [option.value for option in OPTIONS[name][1]] if name in OPTIONS else []
            if value not in allowed:
                said = f"must be one of {', '.join(map(repr, allowed))}" if allowed else "is no choice"
                raise RequestError(400, "value", f"'{str(name)[:30]}' {said}.", str(name)[:30])
        return cls(**given)

    @classmethod
    def read(cls, kept: dict[str, str]) -> "Refusals":
        """The choices as a session keeps them."""
        return cls(**kept)

    def as_json(self) -> dict[str, str]:
        """The choices by name."""
        return asdict(self)

    def access_seconds(self) -> int:
        """How long an access token is good."""
        return int(self.lifetime or ACCESS_SECONDS)

    def of_write(self, kinds: set[str]) -> str:
        """What becomes of a write of resources of these types: a value of ``WRITES``."""
        return self.write if not self.of or self.of in kinds else OFF


def refusal_of(status: str) -> RequestError:
    """The answer of a write that is refused with a status (one of ``WRITES``)."""
    code, sentence, headers = _ANSWERS[status]
    return RequestError(int(status), code, sentence, headers=headers)
