"""Turns: work that only one of a store's workers and hosts does at a time."""

from datetime import datetime

from cds_service.store.database import Store
from cds_service.store.instants import text_of
from cds_service.store.tables import PULSE


def take(store: Store, name: str, now: datetime, before: datetime) -> bool:
    """Take the turn ``name`` unless it was taken since ``before``; returns True if it was taken now.

    ``name`` has at most 20 characters; both instants have a time zone. Raises StoreError.
    """
    row = {"name": name, "at": text_of(now)}
    taken = (
        store.insert(PULSE)
        .values(row)
        .on_conflict_do_update(index_elements=["name"], set_={"at": row["at"]}, where=PULSE.c.at < text_of(before))
    )
    with store.writing() as connection:
        # By default, the number of rows is not available for an INSERT.
        return connection.execute(taken, execution_options={"preserve_rowcount": True}).rowcount == 1
