"""card.json: the words of the card, whose holes the service must be able to fill."""

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from cds_service.policy.loading.problems import Reader

HOLES = ("procedure", "total", "undocumented", "not_met", "criteria", "names")


class WordingReader(Reader):
    """Reads the words of card.json."""

    def check(self, policy: Mapping[str, Any], card: Mapping[str, Any]) -> None:
        """Notes words that policy.json asks for and card.json lacks, and holes that nothing fills."""
        if "scope" in policy and "ask_scope" not in card:
            self.problem("card", "$", "'ask_scope' is missing: what to ask where an order names no part of the scope")
        if "applies_unless" in policy["verdicts"][0]:
            for part in ("summaries", "leads"):
                if "not_applicable" not in card[part]:
                    self.problem("card", f"$.{part}", "'not_applicable' is missing: the first verdict may not apply")
        for place, template, allowed in _templates(card):
            try:
                found = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
            except ValueError as error:
                self.problem("card", place, f"a hole is not closed: {error}")
                continue
            for name in found:
                if name not in allowed:
                    known = ", ".join(f"{{{hole}}}" for hole in allowed)
                    self.problem("card", place, f"nothing fills {{{name}}}; allowed are {known}")


def _templates(card: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(place, text, holes that are filled in it) of each text of the card that may have holes."""
    for part in ("summaries", "leads"):
        yield from ((f"$.{part}.{name}", text, HOLES) for name, text in card[part].items())
    for part in ("ask", "failed", "ask_scope"):
        yield from ((f"$.{part}.{name}", text, ("procedure",)) for name, text in card.get(part, {}).items())
    for row, message in card.get("pathways", {}).items():
        yield from ((f"$.pathways.{row}.{name}", text, ("procedure", "parts")) for name, text in message.items())
    yield "$.by_text_line", card["by_text_line"], ("procedure",)
    yield "$.header_code_line", card["header_code_line"], ("code", "leaves")
    yield "$.not_read_line", card["not_read_line"], ("types",)
    yield "$.footer", card["footer"], ("pending", "edition", "today")
