"""What is shown in place of a page of the form or of a sign-in that cannot go on."""

from typing import NamedTuple


class FormMessage(NamedTuple):
    """A page that says why nothing more happens: its title, what happened, what to do, and its HTTP status."""

    title: str
    happened: str
    next: str
    status: int = 400


class LaunchError(Exception):
    """A launch that cannot go on: the message for the user, and a detail for it that names nothing of a patient."""

    def __init__(self, message: FormMessage, detail: str = "") -> None:
        super().__init__(message.title)
        self.message, self.detail = message, detail
