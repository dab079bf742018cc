"""The source of a fact in words: answers by their names, records by their types."""

from cds_service.policy.model import FactRule


def answers(rule: FactRule) -> str:
    """The attested answers that a fact reads; "" if it reads none."""
    said = f"attested answer {either([f'“{item}”' for item in rule.items])}" if rule.items else ""
    return f"{said} (names of one finding, which counts once)" if rule.aliases else said


def records(rule: FactRule) -> str:
    """The records that a fact reads: "active Condition or Procedure"."""
    types = [a_condition(rule) if name == "Condition" else name for name in rule.resources]
    return either(types).removeprefix("a ").removeprefix("an ")


def a_condition(rule: FactRule) -> str:
    """A Condition in the state that counts."""
    return f"{'an active' if rule.state == 'active' else 'a'} Condition"


def but_not(rule: FactRule) -> str:
    """Which of the records do not count because of their site or reason; "" if all count."""
    place = " that names no other part of the body, nor another reason" if rule.elsewhere else ""
    return place + (" whose reasons, where it names any, are among those listed" if rule.only_for else "")


def either(names: list[str]) -> str:
    """One of several: "a, b or c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def span(rule: FactRule) -> str:
    """The possible values."""
    return f"{rule.range[0]:g} to {rule.range[1]:g}"
