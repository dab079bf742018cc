"""Alembic's entry point: runs the migrations on the connection and in the transaction of ``store.migration``."""

from alembic import context

from cds_service.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
