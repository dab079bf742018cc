"""The closed vocabulary of rule sets, and the schema of policy.json that is built from it.

Each kind of fact and each word of tests has its own file, in ``facts/kinds`` and ``facts/words``; ``facts.vocabulary``
lists them. The loader takes the vocabulary as an argument, so a rule set can be loaded with an extended one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cds_service.policy.json_files import FileSchema, written_schema
from cds_service.policy.loading.facts import LoadedKind
from cds_service.policy.loading.tests import LoadedWord


@dataclass(frozen=True, slots=True, eq=False)
class LoadedVocabulary:
    """The kinds of facts and the words of tests, by name."""

    kinds: Mapping[str, LoadedKind]
    words: Mapping[str, LoadedWord]

    def complete(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema of policy.json, completed with what kinds and words require; ``schema`` itself does not change."""
        definitions = dict(schema["$defs"])
        test, fact, attribute = (dict(definitions[name]) for name in ("test", "fact", "attribute"))
        test["properties"] = {name: part for word in self.words.values() for name, part in word.schema.items()}
        for definition, needs in (
            (fact, {kind.name: kind.needs for kind in self.kinds.values()}),
            (
                attribute,
                {
                    name: {"required": list(kind.of_events)}
                    for name, kind in sorted(self.kinds.items())
                    if kind.of_events is not None
                },
            ),
        ):
            definition["properties"] = {"kind": {"enum": list(needs)}, **definition["properties"]}
            definition["allOf"] = [
                {"if": {"properties": {"kind": {"const": name}}}, "then": needed}
                for name, needed in needs.items()
                if needed
            ]
        return {**schema, "$defs": {**definitions, "test": test, "fact": fact, "attribute": attribute}}


@cache
def schema(name: str, vocabulary: LoadedVocabulary) -> FileSchema:
    """The schema of one file of a rule set folder, such as "policy" or "card", as a FileSchema."""
    written = written_schema(name)
    return FileSchema(vocabulary.complete(written) if name == "policy" else written)
