"""The store's schema, version by version; ``store.migration`` runs them, no alembic.ini is needed."""
