"""A policy folder read into a frozen Policy, or a PolicyError that names file, place, fault and what is allowed."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from string import Formatter
from typing import Any

from cds_service import code_packs
from cds_service.code_packs import CodePack
from cds_service.dates import days
from cds_service.elements import Key, unit_spelling
from cds_service.errors import PolicyError
from cds_service.json_files import FILES, read_json, schema_problems
from cds_service.policy import (
    Act,
    Citation,
    Code,
    CodeSet,
    Criterion,
    FactRule,
    Hint,
    OrderRule,
    Payer,
    Policy,
    Test,
    VerdictRule,
)
from cds_service.terminology import canonical_code, canonical_system, words

HOLES = ("procedure", "total", "undocumented", "not_met", "criteria", "names")


def load_policy(folder: Path, packs: Sequence[CodePack] = ()) -> Policy:
    """Reads one policy folder; codes of the packs' systems take their words from there.

    Raises PolicyError with all problems found, each naming its file and place.
    """
    documents = {name: read_json(folder / f"{name}.json") for name in FILES}
    problems = [
        problem
        for name, document in documents.items()
        for problem in schema_problems(name, folder / f"{name}.json", document)
    ]
    if problems:
        raise PolicyError(problems)
    packed, missing = code_packs.apply(packs, documents)
    if missing:
        raise PolicyError([f"{folder / 'codes.json'}: {problem}" for problem in missing])
    return _Builder(folder, packed).build()


class _Builder:
    """Turns schema-valid documents into a Policy and gathers every reference that leads nowhere."""

    def __init__(self, folder: Path, documents: Mapping[str, Any]) -> None:
        self.folder = folder
        self.raw = documents["policy"]
        self.documents = documents
        self.problems: list[str] = []
        self.sets: dict[str, CodeSet] = {}

    def problem(self, file: str, place: str, sentence: str) -> None:
        self.problems.append(f"{self.folder / file}.json: {place}: {sentence}")

    def build(self) -> Policy:
        raw = self.raw
        if raw["id"] != self.folder.name:
            self.problem(
                "policy", "$.id", f"is '{raw['id']}' but the folder is named '{self.folder.name}'; they must agree"
            )
        self.sets = {name: self.code_set(name, entry) for name, entry in self.documents["codes"]["sets"].items()}
        facts = {name: self.fact(name, entry) for name, entry in raw["facts"].items()}
        self.names = set(facts)
        self.ids = [entry["id"] for entry in raw["criteria"]]
        self.unique(self.ids, "policy", "$.criteria")
        self.unique([entry["id"] for entry in raw["verdicts"]], "policy", "$.verdicts")
        self.unique([entry["id"] for entry in raw["orders"]["acts"]], "policy", "$.orders.acts")
        self.unique([entry["id"] for entry in self.documents["payers"]["payers"]], "payers", "$.payers")
        self.holes()
        for index, item in enumerate(raw["evidence"]):
            self.known_source(item["source"], f"$.evidence[{index}].source")
        patient_view = raw.get("patient_view", {})
        policy = Policy(
            id=raw["id"],
            statement=raw["statement"],
            edition=raw["edition"],
            title=raw["title"],
            procedure=raw["procedure"],
            raw=raw,
            code_systems=self.documents["codes"]["systems"],
            code_sets=self.sets,
            facts=facts,
            criteria=tuple(self.criterion(index, entry) for index, entry in enumerate(raw["criteria"])),
            verdicts=tuple(self.verdict(index, entry) for index, entry in enumerate(raw["verdicts"])),
            orders=self.orders(raw["orders"]),
            patient_view_when=self.test(patient_view["when"], "$.patient_view.when") if patient_view else None,
            patient_view_unless=self.test(patient_view["unless"], "$.patient_view.unless")
            if "unless" in patient_view
            else None,
            for_review=tuple(self.hint(entry, f"$.for_review[{n}]") for n, entry in enumerate(raw["for_review"])),
            payers=tuple(self.payer(index, entry) for index, entry in enumerate(self.documents["payers"]["payers"])),
            wording=self.documents["card"],
            cases=self.documents["cases"],
            resource_types=frozenset(name for rule in facts.values() for name in rule.types()).union(
                {"Coverage"} if self.documents["payers"]["payers"] else ()
            ),
        )
        if self.problems:
            raise PolicyError(self.problems)
        return policy

    def system(self, name: str, place: str, file: str = "codes") -> str:
        systems = self.documents["codes"]["systems"]
        if name not in systems:
            self.problem(file, place, f"'{name}' is no system; allowed are {', '.join(sorted(systems))}")
            return name
        return canonical_system(systems[name]["url"])

    def code(self, entry: Mapping[str, Any], place: str) -> Code:
        system = self.system(entry["system"], f"{place}.system")
        return Code(
            system=system,
            system_name=entry["system"],
            code=canonical_code(system, entry["code"].removesuffix("-")),
            label=entry["label"],
            seen=entry["seen"],
            provenance=entry["provenance"],
            valid_from=entry["valid_from"],
            valid_until=entry["valid_until"],
            leaves=tuple(entry.get("leaves", ())),
            remark=entry.get("remark"),
            use=entry.get("use"),
            prefix=entry["code"].endswith("-"),
        )

    def code_set(self, name: str, entry: Mapping[str, Any]) -> CodeSet:
        rows = [self.code(row, f"$.sets.{name}.codes[{n}]") for n, row in enumerate(entry["codes"])]
        exact: dict[Key, Code] = {}
        for row in rows:
            if (row.system, row.code) in exact:
                self.problem("codes", f"$.sets.{name}", f"{row.system_name} {row.code} stands twice in the set")
            if not row.prefix:
                exact[row.system, row.code] = row
        if not rows and not entry.get("text"):
            self.problem("codes", f"$.sets.{name}", "the set has neither codes nor text and can match nothing")
        return CodeSet(
            name=name,
            title=entry["title"],
            codes=tuple(rows),
            exact=exact,
            prefixes=tuple(row for row in rows if row.prefix),
            phrases=tuple(f" {phrase} " for phrase in entry.get("text", ())),
            words_beside_codes="words_beside_codes" in entry,
        )

    def set_named(self, name: str | None, place: str) -> CodeSet | None:
        if name is not None and name not in self.sets:
            self.problem("policy", place, f"'{name}' is no code set; allowed are {', '.join(sorted(self.sets))}")
            return None
        return self.sets[name] if name is not None else None

    def fact(self, name: str, entry: Mapping[str, Any]) -> FactRule:
        place = f"$.facts.{name}"
        if "range" in entry and entry["range"][0] > entry["range"][1]:
            self.problem(
                "policy",
                f"{place}.range",
                f"{entry['range'][0]:g} to {entry['range'][1]:g} is turned round; the lower end comes first",
            )
        absent = entry["when_absent"]
        return FactRule(
            name=name,
            kind=entry["kind"],
            title=entry["title"],
            when_absent="unknown" if absent == "unknown" else "no",
            absent_because=None if absent == "unknown" else absent["no"],
            codes=self.set_named(entry.get("codes"), f"{place}.codes"),
            resources=tuple(entry.get("resources", ())),
            state=entry.get("state", "active" if entry["kind"] == "onset" else "ever"),
            site=self.set_named(entry.get("site"), f"{place}.site"),
            reason=self.set_named(entry.get("reason"), f"{place}.reason"),
            noun=tuple(entry["noun"]) if "noun" in entry else None,
            item=entry.get("item"),
            look_back_days=entry.get("look_back_days"),
            answer_look_back_days=entry.get("answer_look_back_days", entry.get("look_back_days")),
            unit=entry.get("unit", ""),
            units={unit_spelling(unit): tuple(map(float, factors)) for unit, factors in entry.get("units", {}).items()},
            range=tuple(entry["range"]) if "range" in entry else (float("-inf"), float("inf")),
        )

    def test(self, entry: Mapping[str, Any], place: str) -> Test:
        if "fact" in entry:
            if entry["fact"] not in self.names:
                allowed = ", ".join(sorted(self.names))
                self.problem("policy", f"{place}.fact", f"'{entry['fact']}' is no fact; allowed are {allowed}")
            comparisons = entry.keys() - {"fact"}
            if (
                not comparisons
                or ("is" in entry and len(comparisons) > 1)
                or comparisons - {"is", "at_least", "at_most"}
            ):
                self.problem(
                    "policy", place, "a comparison needs 'is', or 'at_least' and/or 'at_most', and nothing else"
                )
            else:
                self.fits(entry, place)
            return Test("fact", (), entry["fact"], entry.get("is"), entry.get("at_least"), entry.get("at_most"))
        if len(entry) != 1:
            self.problem("policy", place, f"one word at a time; found {', '.join(sorted(entry))}")
        word, inner = next(iter(entry.items()))
        if word == "not":
            return Test("not", (self.test(inner, f"{place}.not"),))
        return Test(word, tuple(self.test(part, f"{place}.{word}[{n}]") for n, part in enumerate(inner)))

    def fits(self, entry: Mapping[str, Any], place: str) -> None:
        """Notes a comparison that does not suit its fact: yes/no by ``is``, a number with limits that can be met."""
        kind = self.raw["facts"].get(entry["fact"], {}).get("kind")
        if kind and (kind in ("answer", "record")) != ("is" in entry):
            allowed = "'is'" if kind in ("answer", "record") else "'at_least' and 'at_most'"
            self.problem(
                "policy", place, f"the fact '{entry['fact']}' is of kind '{kind}' and is compared by {allowed}"
            )
        if entry.get("at_least", float("-inf")) > entry.get("at_most", float("inf")):
            self.problem("policy", place, "at_least is above at_most, so that nothing can ever meet it")

    def unique(self, ids: list[str], file: str, place: str) -> None:
        for name in sorted({name for name in ids if ids.count(name) > 1}):
            self.problem(file, place, f"the id '{name}' stands twice; each needs its own")

    def holes(self) -> None:
        """Notes where the wording asks for what the service does not fill in."""
        card = self.documents["card"]
        for place, template, allowed in (
            *(
                (f"$.{part}.{name}", text, HOLES)
                for part in ("summaries", "leads")
                for name, text in card[part].items()
            ),
            *(
                (f"$.{part}.{name}", text, ("procedure",))
                for part in ("ask", "failed")
                for name, text in card[part].items()
            ),
            ("$.by_text_line", card["by_text_line"], ("procedure",)),
            ("$.header_code_line", card["header_code_line"], ("code", "leaves")),
            ("$.not_read_line", card["not_read_line"], ("types",)),
            ("$.footer", card["footer"], ("pending", "edition", "today")),
        ):
            try:
                found = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
            except ValueError as error:
                self.problem("card", place, f"a hole is not closed: {error}")
                continue
            for name in found:
                if name not in allowed:
                    known = ", ".join(f"{{{hole}}}" for hole in allowed)
                    self.problem("card", place, f"nothing fills {{{name}}}; allowed are {known}")

    def hint(self, entry: Mapping[str, Any], place: str) -> Hint:
        if entry["fact"] not in self.names:
            allowed = ", ".join(sorted(self.names))
            self.problem("policy", f"{place}.fact", f"'{entry['fact']}' is no fact; allowed are {allowed}")
        return Hint(entry["fact"], entry["says"])

    def known_source(self, name: str, place: str) -> None:
        if name not in self.raw["sources"]:
            allowed = ", ".join(sorted(self.raw["sources"]))
            self.problem("policy", place, f"'{name}' is no source; allowed are {allowed}")

    def criterion(self, index: int, entry: Mapping[str, Any]) -> Criterion:
        place = f"$.criteria[{index}]"
        for n, citation in enumerate(entry["sources"]):
            self.known_source(citation["source"], f"{place}.sources[{n}]")
        return Criterion(
            id=entry["id"],
            title=entry["title"],
            fails_as=entry["fails_as"],
            test=self.test(entry["test"], f"{place}.test"),
            hints=tuple(self.hint(hint, f"{place}.hints[{n}]") for n, hint in enumerate(entry.get("hints", ()))),
            settled_by=entry["settled_by"],
            citations=tuple(Citation(c["source"], c["place"], c["says"], c["verified"]) for c in entry["sources"]),
            statement_text=entry["statement_text"],
            product_choice=entry.get("product_choice"),
            note=entry.get("note"),
            next_review=entry["next_review"],
        )

    def verdict(self, index: int, entry: Mapping[str, Any]) -> VerdictRule:
        place = f"$.verdicts[{index}]"
        if ("all" in entry) == ("payer" in entry):
            self.problem("policy", place, "a verdict has either 'all' (criteria) or 'payer': true")
        self.known_criteria(entry.get("all", ()), "policy", f"{place}.all")
        return VerdictRule(
            id=entry["id"],
            title=entry["title"],
            criteria=tuple(entry.get("all", ())),
            payer="payer" in entry,
            withholds_codes="withholds_codes" in entry,
        )

    def known_criteria(self, names: Any, file: str, place: str) -> None:
        for name in names:
            if name not in self.ids:
                self.problem(file, place, f"'{name}' is no criterion; allowed are {', '.join(self.ids)}")

    def orders(self, entry: Mapping[str, Any]) -> OrderRule:
        acts = tuple(act for n, item in enumerate(entry["acts"]) if (act := self.act(item, f"$.orders.acts[{n}]")))
        here = self.set_named(entry["site"]["here"], "$.orders.site.here")
        unspecific = self.set_named(entry["site"]["unspecific"], "$.orders.site.unspecific")
        return OrderRule(
            acts=acts,
            named_in_text=tuple(words(phrase) for phrase in entry["named_in_text"]),
            here=here or _NO_CODES,
            unspecific=unspecific or _NO_CODES,
            not_the_procedure_in_text=tuple(words(phrase) for phrase in entry["not_the_procedure_in_text"]),
            elsewhere_by_code=frozenset(
                self.system(name, "$.orders.site.elsewhere_by_code", "policy")
                for name in entry["site"]["elsewhere_by_code"]
            ),
            elsewhere_in_text=tuple(words(phrase) for phrase in entry["site"]["elsewhere_in_text"]),
        )

    def act(self, entry: Mapping[str, Any], place: str) -> Act | None:
        codes = self.set_named(entry["codes"], f"{place}.codes")
        if codes is None:
            return None
        key = (self.system(entry["code"]["system"], f"{place}.code.system", "policy"), entry["code"]["code"])
        code = codes.exact.get(key)
        if code is None and entry["code"]["system"] in self.documents["codes"]["systems"]:
            self.problem(
                "policy", f"{place}.code", f"{key[1]} is not in the code set '{codes.name}' that names the act"
            )
        if code is None:
            return None
        return Act(entry["id"], entry["label"], codes, code, tuple(words(phrase) for phrase in entry["text"]))

    def payer(self, index: int, entry: Mapping[str, Any]) -> Payer:
        self.known_criteria(
            entry["position"].get("covered_when_all", ()), "payers", f"$.payers[{index}].position.covered_when_all"
        )
        in_force = entry["in_force"]
        return Payer(
            id=entry["id"],
            name=entry["name"],
            identifiers=frozenset((item["system"], item["value"]) for item in entry["identifiers"]),
            aliases=frozenset(words(alias) for alias in (entry["name"], *entry["aliases"])),
            document=entry["document"],
            position=entry["position"],
            own_text=entry["own_text"],
            seen_in_force=date.fromisoformat(entry["seen_in_force"]) if entry["seen_in_force"] else None,
            in_force_from=days(in_force["from"]).first if in_force["from"] else None,
            in_force_until=days(in_force["until"]).last if in_force["until"] else None,
            background=entry["background"],
            verified=entry["verified"],
            next_review=entry["next_review"],
        )


_NO_CODES = CodeSet("none", "none", (), {}, (), ())
