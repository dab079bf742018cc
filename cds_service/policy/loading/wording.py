"""card.json: the phrases of the card, checked for length and for placeholders that the service can fill."""

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from cds_service.policy.loading.problems import Reader
from cds_service.policy.phrases import (
    FAIL_WORD,
    CardMessage,
    CriterionPhrases,
    Implanted,
    PagePhrases,
    Phrases,
)

MESSAGES = ("ask", "ask_therapy", "ask_scope")
# The maximum number of words in each phrase of a criterion.
LONGEST = {"short": 4, "topic": 4, "doc": 3, "document": 7, "document_found": 7, "fails": 9, "met": 6, "letter": 16}
LONGEST_EVIDENCE = 14
# Marks a limit that the label does not state in its own words.
READ_AS = "read as"
FOUND_HOLES = ("count", "last", "names")
# A measurement is compared with a limit, so a card that says it fails must name the measured value.
_COMPARED = ("at_least", "at_most", "more_than", "less_than")


class WordingReader(Reader):
    """Reads the phrases of card.json."""

    def read(self, policy: Mapping[str, Any], card: Mapping[str, Any]) -> Phrases:
        """The phrases of a rule set; notes phrases that are missing or too long, and placeholders that nothing
        fills."""
        self._messages(policy, card)
        self._named(policy, card)
        self._lengths(card)
        self._values(policy, card)
        self._own_readings(policy, card)
        for place, text, allowed in _templates(card):
            self._holes(place, text, allowed)
        return Phrases(
            therapy=card["therapy"],
            label=card["label"],
            fail_word=card.get("fail_word", FAIL_WORD),
            no_label=card.get("no_label", ""),
            trials=card.get("trials", ""),
            all_parts=card.get("all_parts", ""),
            source_label=card["source"]["label"],
            source_url=card["source"]["url"],
            topic=card["topic"],
            evidence=card.get("evidence", ""),
            pending=card.get("pending", ""),
            messages={name: _message(card[name]) for name in MESSAGES if name in card},
            pathways={name: _message(entry) for name, entry in card.get("pathways", {}).items()},
            urgent=card.get("urgent", {}),
            implanted={name: Implanted(**entry) for name, entry in card.get("implanted", {}).items()},
            criteria={name: CriterionPhrases(**entry) for name, entry in card["criteria"].items()},
            page=PagePhrases(**card["page"]),
        )

    def _messages(self, policy: Mapping[str, Any], card: Mapping[str, Any]) -> None:
        wanted = {
            "ask_scope": ("scope" in policy, "what to ask where an order names no part of the scope"),
            "ask_therapy": ("known_by" in policy["orders"], "what to ask of a code that others share"),
            "no_label": ("applies_unless" in policy["verdicts"][0], "the first verdict may not apply"),
            "trials": (_counted(policy) > 1, "what the criteria of the second verdict are called"),
        }
        for name, (is_wanted, why) in wanted.items():
            if is_wanted and name not in card:
                self.problem("card", "$", f"'{name}' is missing: {why}")

    def _named(self, policy: Mapping[str, Any], card: Mapping[str, Any]) -> None:
        ids = [entry["id"] for entry in policy["criteria"]]
        for name in (name for name in ids if name not in card["criteria"]):
            self.problem("card", "$.criteria", f"'{name}' is missing: a card needs phrases for each criterion")
        for name in card["criteria"]:
            self.known(name, ids, "criterion of policy.json", "card", f"$.criteria.{name}")
        for name in card.get("urgent", {}):
            self.known(name, policy["facts"], "fact of policy.json", "card", f"$.urgent.{name}")
        review = {line["fact"]: bool(line.get("withholds_codes")) for line in policy["for_review"]}
        withholding = [name for name, withholds in review.items() if withholds]
        for name in card.get("implanted", {}):
            self.known(name, withholding, "line for review that withholds codes", "card", f"$.implanted.{name}")
        for name in (name for name in withholding if name not in card.get("implanted", {})):
            self.problem("card", "$", f"'implanted.{name}' is missing: its line for review withholds codes")

    def _lengths(self, card: Mapping[str, Any]) -> None:
        topics: dict[str, str] = {}
        for name, phrases in card["criteria"].items():
            for phrase, most in LONGEST.items():
                words = len(phrases.get(phrase, "").split())
                if words > most:
                    self.problem("card", f"$.criteria.{name}.{phrase}", f"has {words} words; at most {most} are shown")
            topic = phrases["topic"]
            if topic in topics:
                self.problem(
                    "card",
                    f"$.criteria.{name}.topic",
                    f"'{topic}' is that of '{topics[topic]}' too; each needs its own",
                )
            topics.setdefault(topic, name)
        words = len(card.get("evidence", "").split())
        if words > LONGEST_EVIDENCE:
            self.problem("card", "$.evidence", f"has {words} words; at most {LONGEST_EVIDENCE} are shown")

    def _values(self, policy: Mapping[str, Any], card: Mapping[str, Any]) -> None:
        measured = {name for name, fact in policy["facts"].items() if fact["kind"] == "measurement"}
        for entry in policy["criteria"]:
            phrases = card["criteria"].get(entry["id"])
            if not phrases or not _compares(entry.get("test", {}), measured):
                continue
            for phrase in ("fails", "letter"):
                if "{value}" not in phrases[phrase]:
                    place = f"$.criteria.{entry['id']}.{phrase}"
                    self.problem("card", place, "has no {value}: a measured criterion names what was measured")

    def _own_readings(self, policy: Mapping[str, Any], card: Mapping[str, Any]) -> None:
        # Our own readings must not look as if the label stated them.
        for name in policy["verdicts"][0].get("all", ()):
            phrases = card["criteria"].get(name, {})
            if phrases.get("own_reading") and READ_AS not in phrases["fails"]:
                says = f"does not say '{READ_AS}': it has own_reading, so its limit is not the label's own"
                self.problem("card", f"$.criteria.{name}.fails", says)

    def _holes(self, place: str, text: str, allowed: tuple[str, ...]) -> None:
        try:
            found = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
        except ValueError as error:
            self.problem("card", place, f"a hole is not closed: {error}")
            return
        for name in found:
            if name not in allowed:
                known = ", ".join(f"{{{hole}}}" for hole in allowed) or "none"
                self.problem("card", place, f"nothing fills {{{name}}}; allowed: {known}")


def _counted(policy: Mapping[str, Any]) -> int:
    """The number of verdicts that count the rule set's own criteria."""
    return sum("all" in verdict for verdict in policy["verdicts"])


def _compares(test: Any, measured: set[str]) -> bool:
    """Whether a test is a single comparison of a measured fact."""
    return isinstance(test, dict) and test.get("fact") in measured and any(limit in test for limit in _COMPARED)


def _message(entry: Mapping[str, Any]) -> CardMessage:
    return CardMessage(entry["summary"], tuple(entry["lines"]))


def _templates(card: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(place, text, allowed placeholders) of each text of the card that may have placeholders."""
    for name, phrases in card["criteria"].items():
        place = f"$.criteria.{name}"
        allowed = {"fails": ("value",), "met": ("value",), "letter": ("value",), "document_found": FOUND_HOLES}
        yield from ((f"{place}.{phrase}", text, allowed.get(phrase, ())) for phrase, text in _texts(phrases))
    for name in MESSAGES:
        yield from _of_message(f"$.{name}", card.get(name), ())
    for row, message in card.get("pathways", {}).items():
        yield from _of_message(f"$.pathways.{row}", message, ("parts",))
    yield "$.page.header_code", card["page"]["header_code"], ("code", "leaves")


def _texts(phrases: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in phrases.items() if isinstance(text, str))


def _of_message(
    place: str, message: Mapping[str, Any] | None, allowed: tuple[str, ...]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if message is not None:
        yield f"{place}.summary", message["summary"], allowed
        yield from ((f"{place}.lines[{n}]", text, allowed) for n, text in enumerate(message["lines"]))
