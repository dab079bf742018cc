"""codes.json: systems and code sets."""

from collections.abc import Iterable, Mapping
from typing import Any

from cds_service.fhir.elements import Key
from cds_service.fhir.terminology import RXNORM, canonical_code, canonical_system
from cds_service.policy import drugs
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.loading.problems import Problems, Reader

NO_CODES = CodeSet(name="none", title="none", codes=(), exact={}, families=(), phrases=())


class CodeReader(Reader):
    """Reads the code sets of codes.json and finds them for the other parts of the rule set."""

    def __init__(
        self, problems: Problems, document: Mapping[str, Any], sets: Mapping[str, CodeSet] | None = None
    ) -> None:
        """``sets`` are already built from parts of the document that have not changed."""
        super().__init__(problems)
        self.systems: Mapping[str, Any] = document["systems"]
        known = sets or {}
        self.sets = {
            name: known[name] if name in known else self._code_set(name, entry)
            for name, entry in document["sets"].items()
        }

    def system(self, name: str, place: str, file: str = "codes") -> str:
        """The canonical URI of a code system that the folder names."""
        if not self.known(name, self.systems, "system", file, place):
            return name
        return canonical_system(self.systems[name]["url"])

    def set_named(self, name: str | None, place: str) -> CodeSet | None:
        """The code set with that name; None if ``name`` is None or unknown. An unknown name is noted."""
        if name is None or not self.known(name, self.sets, "code set", "policy", place):
            return None
        return self.sets[name]

    def _code_set(self, name: str, entry: Mapping[str, Any]) -> CodeSet:
        rows = [self._code(row, f"$.sets.{name}.codes[{n}]") for n, row in enumerate(entry["codes"])]
        exact: dict[Key, Code] = {}
        for row in rows:
            if (row.system, row.code) in exact:
                self.problem("codes", f"$.sets.{name}", f"{row.system_name} {row.code} occurs twice in the set")
            if not row.is_family:
                exact[row.system, row.code] = row
        ingredients = self._ingredients(name, entry)
        exact |= {(RXNORM, code): row for code, row in drugs.codes_of(ingredients)}
        named = dict(drugs.names_of(ingredients))
        pair = entry.get("text_together", {})
        together = _phrases(pair.get("any_of", ()))
        if not rows and not ingredients and not entry.get("text") and not pair:
            self.problem("codes", f"$.sets.{name}", "the set has neither codes nor text and can match nothing")
        return CodeSet(
            name=name,
            title=entry["title"],
            codes=(*rows, *ingredients.values()),
            exact=exact,
            families=tuple(row for row in rows if row.is_family),
            phrases=(*_phrases(entry.get("text", ())), *named, *together),
            beside=_phrases(pair.get("beside", ())),
            together=together,
            words_beside_codes="words_beside_codes" in entry,
            unless=_phrases(entry.get("unless", ())),
            drugs=named,
            ingredients=tuple(ingredients),
        )

    def _ingredients(self, name: str, entry: Mapping[str, Any]) -> dict[str, Code]:
        known = drugs.drug_table().drugs
        place = f"$.sets.{name}.ingredients"
        found = [drug for drug in entry.get("ingredients", ()) if self.known(drug, known, "drug", "codes", place)]
        return {row.label: row for row in drugs.rows_of(found)}

    def _code(self, entry: Mapping[str, Any], place: str) -> Code:
        return code_of(self.system(entry["system"], f"{place}.system"), entry)


def code_of(system: str, entry: Mapping[str, Any]) -> Code:
    """The Code of a schema-valid row of codes.json; ``system`` is canonical."""
    return Code(
        system=system,
        system_name=entry["system"],
        code=canonical_code(system, entry["code"].removesuffix("-").removesuffix(".")),
        label=entry["label"],
        seen=entry["seen"],
        provenance=entry["provenance"],
        valid_from=entry["valid_from"],
        valid_until=entry["valid_until"],
        leaves=tuple(entry.get("leaves", ())),
        remark=entry.get("remark"),
        use=entry.get("use"),
        prefix=entry["code"].endswith("-"),
        through=canonical_code(system, entry["through"]) if "through" in entry else "",
        exceptions=tuple(canonical_code(system, code) for code in entry.get("except", ())),
    )


def _phrases(listed: Iterable[str]) -> tuple[str, ...]:
    return tuple(f" {phrase} " for phrase in listed)
