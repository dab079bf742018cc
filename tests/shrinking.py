"""Makes JSON smaller as long as something holds of it, so that a failure shows only what it takes."""

from collections.abc import Callable, Iterator
from typing import Any

MOST_TRIES = 5_000


def smaller(value: Any) -> Iterator[Any]:
    """The same JSON with one member or entry less, the outermost first."""
    if isinstance(value, dict):
        yield from ({name: part for name, part in value.items() if name != left_out} for left_out in value)
        yield from ({**value, name: less} for name, part in value.items() for less in smaller(part))
    elif isinstance(value, list):
        yield from (value[:place] + value[place + 1 :] for place in range(len(value)))
        yield from (
            [*value[:place], less, *value[place + 1 :]] for place, part in enumerate(value) for less in smaller(part)
        )


def shrunk(value: Any, holds: Callable[[Any], bool]) -> Any:
    """The value, as small as it gets in so many tries while ``holds`` is true of it; what raises does not hold."""
    tries = 0
    while True:
        for less in smaller(value):
            tries += 1
            if tries > MOST_TRIES:
                return value
            if _holds(less, holds):
                value = less
                break
        else:
            return value


def _holds(value: Any, holds: Callable[[Any], bool]) -> bool:
    try:
        return holds(value)
    except Exception:
        return False
