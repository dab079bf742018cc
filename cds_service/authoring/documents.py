"""Edited copies of a rule set's documents, which load like the originals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.policy.places import Steps

Documents = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Edit:
    """One place of a document and its new value; ``removes`` deletes the place."""

    file: str
    steps: Steps
    value: Any = None
    removes: bool = False


def at(document: Any, steps: Steps) -> Any:
    """The value at a place."""
    for step in steps:
        document = document[step]
    return document


def edited(documents: Documents, edits: tuple[Edit, ...]) -> dict[str, Any]:
    """The documents with all edits applied; unedited parts are shared with the originals."""
    changed = dict(documents)
    for edit in edits:
        changed[edit.file] = _edited(changed[edit.file], edit.steps, edit)
    return changed


def _edited(value: Any, steps: Steps, edit: Edit) -> Any:
    if not steps:
        return edit.value
    copied = value.copy()
    if len(steps) == 1 and edit.removes:
        del copied[steps[0]]
    elif len(steps) == 1 and isinstance(copied, list) and steps[0] == len(copied):
        copied.append(edit.value)
    else:
        inner = copied[steps[0]] if len(steps) > 1 else None
        copied[steps[0]] = _edited(inner, steps[1:], edit)
    return copied
