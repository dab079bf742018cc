"""The store's schema, version by version; ``store.migration`` runs the migrations, without an alembic.ini."""
