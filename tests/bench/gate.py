"""Whether a call costs more instructions than it did: ``python -m tests.bench.gate [--keep]`` (valgrind).

Instructions under callgrind hardly vary, whatever else the machine does. Each kind of call is compared, as its ratio to
the floor of the same run, with the ratio in ``kept_ratios.json``; one that grew by more than 2% fails.
"""

import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.bench.instructions import COUNTED
from tests.bench.machine import ROOT

KEPT = Path(__file__).with_name("kept_ratios.json")
FLOOR = "floor"
MOST = 1.02
# Seconds for one run, which takes about a minute of a core where nothing else runs.
LONGEST = 1800
# Counted again where a kind of call is above what is kept: what collides by chance differs from run to run.
RUNS = 3

Ratios = Mapping[str, float]


def instructions(seed: int = 0) -> dict[str, float]:
    """Instructions of one call of each kind, by name. Raises ClickException where they cannot be counted.

    ``seed`` orders Python's sets, and with them what happens to collide: the same call counted 1.8% more in one run.
    """
    if shutil.which("callgrind_control") is None:
        raise click.ClickException("counting instructions needs valgrind: install it and run this again.")
    with TemporaryDirectory() as folder:
        command = [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no"),
            *("--toggle-collect=ffi_call", "--dump-after=ffi_call", f"--callgrind-out-file={folder}/counts"),
            *(sys.executable, "-m", "tests.bench.instructions"),
        ]
        # Of two runs neither the order of sets nor the settings of the shell may differ.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CDS_SERVICE_")}
        environment["PYTHONHASHSEED"] = str(seed)
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
        )
        if done.returncode:
            raise click.ClickException(f"the calls could not be counted:\n{done.stdout}\n{done.stderr[-3000:]}")
        files = sorted(Path(folder).glob("counts.*"), key=lambda file: int(file.suffix[1:]))
        totals = [_total(file.read_text(encoding="utf-8")) for file in files]
    return {name: total / COUNTED for name, total in zip(done.stdout.splitlines(), totals, strict=True)}


def least(kept: Ratios | None, runs: int = RUNS) -> tuple[dict[str, float], dict[str, float]]:
    """The fewest instructions of each kind and their ratios, in as many runs as it takes until none is above ``kept``.

    A call that really costs more does so in every run. Raises ClickException where nothing can be counted.
    """
    counts: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for seed in range(runs):
        counted = instructions(seed)
        for name, ratio in ratios_of(counted).items():
            if ratio < ratios.get(name, math.inf):
                counts[name], ratios[name] = counted[name], ratio
        if kept is None or not grown(ratios, kept):
            break
    return counts, ratios


def _total(counts: str) -> int:
    found = re.search(r"^totals: (\d+)", counts, re.MULTILINE)
    assert found
    return int(found[1])


def ratios_of(counts: Mapping[str, float]) -> dict[str, float]:
    """Each kind's instructions to those of the floor."""
    return {name: count / counts[FLOOR] for name, count in counts.items()}


def this_python() -> str:
    """The build of Python whose instructions are counted: those of another one cannot be compared."""
    name = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{name}, {platform.python_compiler()}, {platform.machine()}"


def kept_ratios(python: str) -> dict[str, float] | None:
    """The kept ratios of a build of Python; None where nothing is kept for it."""
    found: dict[str, float] | None = json.loads(KEPT.read_text(encoding="utf-8")).get(python)
    return found


def keep_ratios(python: str, ratios: Ratios) -> None:
    """Writes the ratios of one build of Python beside those of the others."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    kept[python] = {name: round(ratio, 4) for name, ratio in ratios.items()}
    KEPT.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def grown(ratios: Ratios, kept: Ratios) -> list[str]:
    """What is wrong, a line for each kind of call that costs more than it may, or that only one side has."""
    faults = [
        f"{name}: {ratios[name]:.3f} times the floor, and {kept[name]:.3f} are kept"
        for name in ratios
        if name in kept and ratios[name] > kept[name] * MOST
    ]
    faults += [f"{name}: no ratio is kept" for name in ratios if name not in kept]
    return faults + [f"{name}: a ratio is kept, and it was not counted" for name in kept if name not in ratios]


@click.command()
@click.option("--keep", is_flag=True, help="Write the ratios of this run as those to compare with.")
def main(keep: bool) -> None:
    """Prints what each kind of call costs, and fails where one grew by more than 2% beside the floor."""
    python = this_python()
    counts, ratios = least(None if keep else kept_ratios(python))
    if keep:
        keep_ratios(python, ratios)
    kept = kept_ratios(python)
    print(f"{'':24}{'instructions':>14}{'to the floor':>14}{'kept':>10}")
    for name, ratio in ratios.items():
        print(f"{name:24}{counts[name]:14,.0f}{ratio:14.3f}{(kept or {}).get(name, float('nan')):10.3f}")
    if kept is None:
        print(f"No ratios are kept for {python}; nothing is compared. Keep them: make bench-gate KEEP=1")
    elif faults := grown(ratios, kept):
        raise click.ClickException(
            "more than 2% above what is kept:\n  " + "\n  ".join(faults) + "\nFind what made it so. If the commit is "
            "worth it, say why in its message and keep the new ratios: make bench-gate KEEP=1"
        )


if __name__ == "__main__":
    main()
