"""The settings in effect, for an operator: each with its source, secrets masked."""

from typing import Any, NamedTuple

from pydantic import SecretStr

from cds_service.settings.settings import Settings, variable

MASK = "********"


class Effective(NamedTuple):
    """One setting: its variable, its JSON value, its source (``default`` or ``environment``), and its meaning."""

    variable: str
    value: Any
    source: str
    meaning: str


def effective(settings: Settings) -> list[Effective]:
    """Every setting in the order of the operator's guide; a secret that is set appears only as the mask."""
    values = settings.model_dump(mode="json")
    return [
        Effective(
            variable(name),
            _masked(getattr(settings, name), values[name]),
            "environment" if name in settings.model_fields_set else "default",
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def _masked(value: Any, plain: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else None
    return None if plain == "" else plain


def table(rows: list[Effective]) -> str:
    """The settings as lines of three columns: variable, source, value."""
    width = max(len(row.variable) for row in rows)
    return "\n".join(f"{row.variable.ljust(width)}  {row.source.ljust(11)}  {_shown(row.value)}" for row in rows)


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
