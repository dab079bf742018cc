"""The messages that replace a page of the form, or of a sign-in, that cannot continue."""

from typing import NamedTuple


class FormMessage(NamedTuple):
    """A page that explains why the form cannot continue: title, event, next step, and HTTP status."""

    title: str
    happened: str
    next: str
    status: int = 400


class LaunchError(Exception):
    """A launch that cannot continue: the message for the user, and a detail without patient data."""

    def __init__(self, message: FormMessage, detail: str = "") -> None:
        super().__init__(message.title)
        self.message, self.detail = message, detail
