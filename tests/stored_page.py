"""The tables of docs/what-is-stored.md: what is stored, from the tables of the store, a line of the audit log, and the
settings. A column or member that has no meaning here stops the making of the page.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from cds_service.hooks.feedback import FeedbackItem, Reason
from cds_service.operations.audit import AuditLog, Call, Caller, Feedback
from cds_service.operations.audit_lines import Wanted, read
from cds_service.operations.sealing import Keys
from cds_service.settings.settings import Settings
from cds_service.store.tables import METADATA
from cds_service.web import outcomes
from tests.shipped import TODAY, answers, example

NOTHING, PSEUDONYM, CONTENT = "nothing", "pseudonym", "patient data"
FREE_TEXT = "whatever the user or app wrote"


class Table(NamedTuple):
    """What a table of the store is for, how long its rows stay, and for each column what it holds and what of the
    patient that is."""

    purpose: str
    kept: str
    columns: Mapping[str, tuple[str, str]]


WHOSE_FEEDBACK = {
    "client": ("the client, as the clients file names it", NOTHING),
    "card": ("UUID of the card, as the EHR sent it", PSEUDONYM),
    "outcome": ("accepted or overridden", PSEUDONYM),
    "outcome_timestamp": ("time of the outcome, as the EHR sent it", PSEUDONYM),
}
FEEDBACK_DAYS = "`CDS_SERVICE_FEEDBACK_DAYS`"
AUDIT_DAYS = "`CDS_SERVICE_AUDIT_DAYS`"

TABLES = {
    "feedback": Table(
        "What clinicians did with cards",
        f"{FEEDBACK_DAYS} from receipt",
        {
            **WHOSE_FEEDBACK,
            "happened_at": ("time of the outcome; without one, time of receipt", PSEUDONYM),
            "received_at": ("time of receipt", PSEUDONYM),
            "reason_code": ("code of the override reason", FREE_TEXT),
            "reason_system": ("code system of the reason", FREE_TEXT),
            "reason_display": ("text of the reason, as sent", FREE_TEXT),
            "user_comment": ("comment by the user", FREE_TEXT),
        },
    ),
    "accepted_suggestions": Table(
        "Suggestions that users accepted",
        "with their feedback",
        {**WHOSE_FEEDBACK, "suggestion": ("UUID of the suggestion", PSEUDONYM)},
    ),
    "cards_shown": Table(
        "Cards shown, so that the service can count feedback",
        f"{AUDIT_DAYS}; a card with feedback, as long as its feedback",
        {
            "card": ("UUID of the card: a keyed hash", PSEUDONYM),
            "client": ("the client, as the clients file names it", NOTHING),
            "policy": ("rule set", PSEUDONYM),
            "edition": ("edition", PSEUDONYM),
            "outcome": ("outcome of the card", PSEUDONYM),
            "service": ("service that was called", NOTHING),
            "day": ("UTC day", PSEUDONYM),
        },
    ),
    "suggestions_shown": Table(
        "Suggestions on each card shown",
        "with their card",
        {
            "suggestion": ("UUID of the suggestion", PSEUDONYM),
            "card": ("UUID of the card", PSEUDONYM),
            "label": ("label of the suggestion, in the rule set's words", NOTHING),
        },
    ),
    "tokens_seen": Table(
        "Callers' tokens, so that no token works twice",
        "until a few minutes after the token expires",
        {
            "key": ("SHA-256 of issuer and jti", NOTHING),
            "expires": ("time of expiry", NOTHING),
        },
    ),
    "activity": Table(
        "The number of orders and cards for each statement and day",
        AUDIT_DAYS,
        {
            "policy": ("rule set", NOTHING),
            "day": ("UTC day", NOTHING),
            "orders": ("number of orders", NOTHING),
            "cards": ("number of cards", NOTHING),
        },
    ),
    "form_sessions": Table(
        "Documentation forms that are open in a browser",
        "until the form is finished, or 30 minutes after its last use",
        {
            "key": ("SHA-256 of the form's name", NOTHING),
            "expires": ("time of expiry", NOTHING),
            "server_key": ("name of the server's key", NOTHING),
            "sealed": (
                "access token, excerpt of the chart, and answers, encrypted with the server's key and the browser's "
                "cookie",
                CONTENT,
            ),
        },
    ),
    "evidence_pages": Table(
        "Evidence pages behind the links of cards",
        "`CDS_SERVICE_EVIDENCE_HOURS`",
        {
            "key": ("SHA-256 of the page's id", NOTHING),
            "card": ("UUID of the card", PSEUDONYM),
            "client": ("the client, as the clients file names it", NOTHING),
            "expires": ("time of expiry", NOTHING),
            "server_key": ("name of the server's key", NOTHING),
            "sealed": (
                "the page, encrypted: sex, age, dates, codes, findings; no name, MRN, or birth date. Neither the store "
                "nor the server's key opens it without the link",
                CONTENT,
            ),
            "browser": ("SHA-256 of a random value in the browser that opened the page", NOTHING),
        },
    ),
    "workbench_sessions": Table(
        "Data that apps wrote into one browser's demo charts in the workbench",
        "8 hours after the last change, at most 500 sessions; unreadable after a restart",
        {
            "key": ("SHA-256 of the session's name", NOTHING),
            "expires": ("time of expiry", NOTHING),
            "sealed": (
                "new resources of synthetic charts, hashes of tokens, and the chosen refusals, encrypted with a key "
                "that is only in memory",
                FREE_TEXT,
            ),
        },
    ),
    "pulse": Table(
        "Times of the last check and the last pruning of the store",
        "until the next check or pruning",
        {"name": ("task", NOTHING), "at": ("time", NOTHING)},
    ),
}

LINE = {
    "time": ("time of the answer (UTC)", PSEUDONYM),
    "id": ("random id of the line", NOTHING),
    "kind": ("call or feedback", NOTHING),
    "request": ("random id of the call, also in the log", NOTHING),
    "client": ("the client, as the clients file names it", NOTHING),
    "issuer": ("`iss` of the caller's token", NOTHING),
    "tenant": ("`tenant` of the token", NOTHING),
    "jti": ("`jti` of the token", NOTHING),
    "sub": ("`sub` of the token; with some EHRs a user", NOTHING),
    "service": ("service that was called", NOTHING),
    "status": ("HTTP status", NOTHING),
    "milliseconds": ("duration", NOTHING),
    "version": ("version of the program", NOTHING),
    "today": ("UTC day as of which the service evaluated the call", PSEUDONYM),
    "hook": ("hook", NOTHING),
    "hookInstance": ("keyed hash of the EHR's id of the call", PSEUDONYM),
    "patient": ("keyed hash of the patient's id", PSEUDONYM),
    "outcome": ("outcome of the call", PSEUDONYM),
    "policies": (
        "for each card: rule set, edition, digest, outcome, results of verdicts and criteria, UUID",
        PSEUDONYM,
    ),
    "requestSha256": ("SHA-256 of the request", PSEUDONYM),
    "responseSha256": ("SHA-256 of the answer", PSEUDONYM),
    "feedback": ("card, outcome, accepted suggestions, and reason (only codes that our cards offer)", PSEUDONYM),
    "content": ("call, answer, and fetched records, encrypted; only if turned on", CONTENT),
}

# What bounds each kind: days, and the cap at which something goes or is refused.
LIMITS = (
    ("audit log", "audit_days", "audit_max_bytes", "bytes"),
    ("cards shown", "audit_days", "store_max_cards", "rows"),
    ("evidence pages", "evidence_hours", "evidence_max_pages", "rows"),
    ("feedback", "feedback_days", "store_max_feedback", "rows"),
)


def store() -> str:
    """Every table of the store and each of its columns."""
    return "\n\n".join(_table(name) for name in METADATA.tables)


def _table(name: str) -> str:
    about = TABLES[name]
    head = f"**`{name}`** {about.purpose}. Kept: {about.kept}."
    return "\n".join([head, "", *_rows("column", _explained(METADATA.tables[name].columns.keys(), about.columns))])


def line() -> str:
    """Every member of a line of the audit log."""
    return "\n".join(_rows("member", _explained(members(), LINE)))


def _explained(names: Iterable[str], meanings: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, tuple[str, str]]]:
    return ((name, meanings[name]) for name in names)


def _rows(head: str, explained: Iterable[tuple[str, tuple[str, str]]]) -> list[str]:
    rows = [f"| {head} | content | about the patient |", "|---|---|---|"]
    return [*rows, *(f"| `{name}` | {what} | {of_patient} |" for name, (what, of_patient) in explained)]


def members() -> list[str]:
    """The members of the lines of a call with its content and of feedback, as they are written."""
    found: dict[str, None] = {}
    with TemporaryDirectory() as folder:
        log = AuditLog(Path(folder), b"a key of the tests", Keys({"k": b"k" * 32}), lambda: datetime.now(UTC))
        log.call(_call())
        log.feedback(_feedback())
        for path in Path(folder).iterdir():
            for text in path.read_text(encoding="utf-8").splitlines():
                found |= dict.fromkeys(json.loads(text))
        assert len(list(read(Path(folder), Wanted(), None, lambda sentence: None))) == 2
    return list(found)


def _call() -> Call:
    return Call(
        **_about(), outcome="card", response=b"{}", today=TODAY, told=outcomes.told(answers(example("typical-gaps")))
    )


def _feedback() -> Feedback:
    return Feedback(**_about(), items=[FeedbackItem("x", "overridden", None, (), Reason("r"), "comment")])


def _about() -> dict[str, Any]:
    caller = Caller(client="ehr")
    return {
        **{"request_id": "0" * 32, "service": "s", "caller": caller, "status": 200, "milliseconds": 1.0},
        "request": b"{}",
    }


def limits() -> str:
    """How long and how much is kept, with the settings and their defaults."""
    rows = ["| data | maximum time | maximum amount |", "|---|---|---|"]
    for what, days, cap, unit in LIMITS:
        time = days.rpartition("_")[2]
        rows.append(
            f"| {what} | {_default(days)} {time} ({_variable(days)}) | {_default(cap)} {unit} ({_variable(cap)}) |"
        )
    return "\n".join(rows)


def _default(name: str) -> str:
    return f"{Settings.model_fields[name].default:,}"


def _variable(name: str) -> str:
    return f"`CDS_SERVICE_{name.upper()}`"
