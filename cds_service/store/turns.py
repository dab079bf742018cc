"""Turns: work that one of all workers and hosts of a store does while the others leave it alone."""

from datetime import datetime

from cds_service.store.database import Store
from cds_service.store.instants import text_of
from cds_service.store.tables import PULSE


def take(store: Store, name: str, now: datetime, before: datetime) -> bool:
    """Takes the turn ``name`` where nobody has since ``before``; whether it was taken.

    ``name`` has at most 20 characters; both instants have a time zone. Raises StoreError.
    """
    row = {"name": name, "at": text_of(now)}
    taken = (
        store.insert(PULSE)
        .values(row)
        .on_conflict_do_update(index_elements=["name"], set_={"at": row["at"]}, where=PULSE.c.at < text_of(before))
    )
    with store.writing() as connection:
        # Of an INSERT the number is forgotten where nobody asks for it to be kept.
        return connection.execute(taken, execution_options={"preserve_rowcount": True}).rowcount == 1
