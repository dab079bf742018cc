"""policy.json, facts and scope: what is read from the chart."""

from collections.abc import Mapping
from typing import Any

from cds_service.fhir.elements import unit_spelling
from cds_service.policy.loading.code_sets import CodeReader
from cds_service.policy.loading.problems import Problems, Reader
from cds_service.policy.model import FactRule

# What each kind of fact is compared by.
YES_OR_NO = ("answer", "record", "order")
NUMBERS = ("age", "onset", "since", "measurement", "reduction", "parts")
# What may be asked about one of several events.
OF_EVENTS = ("answer", "measurement", "reduction")


class FactReader(Reader):
    """Reads the facts; ``scope`` is the name of what the statement judges apart, or None."""

    def __init__(self, problems: Problems, codes: CodeReader, scope: str | None) -> None:
        super().__init__(problems)
        self._codes = codes
        self._scope = scope

    def facts(self, entries: Mapping[str, Any], place: str) -> dict[str, FactRule]:
        """The facts under a place, each of which may refer to those that stand before it."""
        read: dict[str, FactRule] = {}
        for name, entry in entries.items():
            read[name] = self._fact(name, entry, f"{place}.{name}", read)
        return read

    def _fact(self, name: str, entry: Mapping[str, Any], place: str, before: Mapping[str, FactRule]) -> FactRule:
        if "range" in entry and entry["range"][0] > entry["range"][1]:
            self.problem(
                "policy",
                f"{place}.range",
                f"{entry['range'][0]:g} to {entry['range'][1]:g} is turned round; the lower end comes first",
            )
        if "per" in entry and entry["per"] != self._scope:
            allowed = f"'{self._scope}'" if self._scope else "nothing, because the policy has no scope"
            self.problem("policy", f"{place}.per", f"'{entry['per']}' is not judged apart; allowed is {allowed}")
        if entry["kind"] == "parts" and self._scope is None:
            self.problem(
                "policy", f"{place}.kind", "'parts' counts the parts of the scope, and the policy has no scope"
            )
        if entry["kind"] != "record" and entry.get("when_absent", "unknown") != "unknown":
            allowed = "only for a 'record' can silence mean no; write \"unknown\""
            self.problem("policy", f"{place}.when_absent", f"the fact is of kind '{entry['kind']}', and {allowed}")
        for end in ("from", "to"):
            self._number_before(entry, end, place, before)
        absent = entry.get("when_absent", "unknown")
        in_percent = (-1e9, 100.0) if entry["kind"] == "reduction" else (float("-inf"), float("inf"))
        return FactRule(
            name=name,
            kind=entry["kind"],
            title=entry["title"],
            when_absent="unknown" if absent == "unknown" else "no",
            absent_because=None if absent == "unknown" else absent["no"],
            codes=self._codes.set_named(entry.get("codes"), f"{place}.codes"),
            resources=tuple(entry.get("resources", ())),
            state=entry.get("state", "active" if entry["kind"] == "onset" else "ever"),
            site=self._codes.set_named(entry.get("site"), f"{place}.site"),
            reason=self._codes.set_named(entry.get("reason"), f"{place}.reason"),
            noun=tuple(entry["noun"]) if "noun" in entry else None,
            item=entry.get("item"),
            look_back_days=entry.get("look_back_days"),
            answer_look_back_days=entry.get("answer_look_back_days", entry.get("look_back_days")),
            unit=entry.get("unit", ""),
            units={unit_spelling(unit): tuple(map(float, factors)) for unit, factors in entry.get("units", {}).items()},
            range=tuple(entry["range"]) if "range" in entry else in_percent,
            aliases=tuple(entry.get("aliases", ())),
            until=entry.get("until"),
            in_months=entry.get("in") == "months",
            per_part="per" in entry,
            start=entry.get("from", ""),
            end=entry.get("to", ""),
            attributes=self.facts(entry.get("attributes", {}), f"{place}.attributes"),
        )

    def _number_before(self, entry: Mapping[str, Any], end: str, place: str, before: Mapping[str, FactRule]) -> None:
        if end not in entry:
            return
        numbers = [name for name, rule in before.items() if rule.kind == "measurement"]
        self.known(entry[end], numbers, "measurement that stands before it", "policy", f"{place}.{end}")
        named = before.get(entry[end])
        if named is not None and named.per_part and "per" not in entry:
            here = f"'{entry[end]}' is read for each {self._scope}; say 'per' here too"
            self.problem("policy", f"{place}.{end}", here)
