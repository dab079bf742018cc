"""Places in a rule set's documents: as steps, and as the JSON path that authors see."""

Steps = tuple[str | int, ...]


def path_of(steps: Steps) -> str:
    """A place as a JSON path: ``$.criteria[3].test``."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
