"""The statements that migrate an empty database, kept for all stores of a test process.

Alembic takes far longer to find out what to do than the database takes to do it, and it does the same for each of the
hundreds of empty stores that tests open. A store that has tables already is migrated by Alembic itself.
"""

from sqlalchemy import Connection, event, inspect

from cds_service.store import migration

# By kind of database.
_STATEMENTS: dict[str, list[str]] = {}
_READS = ("SELECT", "PRAGMA")
_by_alembic = migration.migrate


def _migrate(connection: Connection, revision: str) -> None:
    kind = connection.dialect.name
    if revision != migration.NEWEST or inspect(connection).get_table_names():
        _by_alembic(connection, revision)
    elif known := _STATEMENTS.get(kind):
        for statement in known:
            connection.exec_driver_sql(statement)
    else:
        _STATEMENTS[kind] = _seen_migrating(connection)


def _seen_migrating(connection: Connection) -> list[str]:
    """Has Alembic migrate an empty database; gives the statements that changed it."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        if not statement.lstrip().startswith(_READS):
            assert not parameters, statement
            seen.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        _by_alembic(connection, migration.NEWEST)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return seen


def keep_migrations() -> None:
    """Lets all empty stores of this process be migrated by what Alembic did to the first."""
    migration.migrate = _migrate
