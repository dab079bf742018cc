"""What the page says in its tables, and the rule sets as their files have them."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-a-chart-is-read.md").read_text(encoding="utf-8")
Json = dict[str, Any]


def table(name: str) -> list[list[str]]:
    """The rows of one table of the page, without its head."""
    inside = PAGE.split(f"<!-- {name}:begin -->\n")[1].split(f"<!-- {name}:end -->")[0]
    lines = [line for line in inside.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells[2:]]


def ticked(cell: str) -> list[str]:
    """What is in backticks."""
    return re.findall(r"`([^`]*)`", cell)


SYSTEMS = {row[0].strip("`"): ticked(row[1]) for row in table("systems")}
SHAPES = [(re.compile(ticked(row[2])[0]), row[0].strip("`")) for row in table("systems") if row[2] != "none"]
STATUSES = {
    row[0]: {None if word.strip() == "none" else word.strip().strip("`") for word in row[3].split(",")}
    for row in table("types")
}
DATES = {row[0]: ticked(row[4]) for row in table("types")}
SUBJECTS = {row[0]: ticked(row[2])[0] for row in table("types")}
SPEAKS_AGAINST = {row[0] for row in table("types") if row[5] == "yes"}
WORDS = [re.findall(r"[\"']([^\"']*)[\"']", row[1]) for row in table("word-lists")]
YES_OR_NO = {(row[0].strip("`"), row[1].strip("`")): row[2] == "yes" for row in table("yes-or-no")}
ROLES = [(row[0], row[1], row[3]) for row in table("roles")]
KNOWN_UNITS = set(ticked(PAGE.split("<!-- known-units:begin -->")[1].split("<!-- known-units:end -->")[0]))
BODY_MASS = {
    row[0]: (
        {unit: float(factor) for unit, factor in re.findall(r"`([^`]*)` \(([\d.e-]+)\)", row[1])},
        tuple(map(float, re.findall(r"[\d.]+", row[2])[:2])),
    )
    for row in table("body-mass")
}
DRUGS = json.loads((ROOT / "cds_service" / "policy" / "tables" / "drugs.json").read_text(encoding="utf-8"))


@cache
def rule_set(name: str) -> Json:
    """The files of one rule set: {"policy": …, "codes": …}."""
    folder = ROOT / "cards" / name
    return {part: json.loads((folder / f"{part}.json").read_text(encoding="utf-8")) for part in ("policy", "codes")}


RULE_SETS = ("isass-restorative-neurostimulation-2023", "isass-si-joint-fusion-2020")


def forms(name: str, base: str) -> set[str]:
    """The questionnaires of every edition of a rule set's statement."""
    policies = [rule_set(other)["policy"] for other in RULE_SETS]
    statement = rule_set(name)["policy"]["statement"]
    return {f"{base}/Questionnaire/{one['id']}|{one['edition']}" for one in policies if one["statement"] == statement}
