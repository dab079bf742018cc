"""The faults of one rule set folder, collected so that an author sees all of them at once."""

from collections.abc import Collection, Iterable
from pathlib import Path

from cds_service.spelling import nearest


class Problems:
    """Sentences, each of which names file, place, what is wrong, and what is allowed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sentences: list[str] = []

    def note(self, file: str, place: str, sentence: str) -> None:
        """Notes a fault in ``<file>.json`` at a JSON path."""
        self.sentences.append(f"{self.folder / file}.json: {place}: {sentence}")


class Reader:
    """Base of the readers: each reads one part of a rule set and notes its faults."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def problem(self, file: str, place: str, sentence: str) -> None:
        """Notes a fault."""
        self._problems.note(file, place, sentence)

    def unique(self, ids: Iterable[str], file: str, place: str) -> None:
        """Notes duplicate ids."""
        ids = list(ids)
        for name in sorted({name for name in ids if ids.count(name) > 1}):
            self.problem(file, place, f"the id '{name}' occurs twice; each needs its own")

    def known(self, name: str, allowed: Collection[str], what: str, file: str, place: str) -> bool:
        """Whether a name is allowed; if not, notes the name and the allowed ones."""
        if name in allowed:
            return True
        article = "an" if what[0] in "aeiou" else "a"
        self.problem(file, place, f"'{name}' is not {article} {what}; {nearest(name, sorted(allowed))}")
        return False
