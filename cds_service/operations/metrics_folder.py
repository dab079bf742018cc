"""The private folder shared by the metrics of several workers, named in the environment before they are imported.

On import prometheus_client decides whether to keep numbers in the process or in files that workers share.
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
# The kinds that are summed, and the process id of the sum over all ended workers: no process has the id 0.
_ADDED_UP, _ALL_ENDED, _ENDED = ("counter", "histogram"), 0, ".ended"
# Folding takes milliseconds; after these attempts, numbers read during a fold are better than none.
_ATTEMPTS, _SECONDS_BETWEEN = 50, 0.01
# A file starts with the number of its used bytes; its size is a multiple of the block.
_BYTES_OF_USED, _BLOCK = 4, 1 << 16
# The space for one kind of metric of one process: a few rule sets need only a fraction of it.
_BYTES_OF_A_PROCESS = 4 * _BLOCK


def prepare(environment: MutableMapping[str, str] = os.environ) -> Path:
    """Create the folder (mode 0700, empty) and name it in ``environment``; the launcher calls this before the fork.

    In a folder that the operator named, only an earlier run's numbers are deleted. Raises RuntimeError if
    prometheus_client is already loaded.
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
    """Block folding while the numbers are read; otherwise some would count twice or not at all."""
    with ExitStack() as stack:
        for _ in range(_ATTEMPTS):
            with suppress(BlockingIOError):
                stack.enter_context(_locked(folder, fcntl.LOCK_SH | fcntl.LOCK_NB))
                break
            time.sleep(_SECONDS_BETWEEN)
        yield


def fold(folder: Path, pid: int, add_up: Callable[[Path, Path], None]) -> None:
    """Add the counts of an ended worker to those of all earlier ones, and delete its files.

    ``add_up`` adds the numbers of one file to those of another, all or none. Only the launcher of the worker ``pid``
    calls this. If the numbers are being read or cannot be written, this worker's files wait until the next one ends; a
    marker file says that they may be folded. Raises OSError and the errors of ``add_up``.
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
    """Reserve disk space for ``more`` bytes beyond those used in the file of sums. Raises OSError if the disk is full.

    prometheus_client writes through a memory map: a page that a full disk cannot provide ends the process (SIGBUS).
    """
    with total.open("a+b") as file:
        file.seek(0)
        used = int.from_bytes(file.read(_BYTES_OF_USED), sys.byteorder)
        os.posix_fallocate(file.fileno(), 0, max(total.stat().st_size, -(-(used + more) // _BLOCK) * _BLOCK))


def reserve(folder: Path, pid: int, kinds: Iterable[str]) -> None:
    """Reserve disk space for a process's files before it counts; ``kinds`` are the first parts of their names.

    Raises OSError if the disk is full, and then leaves none of the files. ``make_room`` says why.
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
    """Delete a folder that ``prepare`` made; the launcher calls this when it ends (gunicorn's ``on_exit``)."""
    shutil.rmtree(folder, ignore_errors=True)


def workers(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder in which workers report whether they are ready; None for a single process."""
    folder = environment.get(VARIABLE)
    return Path(folder) / "workers" if folder else None
