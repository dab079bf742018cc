"""How a form fills itself in from the chart: launch contexts, variables (x-fhir-query), initial expressions (FHIRPath).

HL7 SDC, "Form Population"; Da Vinci DTR 2.2, spec-61. An expression gives the value that ``facts`` reads, or nothing. A
value that needs more than one query or one unit is left to the draft response, which has what ``facts`` found.
"""

from collections.abc import Iterable, Iterator

from cds_service.fhir.elements import Json
from cds_service.fhir.types import TYPES
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.model import FactRule
from cds_service.questionnaire.questions import FormQuestion

SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition"
VARIABLE = "http://hl7.org/fhir/StructureDefinition/variable"
INITIAL = f"{SDC}/sdc-questionnaire-initialExpression"
CANDIDATES = f"{SDC}/sdc-questionnaire-candidateExpression"
# More codes make an expression unreadable, and servers refuse the query.
MOST_CODES = 30
MOST_CONDITIONS = 100
MOST_OF_A_DAY = 20
_CONTEXTS = (("patient", "Patient"), ("user", "Practitioner"))


def launch_contexts() -> list[Json]:
    """The launch contexts that the expressions use: %patient and %user."""
    return [
        {
            "url": f"{SDC}/sdc-questionnaire-launchContext",
            "extension": [
                {
                    "url": "name",
                    "valueCoding": {"system": "http://hl7.org/fhir/uv/sdc/CodeSystem/launchContext", "code": name},
                },
                {"url": "type", "valueCode": kind},
            ],
        }
        for name, kind in _CONTEXTS
    ]


def variables(questions: Iterable[FormQuestion]) -> list[Json]:
    """The query of each fact that the chart fills in, and for a number also the values of its records."""
    rules = {question.fact.name: question.fact for question in questions if is_populated(question)}
    expressions = []
    for rule in rules.values():
        expressions.append({"name": variable(rule), **_x_fhir_query(_query(rule))})
        if "Observation" in rule.types():
            expressions.append({"name": f"{variable(rule)}Values", **_fhirpath(_values(rule))})
    return [{"url": VARIABLE, "valueExpression": expression} for expression in expressions]


def is_populated(question: FormQuestion) -> bool:
    """Whether the chart fills in a question: a number from Observations, or the onset of Conditions."""
    rule = question.fact
    if rule.codes is None or question.part or question.ends or not 0 < len(rule.codes.listed) <= MOST_CODES:
        return False
    if "Observation" in rule.types():
        return question.type == "decimal" and not rule.codes.families and not _is_ambiguous(rule)
    return question.type == "date" and "Condition" in rule.types()


def initial_expression(question: FormQuestion) -> list[Json]:
    """The expression for the chart's answer to a question; an empty list if the chart does not fill it in."""
    if not is_populated(question):
        return []
    text = _number(question.fact) if question.type == "decimal" else _onset(question.fact)
    return [{"url": INITIAL, "valueExpression": _fhirpath(text)}]


def candidates() -> Json:
    """The documents that an answer may rest on, as candidates."""
    query = "DocumentReference?patient={{%patient.id}}&_sort=-date&_count=20"
    return {"url": CANDIDATES, "valueExpression": _x_fhir_query(query)}


def signer() -> list[Json]:
    """Who may sign: the user, unless another signer is chosen."""
    initial = "iif(%user.exists(), 'Practitioner/' + %user.id, {})"
    return [
        {"url": INITIAL, "valueExpression": _fhirpath(initial)},
        {"url": CANDIDATES, "valueExpression": _fhirpath("%user")},
    ]


def variable(rule: FactRule) -> str:
    """The name of a fact's variable, which cannot contain a dash: "pain-score" is "painScore"."""
    first, *rest = rule.name.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _x_fhir_query(query: str) -> Json:
    return {"language": "application/x-fhir-query", "expression": query}


def _fhirpath(expression: str) -> Json:
    return {"language": "text/fhirpath", "expression": expression}


def _query(rule: FactRule) -> str:
    """The search for a fact's records. The server sorts the relevant ones first, because FHIRPath cannot sort."""
    if "Observation" not in rule.types():
        return (
            "Condition?patient={{%patient.id}}&clinical-status=active,recurrence,relapse"
            f"&_sort=onset-date&_count={MOST_CONDITIONS}"
        )
    codes = ",".join(f"{row.system}|{row.code}" for row in _rows(rule.codes))
    since = f"&date=ge{{{{today() - {rule.look_back_days} days}}}}" if rule.look_back_days else ""
    statuses = ",".join(status for status in TYPES["Observation"].statuses if status)
    newest = f"_sort=-date&_count={MOST_OF_A_DAY}"
    return f"Observation?patient={{{{%patient.id}}}}&code={codes}&status={statuses}{since}&{newest}"


def _number(rule: FactRule) -> str:
    """The newest number, if there is exactly one."""
    values = f"%{variable(rule)}Values"
    return f"iif({values}.count() = 1, {values}.first(), {{}})"


def _values(rule: FactRule) -> str:
    """The numbers of the newest day in the fact's unit, without other sites, other units, or values out of range."""
    found = f"%{variable(rule)}.entry.resource.ofType(Observation)"
    day = "effective.ofType(dateTime).toString().substring(0, 10)"
    statuses = _one_of(status for status in TYPES["Observation"].statuses if status)
    found = f"{found}.where({day} = {found}.first().{day}).where(status in {statuses})"
    found += f".where(code.coding.exists({_coded(rule.codes)}))"
    if rule.site or rule.elsewhere:
        here = f" or bodySite.coding.exists({_coded(rule.site)})" if rule.site and rule.site.exact else ""
        found += f".where(bodySite.empty(){here})"
    value = "{}"
    for factor, units in _units(rule).items():
        converted = "value" if factor == 1 else f"value / {1 / factor:g}" if factor < 1 else f"value * {factor:g}"
        value = f"iif({_in_unit(units)}, {converted}, {value})"
    low, high = rule.range
    return (
        f"{found}.value.ofType(Quantity).where(comparator.empty()).select({value})"
        f".where($this >= {low:g} and $this <= {high:g}).distinct()"
    )


def _onset(rule: FactRule) -> str:
    """The earliest onset of the Conditions, as precise as known, at most to the day."""
    confirmed = "verificationStatus.empty() or verificationStatus.coding.exists(code = 'confirmed')"
    return (
        f"%{variable(rule)}.entry.resource.ofType(Condition)"
        ".where(clinicalStatus.coding.exists(code in ('active' | 'recurrence' | 'relapse')))"
        f".where({confirmed}).where(code.coding.exists({_coded(rule.codes)}))"
        ".onset.ofType(dateTime).first().toString().substring(0, 10).toDate()"
    )


def _rows(codes: CodeSet | None) -> tuple[Code, ...]:
    return codes.listed if codes else ()


def _coded(codes: CodeSet | None) -> str:
    """A test of whether a coding belongs to a set; families match by prefix."""
    by_system: dict[str, list[str]] = {}
    for row in _rows(codes):
        if not row.is_family:
            by_system.setdefault(row.system, []).append(row.code)
    tests = [f"(system = '{system}' and code in {_one_of(listed)})" for system, listed in by_system.items()]
    tests += [
        f"(system = '{row.system}' and code.startsWith('{row.code}')"
        + "".join(f" and code.startsWith('{kept_out.rstrip('-')}').not()" for kept_out in row.exceptions)
        + ")"
        for row in _rows(codes)
        if row.prefix
    ]
    return " or ".join(tests)


def _is_ambiguous(rule: FactRule) -> bool:
    """Whether no unit determines what a number means."""
    return not _units(rule)


def _units(rule: FactRule) -> dict[float, list[str]]:
    """The units by their factor into the fact's unit, without units that have several factors."""
    found: dict[float, list[str]] = {}
    for unit, factors in rule.units.items():
        if len(factors) == 1:
            found.setdefault(factors[0], []).append(unit)
    return found


def _in_unit(units: list[str]) -> str:
    """A test of whether a Quantity's unit, by code and by text, is one of these ("": no unit)."""
    named = [unit for unit in units if unit]
    spelled = r"$this.lower().replace(' ', '').replace('²', '2')"
    test = f"(code | unit).all({spelled} in {_one_of(named)})" if named else "false"
    if "" not in units:
        return f"(code | unit).exists() and {test}"
    return test if named else "(code | unit).empty()"


def _one_of(texts: Iterable[str]) -> str:
    return f"({' | '.join(_quoted(texts))})"


def _quoted(texts: Iterable[str]) -> Iterator[str]:
    yield from ("'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" for text in texts)
