"""Feedback as sent: parses JSON, or raises a RequestError that says what is wrong, where, and what is allowed.

CDS Hooks 2.0, "Feedback", read liberally where EHRs are known to differ: ``overrideReasons`` for ``overrideReason``, an
extension instead of a reason, ids that are not UUIDs, a reason without ``system``, one object instead of a list, no
``outcomeTimestamp``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from cds_service.errors import RequestError

ACCEPTED, OVERRIDDEN = "accepted", "overridden"
OUTCOMES = (ACCEPTED, OVERRIDDEN)
MOST_ITEMS = 1000
MOST_SUGGESTIONS = 20
LONGEST_ID = 200
LONGEST_SYSTEM = LONGEST_DISPLAY = 500
LONGEST_COMMENT = 2000
CUT = " [cut]"
# Epic sends this extension instead of a coded reason; its category is a number of Epic's own.
_EXTENSION = "com.epic.cdshooks.feedback.overrideReason."
# RFC 3339; a time without a zone is UTC, as CDS Hooks requires.
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,12})?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reason:
    """The EHR's coded reason for overriding a card; members that were not sent are empty."""

    code: str = ""
    system: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True)
class FeedbackItem:
    """The feedback for one card. ``happened_at`` is the outcomeTimestamp in UTC; None if not sent.

    ``comment`` is a user's free text and may describe a patient: it may go into the store, and nowhere else.
    """

    card: str
    outcome: str
    happened_at: datetime | None
    suggestions: tuple[str, ...] = ()
    reason: Reason | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFeedback:
    """One stored piece of feedback, with the facts of its card; these are all None for an unknown card.

    ``suggestions`` are the labels of accepted suggestions; ``other_suggestions`` are the ids, as sent, of unknown ones.
    """

    client: str
    card: str
    outcome: str
    happened_at: datetime
    suggestions: tuple[str, ...]
    other_suggestions: tuple[str, ...]
    reason: Reason | None
    comment: str | None
    policy: str | None
    edition: str | None
    card_outcome: str | None
    service: str | None


@dataclass(frozen=True, slots=True)
class CardsShown:
    """The number of a rule set's cards with one outcome, shown in some range of days."""

    policy: str
    card_outcome: str
    cards: int


@dataclass(frozen=True, slots=True)
class DayRange:
    """A range of UTC days, both included; None means open."""

    since: date | None = None
    until: date | None = None


def parse(body: Any, most: int = MOST_ITEMS) -> list[FeedbackItem]:
    """The items of a feedback request, in its order; unknown members are ignored.

    Raises RequestError 400 with the place of the first fault, or 413 for more than ``most`` items. Then the whole body
    is refused; the sender corrects it and sends the whole batch again. No error message repeats a value of the body.
    """
    given = _object(body, "The body", "").get("feedback")
    if given is None:
        raise _refused("feedback is required but missing.", "feedback", "required")
    if isinstance(given, dict):
        return [_item(given, "feedback")]
    items = _list(given, "feedback")
    if len(items) > most:
        raise RequestError(
            413,
            "too-long",
            f"feedback has {len(items)} entries; at most {most} are allowed in one request.",
            "feedback",
        )
    return [_item(item, f"feedback[{index}]") for index, item in enumerate(items)]


def _item(given: Any, place: str) -> FeedbackItem:
    item = _object(given, place, place)
    card = _id(item, "card", place)
    outcome = item.get("outcome")
    if outcome not in OUTCOMES:
        raise _refused(f"{place}.outcome must be 'accepted' or 'overridden'.", f"{place}.outcome", "value")
    reason, comment = _override(item, place)
    return FeedbackItem(card, str(outcome), _instant(item, place), tuple(_suggestions(item, place)), reason, comment)


def _suggestions(item: Mapping[str, Any], place: str) -> Iterable[str]:
    given = item.get("acceptedSuggestions")
    if given is None:
        return ()
    where = f"{place}.acceptedSuggestions"
    entries = [given] if isinstance(given, dict) else _list(given, where)
    if len(entries) > MOST_SUGGESTIONS:
        raise _refused(
            f"{where} has {len(entries)} entries; at most {MOST_SUGGESTIONS} are allowed.", where, "too-long"
        )
    places = [f"{where}[{index}]" for index in range(len(entries))]
    named = [_id(_object(entry, at, at), "id", at) for entry, at in zip(entries, places, strict=True)]
    return dict.fromkeys(named)


def _override(item: Mapping[str, Any], place: str) -> tuple[Reason | None, str | None]:
    name = next((name for name in ("overrideReason", "overrideReasons") if item.get(name) is not None), None)
    if name is None:
        return None, None
    given, where = item[name], f"{place}.{name}"
    if isinstance(given, list):
        if len(given) > 1:
            raise _refused(f"{where} has {len(given)} reasons; only one is allowed.", where, "too-many")
        if not given:
            return None, None
        given, where = given[0], f"{where}[0]"
    override = _object(given, where, where)
    reason = _reason(override, where) or _extended(override, where)
    return reason, _text(override, "userComment", where, LONGEST_COMMENT)


def _reason(override: Mapping[str, Any], place: str) -> Reason | None:
    if override.get("reason") is None:
        return None
    where = f"{place}.reason"
    given = _object(override["reason"], where, where)
    reason = Reason(
        _id(given, "code", where) if given.get("code") is not None else "",
        _text(given, "system", where, LONGEST_SYSTEM) or "",
        _text(given, "display", where, LONGEST_DISPLAY) or "",
    )
    return reason if reason != Reason() else None


def _extended(override: Mapping[str, Any], place: str) -> Reason | None:
    extension = override.get("extension")
    if not isinstance(extension, dict):
        return None
    where = f"{place}.extension"
    code = _text(extension, f"{_EXTENSION}reasonCategory", where, LONGEST_ID, LONGEST_ID)
    display = _text(extension, f"{_EXTENSION}reasonDisplay", where, LONGEST_DISPLAY)
    title = _text(extension, f"{_EXTENSION}reasonTitle", where, LONGEST_DISPLAY)
    if not (code or display or title):
        return None
    return Reason(code or "", _EXTENSION.rstrip("."), display or title or "")


def _instant(item: Mapping[str, Any], place: str) -> datetime | None:
    given, where = item.get("outcomeTimestamp"), f"{place}.outcomeTimestamp"
    if given in (None, ""):
        return None
    if isinstance(given, str) and _TIMESTAMP.fullmatch(given):
        try:
            instant = datetime.fromisoformat(given.upper())
            return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass
    raise _refused(f"{where} must be a time in UTC such as 2026-11-25T10:00:00Z.", where, "value")


def _id(parent: Mapping[str, Any], name: str, place: str) -> str:
    value, where = parent.get(name), f"{place}.{name}"
    if value in (None, ""):
        raise _refused(f"{where} is required but missing.", where, "required")
    if not isinstance(value, str):
        raise _refused(f"{where} must be text.", where)
    if len(value) > LONGEST_ID:
        raise _refused(f"{where} has {len(value)} characters; at most {LONGEST_ID} are allowed.", where, "too-long")
    if not value.isprintable():
        raise _refused(f"{where} contains a character that cannot be printed; send printable text.", where, "value")
    return value


def _text(parent: Mapping[str, Any], name: str, place: str, longest: int, refused_beyond: int = 0) -> str | None:
    """A text, cut with a mark if too long, and without characters that no database can store."""
    value, where = parent.get(name), f"{place}.{name}"
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise _refused(f"{where} must be text.", where)
    if refused_beyond and len(value) > refused_beyond:
        raise _refused(f"{where} has {len(value)} characters; at most {longest} are allowed.", where, "too-long")
    kept = value if len(value) <= longest else value[: longest - len(CUT)] + CUT
    return "".join("\ufffd" if letter == "\0" or "\ud800" <= letter <= "\udfff" else letter for letter in kept)


def _object(value: Any, says: str, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _refused(f"{says} must be an object.", place)
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise _refused(f"{place} must be a list.", place)
    return value


def _refused(sentence: str, place: str, code: str = "structure") -> RequestError:
    return RequestError(400, code, sentence, place or None)
