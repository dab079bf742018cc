"""policy.json, facts and scope: what the service reads from the chart."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from cds_service.fhir.elements import unit_spelling
from cds_service.policy.codes import CodeSet
from cds_service.policy.loading.code_sets import CodeReader
from cds_service.policy.loading.problems import Problems, Reader
from cds_service.policy.model import Ask, FactRule, Kind, StatedNumber
from cds_service.policy.places import Steps, path_of


class LoadedKind(Kind):
    """What the loader needs to know of a kind.

    A fact of this kind must also satisfy the schema ``needs``. As an attribute of one of several events it must have
    the members ``of_events`` (None if the kind cannot be such an attribute).
    """

    needs: ClassVar[dict[str, Any]] = {}
    of_events: ClassVar[tuple[str, ...] | None] = None
    # Whether silence may mean no, if the rule set gives a reason.
    may_be_absent: ClassVar[bool] = False
    default_state: ClassVar[str] = "ever"
    default_range: ClassVar[tuple[float, float]] = (float("-inf"), float("inf"))
    # Whether a fact may exclude records that other code sets also recognize.
    may_leave_out: ClassVar[bool] = False
    # What the kind does with the parts of a scope; "" if the kind does not need a scope.
    needs_scope: ClassVar[str] = ""


class FactReader(Reader):
    """Reads the facts; ``scope`` names what the statement judges separately (None if it has no scope)."""

    def __init__(
        self,
        problems: Problems,
        codes: CodeReader,
        scope: str | None,
        kinds: Mapping[str, LoadedKind],
        unchanged: Mapping[str, FactRule] | None = None,
    ) -> None:
        """``unchanged`` are facts of policy.json that were read before and would be read alike."""
        super().__init__(problems)
        self._unchanged = unchanged or {}
        self._codes = codes
        self._kinds = kinds
        self._scope = scope

    def fault(self, place: Steps, sentence: str) -> None:
        """Notes a fault at a place in policy.json."""
        self.problem("policy", path_of(place), sentence)

    def facts(self, entries: Mapping[str, Any]) -> dict[str, FactRule]:
        """The facts of policy.json."""
        return self._facts(entries, ("facts",), self._unchanged)

    def _facts(
        self, entries: Mapping[str, Any], place: Steps, unchanged: Mapping[str, FactRule] = MappingProxyType({})
    ) -> dict[str, FactRule]:
        """The facts under a place. Each fact may refer only to facts before it."""
        read: dict[str, FactRule] = {}
        for name, entry in entries.items():
            known = unchanged.get(name)
            read[name] = self._fact(name, entry, (*place, name), read) if known is None else known
        return read

    def _fact(self, name: str, entry: Mapping[str, Any], place: Steps, before: Mapping[str, FactRule]) -> FactRule:
        kind = self._kinds[entry["kind"]]
        if "range" in entry and entry["range"][0] > entry["range"][1]:
            self.fault(
                (*place, "range"),
                f"{entry['range'][0]:g} to {entry['range'][1]:g} is reversed; write the lower end first",
            )
        if "per" in entry and entry["per"] != self._scope:
            allowed = f"'{self._scope}'" if self._scope else "nothing, because the rule set has no scope"
            self.fault((*place, "per"), f"'{entry['per']}' is not evaluated separately; allowed: {allowed}")
        if kind.needs_scope and self._scope is None:
            self.fault((*place, "kind"), f"'{kind.name}' {kind.needs_scope}, and the rule set has no scope")
        if not kind.may_be_absent and entry.get("when_absent", "unknown") != "unknown":
            allowed = "only for a 'record' can silence mean no; write \"unknown\""
            self.fault((*place, "when_absent"), f"the fact is of kind '{entry['kind']}', and {allowed}")
        if "not_in" in entry and not kind.may_leave_out:
            self.fault((*place, "not_in"), f"the fact is of kind '{kind.name}'; only an 'onset' can leave records out")
        for end in ("from", "to"):
            self._number_before(entry, end, place, before)
        absent = entry.get("when_absent", "unknown")
        return FactRule(
            name=name,
            kind=kind,
            title=entry["title"],
            when_absent="unknown" if absent == "unknown" else "no",
            absent_because=None if absent == "unknown" else absent["no"],
            codes=self._set("codes", entry, place),
            resources=tuple(entry.get("resources", ())),
            state=entry.get("state", kind.default_state),
            site=self._set("site", entry, place),
            reason=self._set("reason", entry, place),
            not_in=self._sets("not_in", entry, place),
            elsewhere=self._set("elsewhere", entry, place),
            only_for=self._sets("only_for", entry, place),
            noun=tuple(entry["noun"]) if "noun" in entry else None,
            item=entry.get("item"),
            look_back_days=entry.get("look_back_days"),
            answer_look_back_days=entry.get("answer_look_back_days", entry.get("look_back_days")),
            unit=entry.get("unit", ""),
            units={unit_spelling(unit): tuple(map(float, factors)) for unit, factors in entry.get("units", {}).items()},
            range=tuple(entry["range"]) if "range" in entry else kind.default_range,
            aliases=tuple(entry.get("aliases", ())),
            until=entry.get("until"),
            in_months=entry.get("in") == "months",
            per_part="per" in entry,
            start=entry.get("from", ""),
            end=entry.get("to", ""),
            attributes=self._facts(entry.get("attributes", {}), (*place, "attributes")),
            weight=self._computed_from("weight", entry, place),
            height=self._computed_from("height", entry, place),
            records=self._set("records", entry, place),
            expected_of=self._set("expected_of", entry, place),
            said=entry.get("said", "so"),
            number=_stated(entry["number"]) if "number" in entry else None,
            ask=Ask(**entry["ask"]) if "ask" in entry else None,
        )

    def _set(self, member: str, entry: Mapping[str, Any], place: Steps) -> CodeSet | None:
        name = entry.get(member)
        return None if name is None else self._codes.set_named(name, path_of((*place, member)))

    def _sets(self, member: str, entry: Mapping[str, Any], place: Steps) -> tuple[CodeSet, ...]:
        named = enumerate(entry.get(member, ()))
        found = (self._codes.set_named(name, path_of((*place, member, number))) for number, name in named)
        return tuple(codes for codes in found if codes is not None)

    def _computed_from(self, part: str, entry: Mapping[str, Any], place: Steps) -> CodeSet | None:
        return self._set(part, entry.get("computed_from", {}), (*place, "computed_from"))

    def _number_before(self, entry: Mapping[str, Any], end: str, place: Steps, before: Mapping[str, FactRule]) -> None:
        if end not in entry:
            return
        numbers = [name for name, rule in before.items() if rule.kind.may_be_reduced]
        self.known(entry[end], numbers, "earlier measurement", "policy", path_of((*place, end)))
        named = before.get(entry[end])
        if named is not None and named.per_part and "per" not in entry:
            here = f"'{entry[end]}' is read for each {self._scope}; say 'per' here too"
            self.fault((*place, end), here)


def _stated(entry: Mapping[str, Any]) -> StatedNumber:
    return StatedNumber(
        label=entry["label"],
        phrases=tuple(f" {phrase} " for phrase in entry["of"]),
        unit=entry.get("unit", ""),
        units=tuple(entry.get("spelled", ())),
        range=tuple(entry["range"]),
    )
