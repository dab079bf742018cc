"""policy.json, orders and pathways: how an order is recognized, and which orders take another path."""

from collections.abc import Iterable, Mapping
from typing import Any

from cds_service.fhir.free_text import words
from cds_service.policy.loading.code_sets import NO_CODES, CodeReader
from cds_service.policy.loading.problems import Problems, Reader
from cds_service.policy.loading.tests import TestReader
from cds_service.policy.model import Act, OrderRule, Pathway


class OrderReader(Reader):
    """Reads the rules for orders; ``messages`` are the pathways of card.json."""

    def __init__(self, problems: Problems, codes: CodeReader, tests: TestReader, messages: Mapping[str, Any]) -> None:
        super().__init__(problems)
        self._codes = codes
        self._tests = tests
        self._messages = messages

    def orders(self, entry: Mapping[str, Any], pathways: Iterable[Mapping[str, Any]]) -> OrderRule:
        """How an order is recognized, and which pathways it may take."""
        acts = tuple(act for n, item in enumerate(entry["acts"]) if (act := self._act(item, f"$.orders.acts[{n}]")))
        site = entry.get("site", {})
        here = self._codes.set_named(site.get("here"), "$.orders.site.here")
        unspecific = self._codes.set_named(site.get("unspecific"), "$.orders.site.unspecific")
        return OrderRule(
            acts=acts,
            named_in_text=tuple(words(phrase) for phrase in entry["named_in_text"]),
            here=here or NO_CODES,
            unspecific=unspecific or NO_CODES,
            not_the_procedure_in_text=tuple(words(phrase) for phrase in entry["not_the_procedure_in_text"]),
            elsewhere_by_code={
                self._codes.system(name, "$.orders.site.elsewhere_by_code", "policy"): name
                for name in site.get("elsewhere_by_code", ())
            },
            elsewhere_in_text=tuple(words(phrase) for phrase in site.get("elsewhere_in_text", ())),
            names_site="site" in entry,
            known_by=self._codes.set_named(entry.get("known_by"), "$.orders.known_by"),
            pathways=tuple(self._pathway(n, row) for n, row in enumerate(pathways)),
        )

    def _act(self, entry: Mapping[str, Any], place: str) -> Act | None:
        codes = self._codes.set_named(entry["codes"], f"{place}.codes")
        if codes is None:
            return None
        key = (self._codes.system(entry["code"]["system"], f"{place}.code.system", "policy"), entry["code"]["code"])
        code = codes.exact.get(key)
        if code is None and entry["code"]["system"] in self._codes.systems:
            self.problem(
                "policy", f"{place}.code", f"{key[1]} is not in the code set '{codes.name}' that names the act"
            )
        if code is None:
            return None
        return Act(
            id=entry["id"],
            label=entry["label"],
            codes=codes,
            code=code,
            phrases=tuple(words(phrase) for phrase in entry["text"]),
            names_site="names_site" in entry,
        )

    def _pathway(self, index: int, entry: Mapping[str, Any]) -> Pathway:
        place, ordered = f"$.pathways[{index}]", entry.get("orders", {})
        if not ordered and "when" not in entry:
            self.problem("policy", place, "a pathway needs 'orders' or 'when', or nothing can ever go it")
        for member, needed in (("unless_words", "words"), ("names_site", "codes")):
            if member in ordered and needed not in ordered:
                sentence = f"says nothing without '{needed}'; add it, or leave this out"
                self.problem("policy", f"{place}.orders.{member}", sentence)
        self.known(entry["says"], self._messages, "entry of card.json, pathways", "policy", f"{place}.says")
        return Pathway(
            id=entry["id"],
            title=entry["title"],
            codes=self._codes.set_named(ordered.get("codes"), f"{place}.orders.codes"),
            phrases=tuple(words(phrase) for phrase in ordered.get("text", ())),
            when=self._tests.test(entry["when"], ("pathways", index, "when")) if "when" in entry else None,
            says=entry["says"],
            names_site="names_site" in ordered,
            routing=tuple(words(phrase) for phrase in ordered.get("words", ())),
            keeps=tuple(words(phrase) for phrase in ordered.get("unless_words", ())),
            reasons=self._codes.set_named(ordered.get("reasons"), f"{place}.orders.reasons"),
        )
