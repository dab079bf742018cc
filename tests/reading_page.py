"""The tables of docs/how-a-chart-is-read.md, made from the tables of the code and by running it on examples."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from cds_service.chart import evidence_rules
from cds_service.chart.arrivals import arrived
from cds_service.chart.chart import Chart
from cds_service.chart.code_index import Lexicon
from cds_service.facts import body_mass, responses
from cds_service.facts.attested_values import MOST_VALUES, YES_OR_NO
from cds_service.fhir import bundles, elements, free_text, manners, terminology
from cds_service.fhir.dates import days, is_future, months_between
from cds_service.fhir.types import TYPES, ResourceType
from cds_service.verdicts import payers

TODAY = date(2026, 3, 15)
Json = dict[str, Any]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)])


def _code(*names: str) -> str:
    return ", ".join(f"`{name}`" for name in names)


def types() -> str:
    """One line for each type that is read."""
    heads = ("type", "what it is", "of whom", "statuses that count", "its date", "contradicts")
    return _table(heads, (_type(row) for row in TYPES.values()))


def _type(row: ResourceType) -> tuple[str, ...]:
    what = _code(row.concept, *row.concept_too)
    if row.concept_at:
        what += f", else `{row.there}` of the {row.concept_in} in `{row.concept_at}`"
    if row.concept_in_r5:
        what += f"; R5 `{row.concept_in_r5}`"
    if row.coded_within:
        what += f"; each `{'.'.join(row.coded_within)}` likewise"
    statuses = ["none" if status is None else f"`{status}`" for status in row.statuses]
    dates = [f"`{name}`" for name in row.dates]
    # A period counts before the dates of when something was written down.
    dates = [*([f"`{row.period}`"] if row.period else []), *dates, *(f"`{name}`" for name in row.recorded)]
    if row.date_in_words:
        dates.append(f"`{row.date_in_words}` where it is a date")
    return (
        row.name,
        what if row.coded else "",
        f"`{row.subject}`" if row.search else "`id`",
        ", ".join(statuses),
        ", ".join(dates),
        "no" if row.only_shown else "yes",
    )


def systems() -> str:
    """How each code system may be spelled, and the shape by which its codes are known without it."""
    shapes = {system: pattern.pattern for pattern, system in terminology._SHAPES}
    rows = (
        (f"`{uri}`", _code(*spellings), f"`{shapes[uri]}`" if uri in shapes else "none")
        for uri, spellings in terminology._SPELLINGS.items()
    )
    return _table(("system", "other spellings", "shape of a code without a system"), rows)


WORD_LISTS = (
    ("Before a phrase: it is denied", manners.DENIALS),
    ("These words do not deny", manners.NO_DENIALS),
    ("Right after a phrase: it is denied", manners.DENIED_BEHIND),
    (
        "Right after a phrase, at the end of its clause or before a word of time or place",
        manners.DENIED_ALONE_BEHIND,
    ),
    ("Alone after a phrase and a colon or dash", manners.DENIED_BEHIND_A_COLON),
    ("Before a phrase: it is suspected", manners.SUSPICIONS),
    ("Right after a phrase: it is suspected", manners.SUSPECTED_BEHIND),
    ("Before a phrase: it is past", manners.PAST),
    ("Right after a phrase: it is past", manners.PAST_BEHIND),
    ("Before a phrase: it is mentioned", manners.MENTIONS_BEFORE),
    ("Anywhere in the sentence: everything in the sentence is mentioned", manners.MENTIONS),
    ("Anywhere in the sentence: everything in the sentence is of a relative", manners.OF_ANOTHER),
)


def word_lists() -> str:
    """The words that say in which manner a phrase is in a text."""
    rows = [(title, ", ".join(f'"{word}"' for word in listed)) for title, listed in WORD_LISTS]
    return _table(("where", "words"), [*rows, ("Words of time or place", ", ".join(map(repr, manners.GOES_ON)))])


MANNERS = (
    ("discitis", "Discitis"),
    ("discitis", "No discitis"),
    ("discitis", "No fever, chills or discitis"),
    ("low back pain", "Chronic low back pain; sciatica ruled out"),
    ("sciatica", "Chronic low back pain; sciatica ruled out"),
    ("sciatica", "Low back pain w/o sciatica"),
    ("stenosis", "Spinal stenosis - not present"),
    ("discitis", "Discitis, denied"),
    ("discitis", "Cannot exclude discitis"),
    ("discitis", "Discitis?"),
    ("physical therapy", "Pain without relief after physical therapy"),
    ("fusion", "L4-L5 fusion after fall"),
    ("fusion", "Family history: mother had a fusion"),
    ("laminectomy", "Status post laminectomy"),
    ("laminectomy", "Discussed laminectomy"),
)


def manner_of_examples() -> str:
    """What the code makes of some texts."""
    rows = []
    for phrase, text in MANNERS:
        said = free_text.FreeText(text).manner([f" {phrase} "])
        assert said is not None, text
        rows.append((phrase, text, said.name.lower()))
    return _table(("phrase", "text", "manner"), rows)


TYPED = ("7", "7/10", "6-7 out of 10", "6 to 7", "44 %", "28.4 kg/m2", "about 7", "7 today, 5 before", "0-10 scale: 7")
UNITS = ("{0-10}", "/ 10", "out of 10", "kg/(m^2)", "KG / M2", "kg/m²", "%", "{score}", "points")


def typed() -> str:
    """Numbers as people type them, and what is read."""
    rows = []
    for text in TYPED:
        found = elements.typed_quantity(text)
        unit = found.units[0] if found is not None else ""
        rows.append((f"`{text}`", found.text if found else "no number", f"`{unit}`" if unit else ""))
    return _table(("text", "number", "unit"), rows)


def spellings() -> str:
    """Units, and the one spelling that they are compared in."""
    return _table(("written", "compared as"), ((f"`{unit}`", f"`{elements.unit_spelling(unit)}`") for unit in UNITS))


ENTRY = {"resource": {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}}}
BUNDLE = {"resourceType": "Bundle", "type": "searchset"}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
WARNING = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}
SENT: tuple[tuple[str, Any], ...] = (
    ("no such key", ...),
    ("`null`", None),
    ("an empty Bundle", BUNDLE),
    ("a Bundle with one match", {**BUNDLE, "entry": [ENTRY]}),
    ("a list of resources", [ENTRY["resource"]]),
    ("the resource itself instead of an entry", {**BUNDLE, "entry": [ENTRY["resource"]]}),
    ("an OperationOutcome, or anything that is not a resource", ERROR),
    ("a Bundle with a `next` link", {**BUNDLE, "entry": [ENTRY], "link": [{"relation": "next", "url": "…"}]}),
    ("`total` 3 and one match", {**BUNDLE, "entry": [ENTRY], "total": 3}),
    ("`total` 3 and no entry", {**BUNDLE, "total": 3}),
    (
        "one match, and an entry with `response.status` 404",
        {**BUNDLE, "entry": [ENTRY, {"response": {"status": "404"}}]},
    ),
    ("only an entry with `response.status` 404", {**BUNDLE, "entry": [{"response": {"status": "404"}}]}),
    ("one match, and an OperationOutcome with an error", {**BUNDLE, "entry": [ENTRY, {"resource": ERROR}]}),
    ("one match, and an OperationOutcome with a warning", {**BUNDLE, "entry": [ENTRY, {"resource": WARNING}]}),
    ("one match, and an entry without a resource", {**BUNDLE, "entry": [ENTRY, {}]}),
    ("only resources of another type", {"resourceType": "Patient", "id": "p1"}),
)


def delivery() -> str:
    """What the code makes of each prefetch value: the state of the list, and whether it is all there is."""
    rows = []
    for said, value in SENT:
        prefetch = {} if value is ... else {"condition": value}
        came = arrived(prefetch, {"condition": "Condition"}, "p1")
        chart = Chart.of(came.resources, came.listings, patient_id="p1", types=("Condition",), lexicon=Lexicon(()))
        listing, state = came.listings["Condition"], chart.delivery("Condition").state
        rows.append((said, state, "yes" if chart.whole("Condition") else "no", listing.why_missing))
    return _table(("sent under the key of Condition", "state", "all there is", "the card says"), rows)


MONTHS = (
    ("2026-02-15", "2026-03-15"),
    ("2026-02-16", "2026-03-15"),
    ("2026-01-31", "2026-02-28"),
    ("2025-08-31", "2026-02-28"),
    ("2025-08-30", "2026-02-27"),
    ("2026-01-31", "2026-03-01"),
)


def months() -> str:
    """Calendar months between two days."""
    rows = (
        (start, end, f"{months_between(date.fromisoformat(start), date.fromisoformat(end)):.4g}")
        for start, end in MONTHS
    )
    return _table(("from", "to", "months"), rows)


FUTURE = (
    "2026-03-15",
    "2026-03-16",
    "2026-03-17",
    "2026-03",
    "2026-04",
    "2026-03-16T08:00:00+11:00",
    "2026-03-16T08:00:00Z",
)


def future() -> str:
    """Dates, the days that they may be, and whether they are in the future of 2026-03-15."""
    rows = (
        (f"`{text}`", f"{days(text).first} to {days(text).last}", "yes" if is_future(text, TODAY) else "no")
        for text in FUTURE
    )
    return _table(("written", "its days", f"in the future on {TODAY}"), rows)


def yes_or_no() -> str:
    """The codings that are read as yes and no."""
    rows = ((f"`{system}`", f"`{code}`", "yes" if value else "no") for (system, code), value in YES_OR_NO.items())
    return _table(("system", "code", "means"), rows)


def limits() -> str:
    """The numbers that the reading holds, each from its place in the code."""
    read = bundles.DEFAULT_LIMITS
    rows = (
        (
            "Days that an encounter diagnosis without a clinical status counts as present",
            evidence_rules.DAYS_OF_A_VISIT,
        ),
        ("Days that a drug counts after its treatment ended", evidence_rules.DAYS_OF_RECENT_TREATMENT),
        ("Days since a payer's text was last seen in force", payers.SEEN_WITHIN_DAYS),
        ("Bundles inside Bundles", bundles.DEEPEST_BUNDLE),
        ("Copies of one resource that contradict each other", bundles.MOST_COPIES),
        ("Items inside items of a response", responses.DEEPEST_ITEM),
        ("Characters of a typed number", elements.LONGEST_TYPED),
        ("Different values of each number of a reduction", MOST_VALUES),
        ("Resources of one call, and components of its measurements", read.resources),
        ("Draft orders of one call", read.drafts),
        ("Characters in the words of one code", read.text_characters),
        ("Characters in the words of all records", read.all_text_characters),
    )
    return _table(("limit", "maximum"), ((what, f"{most:,}") for what, most in rows))


def body_mass_units() -> str:
    """The units of weight and height, and the values that are possible."""
    rows = (
        (
            title,
            ", ".join(f"`{unit}` ({factor:g})" for unit, (factor,) in measure.units.items()),
            f"{measure.range[0]:g} to {measure.range[1]:g} {measure.unit}",
        )
        for title, measure in (("weight", body_mass.WEIGHT), ("height", body_mass.HEIGHT))
    )
    return _table(("number", "units (factor)", "possible"), rows)


def known_units() -> str:
    """The units of which two that differ contradict each other."""
    return _code(*sorted(elements.UNITS)) + "."
