"""The words of the documentation form, in one place so that a site can reword or translate them.

Sentences of a page that change little are in its template. The words next to questions are also those of the
Questionnaire, in ``questionnaire/question_words.py``.
"""

from collections.abc import Iterable

from cds_service.documentation.messages import FormMessage

GONE = FormMessage(
    "This form is no longer open",
    "The form was finished, had no answer for 30 minutes, or was opened in another browser.",
    "Open the form again from the card in the patient's chart. You can continue a draft that was saved in the EHR.",
    404,
)
NOT_EVALUATED = FormMessage(
    "No evidence page is available for this order",
    "The service read the chart again and did not evaluate the criteria.",
    "Sign the order again to get a current card.",
    200,
)
CHOOSE_AGAIN = FormMessage(
    "This choice is no longer available",
    "The page was already opened, or 30 minutes passed.",
    "Open the page again from the card in the patient's chart.",
    404,
)
EVIDENCE_OF_WHICH = "Evidence for which therapy?"

# Reasons for no evidence page, or for no form to fill in.
LONGER_ROUTED = "The chart now shows that these criteria do not apply to this order."
NO_PART = "The order does not name a side, and the criteria apply to each side separately."
NO_PATIENT_SENT = "the EHR sent no Patient"

# Faults of a field.
WHY_DESPITE = "Explain why the answer stands despite that record."
YES_OR_NO = "Answer yes or no, or leave the question blank."
A_NUMBER = "Enter a number, such as 44 or 27.4."
DATE_OF_EVENT = "Enter the date, or leave these fields blank."
A_DATE = "Enter a date such as 11/02/2026, or a month such as 11/2026."
NOT_IN_FUTURE = "Enter a date that is not in the future."
CHOOSE_ROLE = "Choose your role for signing."
CONFIRM = "Confirm the statement to sign."

# Reasons to refuse a form.
NOT_FROM_ITS_PAGE = "This form was not submitted from its own page. Open it again from the card."
FROM_ANOTHER_SITE = "You can submit this form only from its own page."
SENT_TOO_OFTEN = "This form was submitted too many times. Open it again from the card."
NO_PLACE = "the EHR did not say where it stored the resource"

# Words that repeat an answer to the user, and words of a response about its form.
YES, NO = "Yes", "No"
IN_THE_DRAFT, ATTESTED = "In the draft", "Attested"
UNNAMED = "an unnamed author"
ANSWERED_FORM = "Documentation form, answered"
FORM = "Documentation form"


def number_between(least: float, most: float) -> str:
    """A number out of range."""
    return f"Enter a number from {least:g} to {most:g}."


def at_most(characters: int) -> str:
    """A text over the length limit."""
    return f"Use at most {characters} characters."


def patient_unread(why: str) -> str:
    """A chart without a readable patient."""
    return f"The service could not read the Patient: {why}."


def read_again(why_not: str) -> str:
    """The reason that a chart has no evidence page after the second reading; ``why_not`` is a sentence."""
    return f"The service read the chart again. {why_not}"


def said_before(word: str, answer: str, when: str, by: str) -> str:
    """An earlier form's answer; ``word`` is ATTESTED or IN_THE_DRAFT, ``by`` is "" for an unnamed author."""
    return f"{word} {answer}, {when}, {by or UNNAMED}"


def own_draft(when: str) -> str:
    """The user's own draft, filled in again."""
    return f"your draft of {when}"


def draft_of(by: str, when: str) -> str:
    """Another user's draft, filled in again; ``by`` is "" for an unnamed author."""
    return f"{by or UNNAMED}'s draft of {when}"


def withdrawn(question: str) -> str:
    """A withdrawn answer."""
    return f"{question} Withdrawn: the earlier answer no longer holds"


def observed(day: str) -> str:
    """The date of the observation behind an answer."""
    return f"observed {day}"


def based_on(what: Iterable[str]) -> str:
    """The basis of an answer."""
    return f"based on {', '.join(what)}"


def because(reason: str) -> str:
    """The reason for a no."""
    return f"because {reason}"


def despite(records: Iterable[str], why: str) -> str:
    """The records that contradict an answer, and the reason why it stands."""
    return f"despite {', '.join(records)}: {why}"


def document(title: str) -> str:
    """The document with the answers about a rule set."""
    return f"{title}: answers to the documentation form"


def response(title: str, edition: str) -> str:
    """The heading of a response, as many EHRs show it."""
    return f"{title}: documentation form, version {edition}"


def signer(name: str, role: str) -> str:
    """The signer, with the chosen role if any."""
    return f"{name}, {role}" if role else name


def signed(by: str, on: str) -> str:
    """The end of a signed response."""
    return f"Signed by {by} on {on}."


def draft(by: str, on: str) -> str:
    """The end of an unsigned response."""
    return f"Draft of {on} by {by}, not signed."
