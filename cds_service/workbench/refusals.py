"""What the demo EHR refuses on demand, to see what an app does then: one choice for each step of a launch. Pure."""

from dataclasses import asdict, dataclass
from typing import Any

from cds_service.errors import RequestError
from cds_service.workbench import words

OFF = ""
# How long a write that is answered late is held, in seconds: longer than an app waits, shorter than a proxy does.
LATE_SECONDS = 15.0
ACCESS_SECONDS = 300
DENIED, CUT = "denied", "cut"
TIMEOUT, RESET = "timeout", "reset"
# With this one alone the rest of what an app can fall back on is still taken.
FORMS = "QuestionnaireResponse"


# Of a write that is refused with a status: the code of the issue, and headers of the answer.
_ANSWERS: dict[str, tuple[str, dict[str, str]]] = {
    "401": ("login", {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
    "403": ("forbidden", {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}),
    "404": ("not-supported", {}),
    "405": ("not-supported", {"Allow": "GET"}),
    "409": ("conflict", {}),
    "412": ("conflict", {}),
    "422": ("business-rule", {}),
    "500": ("exception", {}),
}


@dataclass(frozen=True, slots=True)
class Refusals:
    """What is switched on; each is a value of ``words.REFUSALS``, empty where nothing is refused."""

    authorization: str = OFF
    write: str = OFF
    of: str = OFF
    read_back: str = OFF
    lifetime: str = OFF

    @classmethod
    def of_json(cls, given: Any) -> "Refusals":
        """The choices that a page sends. Raises RequestError 400 for one that there is not."""
        if not isinstance(given, dict):
            raise RequestError(400, "structure", words.NO_CHOICES)
        for name, value in given.items():
            allowed = list(words.REFUSALS[name][1]) if name in words.REFUSALS else []
            if value not in allowed:
                raise RequestError(400, "value", words.no_choice(str(name)[:30], allowed), str(name)[:30])
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
        """What becomes of a write of resources of these types: a value of "write"."""
        return self.write if not self.of or self.of in kinds else OFF


def refusal_of(status: str) -> RequestError:
    """The answer of a write that is refused with a status (a value of "write")."""
    code, headers = _ANSWERS[status]
    return RequestError(int(status), code, words.REFUSED[status], headers=headers)
