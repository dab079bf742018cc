"""Refusals of the demo EHR on demand, to test how an app reacts: one choice for each step of a launch. Pure."""

from dataclasses import asdict, dataclass
from typing import Any

from cds_service.errors import RequestError
from cds_service.workbench import words

OFF = ""
# The delay of a late answer to a write, in seconds: longer than an app waits, shorter than a proxy waits.
LATE_SECONDS = 15.0
ACCESS_SECONDS = 300
DENIED, CUT = "denied", "cut"
TIMEOUT, RESET = "timeout", "reset"
# If the EHR refuses only this type, it still accepts an app's fallback types.
FORMS = "QuestionnaireResponse"


# For each status of a refused write: the code of the issue, and the headers of the answer.
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
    """The refusals that are on; each is a value of ``words.REFUSALS``, empty for no refusal."""

    authorization: str = OFF
    write: str = OFF
    of: str = OFF
    read_back: str = OFF
    lifetime: str = OFF

    @classmethod
    def of_json(cls, given: Any) -> "Refusals":
        """The choices that a page sends. Raises RequestError 400 for an unknown choice or value."""
        if not isinstance(given, dict):
            raise RequestError(400, "structure", words.NO_CHOICES)
        for name, value in given.items():
            allowed = list(words.REFUSALS[name][1]) if name in words.REFUSALS else []
            if value not in allowed:
                raise RequestError(400, "value", words.no_choice(str(name)[:30], allowed), str(name)[:30])
        return cls(**given)

    @classmethod
    def read(cls, kept: dict[str, str]) -> "Refusals":
        """The choices as a session stores them."""
        return cls(**kept)

    def as_json(self) -> dict[str, str]:
        """The choices by name."""
        return asdict(self)

    def access_seconds(self) -> int:
        """The lifetime of an access token in seconds."""
        return int(self.lifetime or ACCESS_SECONDS)

    def of_write(self, kinds: set[str]) -> str:
        """The outcome of a write of resources of these types: a value of "write"."""
        return self.write if not self.of or self.of in kinds else OFF


def refusal_of(status: str) -> RequestError:
    """The answer to a write that the EHR refuses with a status (a value of "write")."""
    code, headers = _ANSWERS[status]
    return RequestError(int(status), code, words.REFUSED[status], headers=headers)
