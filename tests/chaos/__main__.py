"""Runs the scenarios, all or those that are named, and says what each found: ``python -m tests.chaos [NAME...]``."""

import sys
import time

from tests.chaos import connections, overload, processes, soak, stores
from tests.waiting import leave_out_what_others_set

# Each module has its scenarios as functions in SCENARIOS: one returns what it measured, and raises where it failed.
MODULES = (overload, connections, processes, stores, soak)


def main(names: list[str]) -> int:
    """The exit status: 1 where a scenario failed."""
    leave_out_what_others_set()
    scenarios = {scenario.__name__: scenario for module in MODULES for scenario in module.SCENARIOS}
    if unknown := set(names) - set(scenarios):
        print(f"There is no scenario {', '.join(sorted(unknown))}; there are: {', '.join(scenarios)}.", file=sys.stderr)
        return 2
    failed = 0
    for name in names or scenarios:
        started = time.monotonic()
        try:
            told = str(scenarios[name]())
        # Whatever it was, the other scenarios are run too.
        except Exception as error:
            failed += 1
            told = f"FAILED: {type(error).__name__}: {error}"
        print(f"{name}: {told} ({time.monotonic() - started:.0f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
