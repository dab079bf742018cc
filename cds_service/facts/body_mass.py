"""Body mass index from the newest weight and the newest height, for charts that have both and no index."""

from itertools import product

from cds_service.facts.context import Context
from cds_service.facts.evidence import ANYTHING, Reading, Value, newest, note_on
from cds_service.facts.measured import Measure, Unread, observed
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import FactRule

# In kilograms and meters; the pound and the inch are exact by definition (1959).
_POUNDS, _INCHES = ("[lb_av]", "lb", "lbs", "pound", "pounds"), ("[in_i]", "in", "inch", "inches")
WEIGHT = Measure("kg", {"kg": (1.0,), "g": (0.001,)} | dict.fromkeys(_POUNDS, (0.45359237,)), (10.0, 500.0))
HEIGHT = Measure("m", {"m": (1.0,), "cm": (0.01,), "mm": (0.001,)} | dict.fromkeys(_INCHES, (0.0254,)), (0.5, 2.6))


def computed(rule: FactRule, context: Context, notes: list[str]) -> list[Reading]:
    """The readings (kg/m2, to one decimal) that weight and height give, both within the look-back of the fact.

    Their date is the date of the weight. If one of the two was sent but is unreadable, the index may have any value.
    Appends to ``notes`` why something does not count.
    """
    if rule.weight is None or rule.height is None:
        return []
    weights = _newest(rule, rule.weight, WEIGHT, context, notes)
    heights = _newest(rule, rule.height, HEIGHT, context, notes)
    if not weights or not heights:
        return []
    masses = [value for reading in weights for value in reading.values]
    lengths = [value for reading in heights for value in reading.values]
    values = tuple(dict.fromkeys(_index(mass, length) for mass, length in product(masses, lengths)))
    numbers = [f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in _known(values)]
    shown = f"{rule.title} {' or '.join(numbers)} {rule.unit} computed" if numbers else f"{rule.title} not computed"
    when = weights[0].when
    return [
        Reading(when, values, reading.evidence._replace(value=f"{reading.evidence.value}{said}"))
        for readings, said in ((weights, f": {shown}"), (heights, ""))
        for reading in readings
    ]


def _newest(rule: FactRule, codes: CodeSet, measure: Measure, context: Context, notes: list[str]) -> list[Reading]:
    readings = []
    for match, placed in context.matches_of(codes, ("Observation",)):
        found = observed(rule, match, context.chart, context.today, measure, codes) if placed else context.no_part
        if isinstance(found, Unread):
            notes.append(note_on(match, found.why))
            readings += [] if match.beside_code else [found.reading]
        elif isinstance(found, Reading):
            readings.append(found)
    return newest(readings)


def _index(mass: Value, length: Value) -> Value:
    if isinstance(mass, bool) or isinstance(length, bool) or ANYTHING in (mass, length):
        return ANYTHING
    # Charts record the index to one decimal, and a limit applies to that form.
    return round(mass[0] / length[1] ** 2, 1), round(mass[1] / length[0] ** 2, 1)


def _known(values: tuple[Value, ...]) -> list[tuple[float, float]]:
    return [value for value in values if not isinstance(value, bool) and value != ANYTHING]
