"""Stored feedback: each piece once, however often the client sends it, and on disk before the acknowledgment."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, select, tuple_, update

from cds_service.hooks.client_names import WORKBENCH
from cds_service.hooks.feedback import DayRange, FeedbackItem, KeptFeedback, Reason
from cds_service.store.database import Store
from cds_service.store.instants import bounds, instant_of, text_of
from cds_service.store.tables import ACCEPTED_SUGGESTIONS, CARDS_SHOWN, FEEDBACK, SUGGESTIONS_SHOWN

KEY = ("client", "card", "outcome", "outcome_timestamp")
CONTENT = ("reason_code", "reason_system", "reason_display", "user_comment")
# Databases limit the number of values in one statement.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Saved:
    """The number of new items, of repeated items, and (``unknown``) of items about cards not on record."""

    new: int
    repeated: int
    unknown: int


def save(store: Store, items: Iterable[FeedbackItem], client_id: str, received_at: datetime) -> Saved:
    """Store a batch as a whole or not at all; on return it is committed and on disk.

    Two items are the same if client, card, outcome and outcomeTimestamp (as an instant) are. Items without a timestamp
    are the same if client, card and outcome are, so that a repeat never counts twice; their time is that of the first
    reception. A repeat adds suggestions, and its reason and comment, if any, replace the earlier ones. Raises
    StoreError: then nothing of the batch is stored.
    """
    batch = _merged(items, client_id)
    if not batch:
        return Saved(0, 0, 0)
    total = sum(times for _, times in batch.values())
    rows = [_row(key, item, received_at) for key, (item, _) in batch.items()]
    accepted = [
        dict(zip(KEY, key, strict=True)) | {"suggestion": suggestion}
        for key, (item, _) in batch.items()
        for suggestion in sorted(item.suggestions)
    ]
    with store.writing() as connection:
        insert = store.insert(FEEDBACK).on_conflict_do_nothing().returning(*(FEEDBACK.c[name] for name in KEY))
        new = {tuple(row) for row in connection.execute(insert, rows)}
        if known := [row for row in rows if tuple(row[name] for name in KEY) not in new]:
            connection.execute(_COMPLETED, [{f"at_{name}": value for name, value in row.items()} for row in known])
        if accepted:
            connection.execute(store.insert(ACCEPTED_SUGGESTIONS).on_conflict_do_nothing(), accepted)
        on_record = _on_record(connection, client_id, {card for _, card, _, _ in batch})
    unknown = sum(times for (_, card, _, _), (_, times) in batch.items() if card not in on_record)
    return Saved(len(new), total - len(new), unknown)


# A repeat adds or replaces values; it never removes any.
_COMPLETED = (
    update(FEEDBACK)
    .where(and_(*(FEEDBACK.c[name] == bindparam(f"at_{name}") for name in KEY)))
    .values(
        {
            name: func.coalesce(bindparam(f"at_{name}", type_=FEEDBACK.c[name].type), FEEDBACK.c[name])
            for name in CONTENT
        }
    )
)

_Key = tuple[str, str, str, str]


def _merged(items: Iterable[FeedbackItem], client_id: str) -> dict[_Key, tuple[FeedbackItem, int]]:
    """The items by key, with their counts, in a fixed order, because two batches could each wait for the other."""
    merged: dict[_Key, tuple[FeedbackItem, int]] = {}
    for item in items:
        key = (client_id, item.card, item.outcome, text_of(item.happened_at) if item.happened_at else "")
        if key not in merged:
            merged[key] = item, 1
            continue
        first, times = merged[key]
        both = replace(
            first,
            suggestions=tuple(dict.fromkeys([*first.suggestions, *item.suggestions])),
            reason=item.reason or first.reason,
            comment=item.comment or first.comment,
        )
        merged[key] = both, times + 1
    return dict(sorted(merged.items()))


def _row(key: _Key, item: FeedbackItem, received_at: datetime) -> dict[str, Any]:
    reason = item.reason
    return dict(zip(KEY, key, strict=True)) | {
        "happened_at": text_of(item.happened_at or received_at),
        "received_at": text_of(received_at),
        # The three parts of a reason belong together: a repeat has all of them or none.
        "reason_code": reason.code if reason else None,
        "reason_system": reason.system if reason else None,
        "reason_display": reason.display if reason else None,
        "user_comment": item.comment,
    }


def _on_record(connection: Connection, client_id: str, cards: set[str]) -> set[str]:
    found: set[str] = set()
    ordered = sorted(cards)
    for start in range(0, len(ordered), _AT_ONCE):
        some = ordered[start : start + _AT_ONCE]
        query = select(CARDS_SHOWN.c.card).where(CARDS_SHOWN.c.client == client_id, CARDS_SHOWN.c.card.in_(some))
        found |= set(connection.execute(query).scalars())
    return found


def kept(store: Store, days: DayRange, *, workbench: bool = False) -> list[KeptFeedback]:
    """All feedback of those days, oldest first. Feedback on a card of another client has no statement.

    ``workbench``: the feedback on the workbench's demo calls instead of all other. Raises StoreError.
    """
    first, beyond = bounds(days.since, days.until)
    table, shown = FEEDBACK.c, CARDS_SHOWN.c
    within = and_(table.happened_at >= first, table.happened_at < beyond, (table.client == WORKBENCH) == workbench)
    query = (
        select(FEEDBACK, shown.policy, shown.edition, shown.outcome.label("card_outcome"), shown.service)
        .outerjoin(CARDS_SHOWN, and_(shown.card == table.card, shown.client == table.client))
        .where(within)
        # Of two items with the same instant, the one received later counts as newer.
        .order_by(table.happened_at, table.received_at, *(table[name] for name in KEY))
    )
    accepted, offered = ACCEPTED_SUGGESTIONS.c, SUGGESTIONS_SHOWN.c
    taken = (
        select(*(accepted[name] for name in KEY), offered.label, accepted.suggestion)
        .join(FEEDBACK, tuple_(*(table[name] for name in KEY)) == tuple_(*(accepted[name] for name in KEY)))
        .outerjoin(SUGGESTIONS_SHOWN, and_(offered.suggestion == accepted.suggestion, offered.card == accepted.card))
        .where(within)
        .order_by(offered.label, accepted.suggestion)
    )
    with store.reading() as connection:
        labels: dict[tuple[Any, ...], list[str]] = {}
        others: dict[tuple[Any, ...], list[str]] = {}
        for *key, label, suggestion in connection.execute(taken):
            (others if label is None else labels).setdefault(tuple(key), []).append(label or suggestion)
        found = []
        for row in connection.execute(query).mappings():
            key = [row[name] for name in KEY]
            found.append(_kept(row, labels.get(tuple(key), ()), others.get(tuple(key), ())))
        return found


def number(store: Store) -> int:
    """The number of stored pieces of feedback. Raises StoreError."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(FEEDBACK)).scalar_one()


def remove_old(store: Store, first: date) -> Iterator[int]:
    """Remove feedback received before the UTC day ``first``, batch by batch; yields the number of pieces.

    The time that an EHR reports for the feedback does not matter here. Raises StoreError.
    """
    key = [FEEDBACK.c[name] for name in KEY]
    oldest = (
        select(*key)
        .where(FEEDBACK.c.received_at < bounds(first, None)[0])
        .order_by(FEEDBACK.c.received_at)
        .limit(_AT_ONCE)
    )
    while True:
        with store.writing() as connection:
            removed = connection.execute(delete(FEEDBACK).where(tuple_(*key).in_(oldest))).rowcount
        if not removed:
            return
        yield removed


def _kept(row: Any, suggestions: Sequence[str], others: Sequence[str]) -> KeptFeedback:
    reason = (row["reason_code"], row["reason_system"], row["reason_display"])
    return KeptFeedback(
        client=row["client"],
        card=row["card"],
        outcome=row["outcome"],
        happened_at=instant_of(row["happened_at"]),
        suggestions=tuple(suggestions),
        other_suggestions=tuple(others),
        reason=None if reason[0] is None else Reason(*reason),
        comment=row["user_comment"],
        policy=row["policy"],
        edition=row["edition"],
        card_outcome=row["card_outcome"],
        service=row["service"],
    )
