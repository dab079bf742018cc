"""Where the metrics of several workers meet: a private folder, named in the environment before they are imported.

prometheus_client decides when it is imported whether numbers are kept in the process or in files that workers share.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare(environment: MutableMapping[str, str] = os.environ) -> Path:
    """Makes the folder (mode 0700, empty) and names it in ``environment``; called by the launcher, before the fork.

    A folder that the operator named is emptied of an earlier run's numbers, and no other file in it is touched.
    Raises RuntimeError where it is too late, because prometheus_client is loaded already.
    """
    if environment is os.environ and "prometheus_client" in sys.modules:
        raise RuntimeError("the folder of the metrics must be made before prometheus_client is imported")
    if given := environment.get(VARIABLE):
        folder = Path(given)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in (*folder.glob("*.db"), *folder.glob("workers/*")):
            old.unlink()
        return folder
    folder = Path(tempfile.mkdtemp(prefix="cds-service-metrics-"))
    environment[VARIABLE] = str(folder)
    return folder


def remove(folder: Path) -> None:
    """Deletes a folder that ``prepare`` made; called by the launcher when it ends (gunicorn's ``on_exit``)."""
    shutil.rmtree(folder, ignore_errors=True)


def workers(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where workers tell each other whether they are ready: beside the numbers; None where there is one process."""
    folder = environment.get(VARIABLE)
    return Path(folder) / "workers" if folder else None
