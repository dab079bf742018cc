"""Repeats an action whenever a file under a folder is saved, by polling."""

from collections.abc import Callable, Iterator
from pathlib import Path

SECONDS_BETWEEN_LOOKS = 0.5
MOST_NAMED = 3

Look = dict[Path, tuple[int, int]]


def watch(
    folder: Path,
    run: Callable[[], None],
    say: Callable[[str], None],
    sleep: Callable[[float], None],
    stop: Callable[[], bool],
) -> None:
    """Runs once, and again after each change, until ``stop`` returns true or the user presses Ctrl-C.

    ``say`` receives the names of changed files; ``sleep`` waits a number of seconds between two looks.
    """
    try:
        before = look(folder)
        run()
        say(f"watching {folder}; Ctrl-C ends")
        while not stop():
            sleep(SECONDS_BETWEEN_LOOKS)
            now = look(folder)
            if now != before:
                say(changes(before, now, folder))
                # A file saved during the run counts as a change after the run.
                before = now
                run()
    except KeyboardInterrupt:
        say("ended")


def look(folder: Path) -> Look:
    """The save time and size of each JSON file under a folder, except editors' own files."""
    return dict(_looked_at(folder))


def _looked_at(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    for path in sorted(folder.rglob("*.json")):
        if not path.name.startswith("."):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue
            yield path, (state.st_mtime_ns, state.st_size)


def changes(before: Look, now: Look, folder: Path) -> str:
    """A line that names the saved, added and removed files."""
    parts = []
    for word, paths in (
        ("saved", [path for path in now if path in before and now[path] != before[path]]),
        ("added", [path for path in now if path not in before]),
        ("removed", [path for path in before if path not in now]),
    ):
        if paths:
            named = ", ".join(str(path.relative_to(folder)) for path in paths[:MOST_NAMED])
            more = len(paths) - MOST_NAMED
            parts.append(f"{word}: {named}" + (f" and {more} more" if more > 0 else ""))
    return "; ".join(parts)
