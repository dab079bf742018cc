"""policy.json, provenance: sources, studies, parameters, attributes, and review."""

from collections.abc import Mapping
from typing import Any

from cds_service.policy.loading.problems import Problems, Reader
from cds_service.policy.sources import (
    Attributes,
    Citation,
    Funded,
    Information,
    LaterText,
    Parameter,
    Review,
    Revision,
    Source,
    StudyResult,
)


class SourceReader(Reader):
    """Reads the register of sources and everything that cites a source."""

    def __init__(self, problems: Problems, entries: Mapping[str, Any]) -> None:
        super().__init__(problems)
        self.sources = {
            name: Source(entry["title"], entry["citation"], entry["url"], entry["seen"], entry["read_on"])
            for name, entry in entries.items()
        }

    def known_source(self, name: str, place: str) -> None:
        """Notes a source that is not in the register."""
        self.known(name, self.sources, "source", "policy", place)

    def evidence(self, entries: list[Mapping[str, Any]]) -> tuple[StudyResult, ...]:
        """What studies found."""
        for index, entry in enumerate(entries):
            self.known_source(entry["source"], f"$.evidence[{index}].source")
        return tuple(
            StudyResult(entry["finding"], entry["speaks"], entry["limits"], entry["source"]) for entry in entries
        )

    def parameters(self, entries: Mapping[str, Any]) -> dict[str, Parameter]:
        """The parameters: the statement's numbers, by name."""
        for name, entry in entries.items():
            self.known_source(entry["source"], f"$.parameters.{name}.source")
        return {
            name: Parameter(entry["title"], entry["value"], entry["source"], entry["place"])
            for name, entry in entries.items()
        }

    def attributes(self, entry: Mapping[str, Any]) -> Attributes:
        """The attributes of the rule set; notes a funding entry whose source is not in the register."""
        self.known_source(entry["funding_of_statement"]["source"], "$.attributes.funding_of_statement.source")
        for index, study in enumerate(entry["funding_of_studies"]):
            self.known_source(study["source"], f"$.attributes.funding_of_studies[{index}].source")
        return Attributes(
            purpose=entry["purpose"],
            intended_user=entry["intended_user"],
            intended_population=entry["intended_population"],
            not_for=entry["not_for"],
            funding=entry["funding"],
            funding_of_statement=_funded(entry["funding_of_statement"]),
            funding_of_studies=tuple(map(_funded, entry["funding_of_studies"])),
            limits=entry["limits"],
        )

    def review(self, entry: Mapping[str, Any]) -> Review:
        """Who wrote and checked the rule set. Notes revisions out of order, because the page prints the last one as the
        newest."""
        days_of_revisions = [revision["on"] for revision in entry["revisions"]]
        if days_of_revisions != sorted(days_of_revisions):
            self.problem(
                "policy", "$.review.revisions", "are out of order; write the earliest day first and the newest last"
            )
        return Review(
            written_by=entry["written_by"],
            checked_by=entry["checked_by"],
            last_review=entry["last_review"],
            next_review=entry["next_review"],
            revisions=tuple(
                Revision(item["on"], item["what"], item.get("on_cards", ""), tuple(item.get("turns", ())))
                for item in entry["revisions"]
            ),
        )

    def citations(self, entries: list[Mapping[str, Any]], place: str) -> tuple[Citation, ...]:
        """Where a criterion's content was found."""
        for index, entry in enumerate(entries):
            self.known_source(entry["source"], f"{place}[{index}]")
        return tuple(
            Citation(entry["source"], entry["place"], entry["says"], entry["verified"], entry.get("quote"))
            for entry in entries
        )

    def later_text(self, entry: Mapping[str, Any] | None) -> LaterText | None:
        """The later text of the society; None if there is none."""
        if entry is None:
            return None
        self._where_cited(entry, "$.superseded_by")
        return LaterText(entry["title"], entry["date"], entry["url"], entry.get("source"))

    def information(self, entries: list[Mapping[str, Any]]) -> tuple[Information, ...]:
        """The notes, which affect no result."""
        for index, entry in enumerate(entries):
            self._where_cited(entry, f"$.information[{index}]")
        return tuple(Information(entry["topic"], entry["note"], entry.get("source")) for entry in entries)

    def _where_cited(self, entry: Mapping[str, Any], place: str) -> None:
        if "source" in entry:
            self.known_source(entry["source"], f"{place}.source")


def _funded(entry: Mapping[str, Any]) -> Funded:
    return Funded(entry["says"], entry["source"])
