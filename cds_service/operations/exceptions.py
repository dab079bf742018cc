"""An exception as its kind and places in the code, without its message, which may repeat request data."""

import re
from types import TracebackType

# The most frames per exception: the innermost show where it arose, the others how the code got there.
INNERMOST = 8
# The most exceptions in a chain, where each caused the one before.
LONGEST_CHAIN = 5
_KIND = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")
_FILE = re.compile(r"[A-Za-z0-9_./ +-]{1,200}")


def kind_of(error: BaseException) -> str:
    """The class of an exception, such as ``ValueError`` or ``requests.exceptions.SSLError``."""
    cls = type(error)
    name = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    return name if _KIND.fullmatch(name) else "Exception"


def chain_of(error: BaseException) -> list[str]:
    """The exception and its causes, root cause last: ``ValueError at cds_service/chart/chart.py:12 < …``.

    Each entry names at most INNERMOST places, innermost first, as the last two parts of the file's path and the line.
    """
    chain: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(chain) < LONGEST_CHAIN:
        seen.add(id(current))
        places = " < ".join(_places(current.__traceback__)) or "unknown"
        chain.append(f"{kind_of(current)} at {places}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _places(trace: TracebackType | None) -> list[str]:
    found = []
    while trace is not None:
        found.append(place(trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return found[: -INNERMOST - 1 : -1]


def place(path: str, line: int) -> str:
    """A file and line, as the last two parts of the path and the line number."""
    short = "/".join(path.replace("\\", "/").split("/")[-2:])
    return f"{short if _FILE.fullmatch(short) else 'unknown'}:{line}"
