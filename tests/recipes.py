"""How an example is registered: what is said of it, whose chart it is, and what makes the chart what it is."""

from collections.abc import Callable
from typing import NamedTuple

from tests.synthetic import PLAIN, Chart, Ehr, Person


class Recipe(NamedTuple):
    """One example: what ``about.json`` says, whose chart it is, and the function that makes the chart what it is."""

    title: str
    shows: str
    person: Person
    make: Callable[[Chart], None]
    hook: str
    selected: tuple[str, ...] | None
    ehr: Ehr


RECIPES: dict[str, Recipe] = {}


def example(
    title: str,
    shows: str,
    person: Person,
    *,
    hook: str = "order-sign",
    selected: tuple[str, ...] | None = None,
    ehr: Ehr = PLAIN,
    into: dict[str, Recipe] = RECIPES,
) -> Callable[[Callable[[Chart], None]], Callable[[Chart], None]]:
    """Registers an example under the name of the function, with hyphens."""

    def register(make: Callable[[Chart], None]) -> Callable[[Chart], None]:
        into[make.__name__.replace("_", "-")] = Recipe(title, shows, person, make, hook, selected, ehr)
        return make

    return register
