"""Where the metrics of several workers meet: a private folder, named in the environment before they are imported.

prometheus_client decides when it is imported whether numbers are kept in the process or in files that workers share.
"""

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# What adds up over workers, and the worker that has the sum of all that ended: no process has that number.
_ADDED_UP, _ALL_ENDED, _ENDED = ("counter", "histogram"), 0, ".ended"
# Folding takes milliseconds; numbers that are read beside it after all are better than none.
_ATTEMPTS, _SECONDS_BETWEEN = 50, 0.01
# A file of numbers begins with how many of its bytes are used; its size is a multiple of this.
_BYTES_OF_USED, _BLOCK = 4, 1 << 16
# Of one kind of metric of one process: with a few rule sets all names and labels take a fraction of it.
_BYTES_OF_A_PROCESS = 4 * _BLOCK


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
        for old in (*folder.glob("*.db"), *folder.glob(f"*{_ENDED}"), *folder.glob("workers/*")):
            old.unlink()
        return folder
    folder = Path(tempfile.mkdtemp(prefix="cds-service-metrics-"))
    environment[VARIABLE] = str(folder)
    return folder


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """While the numbers are read no worker's are folded, or some would be read twice or not at all."""
    with ExitStack() as stack:
        for _ in range(_ATTEMPTS):
            with suppress(BlockingIOError):
                stack.enter_context(_locked(folder, fcntl.LOCK_SH | fcntl.LOCK_NB))
                break
            time.sleep(_SECONDS_BETWEEN)
        yield


def fold(folder: Path, pid: int, add_up: Callable[[Path, Path], None]) -> None:
    """Adds what a worker that has ended counted to what all those before it counted, and removes its files.

    ``add_up`` adds the numbers of one file to those of another, all or none. Called by the launcher alone, of whose
    workers ``pid`` was one. Where the numbers are being read now, or cannot be written, the files of this worker wait
    until the next one ends: a name beside them says that they may be folded. Raises OSError and what ``add_up`` does.
    """
    with suppress(FileNotFoundError):
        (folder / f"{pid}{_ENDED}").touch()
        with suppress(BlockingIOError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for ended in folder.glob(f"*{_ENDED}"):
                for kind in _ADDED_UP:
                    if (one := folder / f"{kind}_{ended.stem}.db").exists():
                        add_up(one, folder / f"{kind}_{_ALL_ENDED}.db")
                        one.unlink()
                for rest in folder.glob(f"*_{ended.stem}.db"):
                    rest.unlink()
                ended.unlink()


def make_room(total: Path, more: int) -> None:
    """Has the disk hold the file of sums with so many bytes more than are used. Raises OSError where it is full.

    prometheus_client writes through a map of the file: a page that a full disk cannot give ends the process (SIGBUS).
    """
    with total.open("a+b") as file:
        file.seek(0)
        used = int.from_bytes(file.read(_BYTES_OF_USED), sys.byteorder)
        os.posix_fallocate(file.fileno(), 0, max(total.stat().st_size, -(-(used + more) // _BLOCK) * _BLOCK))


def reserve(folder: Path, pid: int, kinds: Iterable[str]) -> None:
    """Has the disk hold the files in which a process counts, before it counts; ``kinds`` are the beginnings of their
    names. Raises OSError where the disk is full; then none of them is there.

    What ``make_room`` says of the file of sums holds of each.
    """
    made: list[Path] = []
    try:
        for kind in kinds:
            made.append(folder / f"{kind}_{pid}.db")
            with made[-1].open("a+b") as file:
                os.posix_fallocate(file.fileno(), 0, _BYTES_OF_A_PROCESS)
    except OSError:
        for path in made:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    locked = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(locked, how)
        yield
    finally:
        os.close(locked)


def remove(folder: Path) -> None:
    """Deletes a folder that ``prepare`` made; called by the launcher when it ends (gunicorn's ``on_exit``)."""
    shutil.rmtree(folder, ignore_errors=True)


def workers(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where workers tell each other whether they are ready: beside the numbers; None where there is one process."""
    folder = environment.get(VARIABLE)
    return Path(folder) / "workers" if folder else None
