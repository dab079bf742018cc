"""A store with feedback that nobody gave, for tests and pictures of the page that shows it."""

from datetime import UTC, date, datetime, timedelta

from cds_service.hooks.feedback import ACCEPTED, OVERRIDDEN, FeedbackItem, Reason
from cds_service.store import shown
from cds_service.store.database import Store
from cds_service.store.feedback import save
from cds_service.store.shown import Shown
from tests.shipped import library

DAY = date(2026, 11, 2)
CLIENT = "anonymous"
SERVICE = "coverage-guidance-order-sign"
LATER = Reason("documented-elsewhere", "", "Already documented elsewhere")
OTHER = Reason("authorization-on-file", "", "Authorization already on file")
DISAGREES = Reason("clinical-judgement", "", "Patient differs, clinical judgment")
# For each statement in turn: what its cards said, how many were shown, accepted, and overridden for which reason.
MADE_UP: tuple[tuple[tuple[str, int, int, tuple[tuple[Reason | None, int], ...]], ...], ...] = (
    (
        ("met", 42, 31, ((OTHER, 2), (None, 1))),
        ("unknown", 67, 18, ((LATER, 19), (OTHER, 4))),
        ("not-met", 23, 3, ((DISAGREES, 7), (LATER, 3), (None, 2))),
    ),
    (
        ("unknown", 38, 12, ((LATER, 6), (DISAGREES, 3))),
        ("ask", 9, 0, ((None, 2),)),
        ("pathway", 4, 0, ()),
    ),
)
LABELS = {"met": "Add the billing codes", "unknown": "Add the form", "not-met": "Add a task for the clinic"}


def fill(store: Store) -> None:
    """Keeps the cards, one a day from DAY on, and the feedback on them."""
    for policy, rows in zip(library().policies, MADE_UP, strict=True):
        for outcome, number, accepted, overridden in rows:
            cards = [f"{policy.id}-{outcome}-{index}" for index in range(number)]
            days = [DAY + timedelta(days=index % 20) for index in range(number)]
            shown.record(
                store,
                [
                    Shown(
                        card=card,
                        client=CLIENT,
                        policy=policy.id,
                        edition=policy.edition,
                        outcome=outcome,
                        service=SERVICE,
                        day=day,
                        suggestions=((f"{card}-s", LABELS[outcome]),) if outcome in LABELS else (),
                    )
                    for card, day in zip(cards, days, strict=True)
                ],
            )
            first = list(zip(cards, days, strict=True))[:accepted]
            taken = [FeedbackItem(card, ACCEPTED, at(day), (f"{card}-s",)) for card, day in first]
            reasons = [reason for reason, times in overridden for _ in range(times)]
            rest = zip(cards[accepted:], days[accepted:], reasons, strict=False)
            left = [FeedbackItem(card, OVERRIDDEN, at(day), reason=reason) for card, day, reason in rest]
            save(store, [*taken, *left], CLIENT, at(DAY))


def at(day: date) -> datetime:
    """A moment of a day."""
    return datetime(day.year, day.month, day.day, 14, tzinfo=UTC)
