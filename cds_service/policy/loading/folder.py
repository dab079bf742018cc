"""A policy folder read into a frozen Policy, or a PolicyError that names file, place, fault and what is allowed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from string import Formatter
from typing import Any

from cds_service.errors import PolicyError
from cds_service.fhir.dates import days
from cds_service.fhir.free_text import words
from cds_service.fhir.types import RECORDS, TYPES
from cds_service.policy import code_packs
from cds_service.policy.cases import all_cases
from cds_service.policy.code_packs import CodePack
from cds_service.policy.codes import CodeSet
from cds_service.policy.json_files import FILES, read_json, schema_problems
from cds_service.policy.loading.code_sets import NO_CODES, CodeReader
from cds_service.policy.loading.facts import FactReader
from cds_service.policy.loading.problems import Problems, Reader
from cds_service.policy.loading.tests import TestReader
from cds_service.policy.loading.vocabulary import LoadedVocabulary, schema
from cds_service.policy.model import (
    Act,
    Citation,
    Criterion,
    Hint,
    OrderRule,
    Part,
    Pathway,
    Payer,
    Policy,
    Profile,
    Scope,
    Test,
    VerdictRule,
)
from cds_service.policy.places import Steps, path_of

_HOLE = re.compile(r"\{([a-z][a-z0-9-]*)\}")
HOLES = ("procedure", "total", "undocumented", "not_met", "criteria", "names")


def load_policy(folder: Path, vocabulary: LoadedVocabulary, packs: Sequence[CodePack] = ()) -> Policy:
    """Reads one policy folder; codes of the packs' systems take their words from there.

    Raises PolicyError with all problems found, each naming its file and place.
    """
    documents, missing = code_packs.apply(packs, read_documents(folder, vocabulary))
    if missing:
        raise PolicyError([f"{folder / 'codes.json'}: {problem}" for problem in missing])
    return policy_of(folder, documents, vocabulary)


def read_documents(folder: Path, vocabulary: LoadedVocabulary) -> dict[str, Any]:
    """The documents of a policy folder by name, each sound by its schema, with the cases of all case files.

    Raises PolicyError with all problems found.
    """
    documents = {name: read_json(folder / f"{name}.json") for name in FILES}
    problems = [
        problem
        for name, document in documents.items()
        for problem in schema_problems(schema(name, vocabulary), folder / f"{name}.json", document)
    ]
    if problems:
        raise PolicyError(problems)
    return {**documents, "cases": all_cases(folder, documents["cases"])}


def policy_of(
    folder: Path,
    documents: Mapping[str, Any],
    vocabulary: LoadedVocabulary,
    code_sets: Mapping[str, CodeSet] | None = None,
) -> Policy:
    """The policy of documents that are sound by their schemas. Raises PolicyError for what leads nowhere.

    ``code_sets`` are those of the same codes.json, where they were read before.
    """
    problems = Problems(folder)
    policy = _Builder(problems, documents, vocabulary, code_sets).build()
    if problems.sentences:
        raise PolicyError(list(dict.fromkeys(problems.sentences)))
    return policy


class _Builder(Reader):
    """Turns schema-valid documents into a Policy and notes every reference that leads nowhere."""

    def __init__(
        self,
        problems: Problems,
        documents: Mapping[str, Any],
        vocabulary: LoadedVocabulary,
        code_sets: Mapping[str, CodeSet] | None,
    ) -> None:
        super().__init__(problems)
        self.folder = problems.folder
        self.documents = documents
        self.raw = documents["policy"]
        self.vocabulary = vocabulary
        self.codes = CodeReader(problems, documents["codes"], code_sets)
        scope = self.raw.get("scope")
        reader = FactReader(problems, self.codes, scope["name"] if scope else None, vocabulary.kinds)
        self.facts = reader.facts(self.raw["facts"], ("facts",))
        self.numbers = {name: entry["value"] for name, entry in self.raw.get("parameters", {}).items()}
        self.tests = TestReader(problems, self.facts, self.numbers, vocabulary.words)
        self.ids = [entry["id"] for entry in self.raw["criteria"]]

    def build(self) -> Policy:
        raw = self.raw
        if raw["id"] != self.folder.name:
            self.problem(
                "policy", "$.id", f"is '{raw['id']}' but the folder is named '{self.folder.name}'; they must agree"
            )
        self.unique(self.ids, "policy", "$.criteria")
        self.unique([entry["id"] for entry in raw["verdicts"]], "policy", "$.verdicts")
        self.unique([entry["id"] for entry in raw["orders"]["acts"]], "policy", "$.orders.acts")
        self.unique([entry["id"] for entry in self.documents["payers"]["payers"]], "payers", "$.payers")
        self.holes()
        self.types()
        for index, item in enumerate(raw["evidence"]):
            self.known_source(item["source"], f"$.evidence[{index}].source")
        for name, entry in raw.get("parameters", {}).items():
            self.known_source(entry["source"], f"$.parameters.{name}.source")
        self.funding(raw["attributes"])
        self.revisions(raw["review"])
        criteria = {entry["id"]: self.criterion(index, entry) for index, entry in enumerate(raw["criteria"])}
        variants: dict[str, Criterion] = {}
        profiles = {
            name: self.profile(name, entry, criteria, variants) for name, entry in raw.get("profiles", {}).items()
        }
        verdicts = tuple(self.verdict(index, entry, profiles) for index, entry in enumerate(raw["verdicts"]))
        patient_view = raw.get("patient_view", {})
        return Policy(
            id=raw["id"],
            statement=raw["statement"],
            edition=raw["edition"],
            title=raw["title"],
            procedure=raw["procedure"],
            raw=raw,
            code_systems=self.documents["codes"]["systems"],
            code_sets=self.codes.sets,
            facts=self.facts,
            criteria=tuple(criteria.values()),
            verdicts=verdicts,
            orders=self.orders(raw["orders"]),
            patient_view_when=self.test(patient_view["when"], ("patient_view", "when")) if patient_view else None,
            patient_view_unless=self.test(patient_view["unless"], ("patient_view", "unless"))
            if "unless" in patient_view
            else None,
            for_review=tuple(self.line(entry, f"$.for_review[{n}]") for n, entry in enumerate(raw["for_review"])),
            payers=tuple(
                self.payer(index, entry, profiles) for index, entry in enumerate(self.documents["payers"]["payers"])
            ),
            wording=self.documents["card"],
            cases=self.documents["cases"],
            resource_types=frozenset(name for rule in self.facts.values() for name in rule.types()).union(
                {"Coverage"} if self.documents["payers"]["payers"] else ()
            ),
            scope=self.scope(raw["scope"]) if "scope" in raw else None,
            profiles=profiles,
            variants=variants,
            always_evaluated=_always_evaluated(criteria.values(), verdicts, profiles.values()),
        )

    def test(self, entry: Mapping[str, Any], place: Steps) -> Test:
        """A test that is asked of the whole, and so may read nothing that belongs to a part."""
        test = self.tests.test(entry, place)
        self.whole(test.facts(), path_of(place))
        return test

    def whole(self, names: Iterable[str], place: str) -> None:
        """Notes facts that are read for each part where the whole is asked."""
        for name in names:
            if name in self.facts and self.facts[name].per_part:
                self.problem("policy", place, f"the fact '{name}' is read for each part, and here the whole is asked")

    def types(self) -> None:
        """Notes types of resource that facts read and of which nothing is known."""
        for name, rule in self.facts.items():
            place = f"$.facts.{name}"
            for index, kind in enumerate(rule.resources):
                self.known(
                    kind, RECORDS, "type of record that a fact can read", "policy", f"{place}.resources[{index}]"
                )
            for kind in sorted(rule.types().difference(rule.resources)):
                self.known(kind, TYPES, "type of resource that is read", "policy", f"{place}.kind")

    def scope(self, entry: Mapping[str, Any]) -> Scope:
        place = "$.scope.parts"
        self.unique([part["id"] for part in entry["parts"]], "policy", place)
        return Scope(
            entry["name"],
            tuple(
                Part(
                    part["id"],
                    part["label"],
                    self.codes.set_named(part["codes"], f"{place}[{n}].codes") or NO_CODES,
                    self.naming(part["when"], ("scope", "parts", n, "when")) if "when" in part else None,
                )
                for n, part in enumerate(entry["parts"])
            ),
        )

    def naming(self, entry: Mapping[str, Any], place: Steps) -> Test:
        """The test that names a part where the order does not; how many are named is not known before."""
        test = self.test(entry, place)
        for name in test.facts():
            if name in self.facts and self.facts[name].kind.counts_parts:
                self.problem(
                    "policy", path_of(place), f"the fact '{name}' counts the parts, which this test has still to name"
                )
        return test

    def profile(
        self, name: str, entry: Mapping[str, Any], criteria: Mapping[str, Criterion], variants: dict[str, Criterion]
    ) -> Profile:
        """One profile; the criteria that it changes are added to ``variants`` by their keys."""
        place = f"$.profiles.{name}"
        self.known_source(entry["source"], f"{place}.source")
        pending, members = entry.get("pending"), entry.get("all", ())
        if (pending is None) == (not members):
            self.problem("policy", place, "a profile has either 'all' (criteria) or 'pending' (why it is not applied)")
        changed = entry.get("parameters", {})
        for parameter in changed:
            self.known(parameter, self.numbers, "parameter", "policy", f"{place}.parameters")
        for replaced in entry.get("replaces", {}):
            self.known(replaced, members, "criterion of this profile", "policy", f"{place}.replaces")
        keys = []
        for member in members:
            if self.known(member, self.ids, "criterion", "policy", f"{place}.all"):
                keys.append(self._variant(name, entry, criteria[member], variants))
        return Profile(name, entry["title"], entry["source"], pending, tuple(keys), entry["next_review"])

    def _variant(self, name: str, entry: Mapping[str, Any], own: Criterion, variants: dict[str, Criterion]) -> str:
        index = self.ids.index(own.id)
        replaced = entry.get("replaces", {}).get(own.id, {})
        changed = entry.get("parameters", {})
        reader = TestReader(self._problems, self.facts, {**self.numbers, **changed}, self.vocabulary.words)
        place: Steps = ("criteria", index, "test")
        if "test" in replaced:
            place = ("profiles", name, "replaces", own.id, "test")
        test = reader.test(replaced.get("test", self.raw["criteria"][index]["test"]), place)
        self.tests.named |= reader.named
        if not replaced and test == own.test:
            return own.key
        source = entry["source"]
        cited = tuple(item for item in own.citations if item.source == source)
        variant = Criterion(
            id=own.id,
            title=self.filled(replaced["title"], changed, f"$.profiles.{name}.replaces.{own.id}.title")
            if "title" in replaced
            else self.filled(self.raw["criteria"][index]["title"], changed, f"$.criteria[{index}].title"),
            fails_as=replaced.get("fails_as", own.fails_as),
            test=test,
            hints=own.hints,
            settled_by=replaced.get("settled_by", own.settled_by),
            citations=cited or own.citations,
            statement_text=own.statement_text,
            product_choice=own.product_choice,
            note=own.note,
            next_review=entry["next_review"],
            profile=name,
            per_part=self._per_part(test, own.hints),
        )
        if not cited:
            self.problem(
                "policy",
                f"$.criteria[{index}].sources",
                f"the profile '{name}' changes this criterion, and nothing here is cited from its source '{source}'",
            )
        variants[variant.key] = variant
        return variant.key

    def _per_part(self, test: Test, hints: Iterable[Hint]) -> bool:
        names = (*test.facts(), *(hint.fact for hint in hints))
        return any(self.facts[name].per_part for name in names if name in self.facts)

    def holes(self) -> None:
        """Notes where the wording asks for what the service does not fill in."""
        card = self.documents["card"]
        if "scope" in self.raw and "ask_scope" not in card:
            self.problem("card", "$", "'ask_scope' is missing: what to ask where an order names no part of the scope")
        if "applies_unless" in self.raw["verdicts"][0]:
            for part in ("summaries", "leads"):
                if "not_applicable" not in card[part]:
                    self.problem("card", f"$.{part}", "'not_applicable' is missing: the first verdict may not apply")
        for place, template, allowed in (
            *(
                (f"$.{part}.{name}", text, HOLES)
                for part in ("summaries", "leads")
                for name, text in card[part].items()
            ),
            *(
                (f"$.{part}.{name}", text, ("procedure",))
                for part in ("ask", "failed", "ask_scope")
                for name, text in card.get(part, {}).items()
            ),
            *(
                (f"$.pathways.{row}.{name}", text, ("procedure", "parts"))
                for row, message in card.get("pathways", {}).items()
                for name, text in message.items()
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

    def filled(self, title: str, changed: Mapping[str, float], place: str) -> str:
        """A title with its holes ({tests-least}) filled by the parameters; notes a hole that is no parameter."""
        numbers = {**self.numbers, **changed}
        for name in _HOLE.findall(title):
            self.known(name, sorted(numbers), "parameter", "policy", place)
        return _HOLE.sub(lambda hole: str(numbers.get(hole[1], hole[0])), title)

    def hint(self, entry: Mapping[str, Any], place: str) -> Hint:
        self.known(entry["fact"], self.facts, "fact", "policy", f"{place}.fact")
        return Hint(entry["fact"], entry["says"], entry.get("contrary", False))

    def line(self, entry: Mapping[str, Any], place: str) -> Hint:
        """A line for review, which is of the whole."""
        self.whole([entry["fact"]], f"{place}.fact")
        return self.hint(entry, place)

    def funding(self, attributes: Mapping[str, Any]) -> None:
        """Notes where it cannot be told in which document somebody looked for who paid."""
        self.known_source(attributes["funding_of_statement"]["source"], "$.attributes.funding_of_statement.source")
        for index, study in enumerate(attributes["funding_of_studies"]):
            self.known_source(study["source"], f"$.attributes.funding_of_studies[{index}].source")

    def revisions(self, review: Mapping[str, Any]) -> None:
        """Notes revisions that are not in the order of their days: the page prints the last one as the newest."""
        days_of_revisions = [entry["on"] for entry in review["revisions"]]
        if days_of_revisions != sorted(days_of_revisions):
            self.problem(
                "policy", "$.review.revisions", "stand out of order; write the earliest day first and the newest last"
            )

    def known_source(self, name: str, place: str) -> None:
        self.known(name, self.raw["sources"], "source", "policy", place)

    def criterion(self, index: int, entry: Mapping[str, Any]) -> Criterion:
        place = f"$.criteria[{index}]"
        for n, citation in enumerate(entry["sources"]):
            self.known_source(citation["source"], f"{place}.sources[{n}]")
        test = self.tests.test(entry["test"], ("criteria", index, "test"))
        hints = tuple(self.hint(hint, f"{place}.hints[{n}]") for n, hint in enumerate(entry.get("hints", ())))
        return Criterion(
            id=entry["id"],
            title=self.filled(entry["title"], {}, f"{place}.title"),
            fails_as=entry["fails_as"],
            test=test,
            hints=hints,
            settled_by=entry["settled_by"],
            citations=tuple(Citation(c["source"], c["place"], c["says"], c["verified"]) for c in entry["sources"]),
            statement_text=entry["statement_text"],
            product_choice=entry.get("product_choice"),
            note=entry.get("note"),
            next_review=entry["next_review"],
            per_part=self._per_part(test, hints),
        )

    def verdict(self, index: int, entry: Mapping[str, Any], profiles: Mapping[str, Profile]) -> VerdictRule:
        place = f"$.verdicts[{index}]"
        if len(entry.keys() & {"all", "payer", "profile"}) != 1:
            self.problem("policy", place, "a verdict has either 'all' (criteria) or 'payer': true, or a 'profile'")
        self.known_criteria(entry.get("all", ()), "policy", f"{place}.all")
        profile = None
        if "profile" in entry and self.known(entry["profile"], profiles, "profile", "policy", f"{place}.profile"):
            profile = profiles[entry["profile"]]
        unless = entry.get("applies_unless")
        return VerdictRule(
            id=entry["id"],
            title=entry["title"],
            criteria=profile.criteria if profile else tuple(entry.get("all", ())),
            payer="payer" in entry,
            withholds_codes="withholds_codes" in entry,
            profile=profile,
            applies_unless=self.test(unless, ("verdicts", index, "applies_unless")) if unless else None,
        )

    def known_criteria(self, names: Any, file: str, place: str) -> None:
        for name in names:
            self.known(name, self.ids, "criterion", file, place)

    def orders(self, entry: Mapping[str, Any]) -> OrderRule:
        acts = tuple(act for n, item in enumerate(entry["acts"]) if (act := self.act(item, f"$.orders.acts[{n}]")))
        site = entry.get("site", {})
        here = self.codes.set_named(site.get("here"), "$.orders.site.here")
        unspecific = self.codes.set_named(site.get("unspecific"), "$.orders.site.unspecific")
        return OrderRule(
            acts=acts,
            named_in_text=tuple(words(phrase) for phrase in entry["named_in_text"]),
            here=here or NO_CODES,
            unspecific=unspecific or NO_CODES,
            not_the_procedure_in_text=tuple(words(phrase) for phrase in entry["not_the_procedure_in_text"]),
            elsewhere_by_code=frozenset(
                self.codes.system(name, "$.orders.site.elsewhere_by_code", "policy")
                for name in site.get("elsewhere_by_code", ())
            ),
            elsewhere_in_text=tuple(words(phrase) for phrase in site.get("elsewhere_in_text", ())),
            names_site="site" in entry,
            pathways=tuple(self.pathway(n, row) for n, row in enumerate(self.raw.get("pathways", ()))),
        )

    def pathway(self, index: int, entry: Mapping[str, Any]) -> Pathway:
        place, ordered = f"$.pathways[{index}]", entry.get("orders", {})
        if not ordered and "when" not in entry:
            self.problem("policy", place, "a pathway needs 'orders' or 'when', or nothing can ever go it")
        texts = self.documents["card"].get("pathways", {})
        self.known(entry["says"], texts, "entry of card.json, pathways", "policy", f"{place}.says")
        return Pathway(
            entry["id"],
            entry["title"],
            self.codes.set_named(ordered.get("codes"), f"{place}.orders.codes"),
            tuple(words(phrase) for phrase in ordered.get("text", ())),
            self.tests.test(entry["when"], ("pathways", index, "when")) if "when" in entry else None,
            entry["says"],
        )

    def act(self, entry: Mapping[str, Any], place: str) -> Act | None:
        codes = self.codes.set_named(entry["codes"], f"{place}.codes")
        if codes is None:
            return None
        key = (self.codes.system(entry["code"]["system"], f"{place}.code.system", "policy"), entry["code"]["code"])
        code = codes.exact.get(key)
        if code is None and entry["code"]["system"] in self.documents["codes"]["systems"]:
            self.problem(
                "policy", f"{place}.code", f"{key[1]} is not in the code set '{codes.name}' that names the act"
            )
        if code is None:
            return None
        phrases = tuple(words(phrase) for phrase in entry["text"])
        return Act(entry["id"], entry["label"], codes, code, phrases, "names_site" in entry)

    def payer(self, index: int, entry: Mapping[str, Any], profiles: Mapping[str, Profile]) -> Payer:
        if "profile" in entry["position"]:
            applied = [name for name, profile in profiles.items() if profile.pending is None]
            named = entry["position"]["profile"]
            self.known(named, applied, "profile that can be applied", "payers", f"$.payers[{index}].position.profile")
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


def _always_evaluated(
    criteria: Iterable[Criterion], verdicts: Iterable[VerdictRule], profiles: Iterable[Profile]
) -> tuple[Criterion, ...]:
    """The criteria that every call is held against: all but those that only a profile asks for."""
    own = {key for verdict in verdicts if verdict.profile is None for key in verdict.criteria}
    lent = {key.partition("@")[0] for profile in profiles for key in profile.criteria} - own
    return tuple(item for item in criteria if item.id not in lent)
