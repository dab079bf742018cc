"""The words that a payer's plan names begin with. They identify the payer, not which of the payer's policies
applies."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from cds_service.fhir.free_text import words


class PayerName(NamedTuple):
    """A payer by its common name, and the words that its plan names begin with; a name with a word of ``but_not``
    belongs to another payer."""

    id: str
    name: str
    begins: tuple[str, ...]
    but_not: frozenset[str]


class PayerNames:
    """The payers of payer-names.json (schema-valid), looked up by their plan names."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._spellings: Mapping[str, str] = document.get("spellings", {})
        others = document.get("not_medical", ())
        # Each beginning with its payer, by the first word.
        self._beginnings: dict[str, list[tuple[str, PayerName]]] = {}
        for row in document["payers"]:
            begins, but_not = tuple(row["begins"]), frozenset((*row.get("but_not", ()), *others))
            payer = PayerName(row["id"], row["name"], begins, but_not)
            for beginning in begins:
                self._beginnings.setdefault(beginning.partition(" ")[0], []).append((beginning, payer))

    def payer_of(self, name: str) -> PayerName | None:
        """The payer of a plan name, by the longest matching beginning; None if nothing matches."""
        text = words(name).strip()
        for written, short in self._spellings.items():
            text = text.replace(written, short)
        fitting = [
            (len(beginning), payer)
            for beginning, payer in self._beginnings.get(text.partition(" ")[0], ())
            if f"{text} ".startswith(f"{beginning} ")
            and not any(f" {other} " in f" {text} " for other in payer.but_not)
        ]
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


NO_PAYER_NAMES = PayerNames({"payers": []})
