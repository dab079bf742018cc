"""Writes THIRD_PARTY_LICENSES.md: ``python -m tests.licenses`` (``make licenses``).

The rows come from the pins of the service and its extras, the licenses from the metadata of the installed packages.
The standard library reads those (Core metadata 2.4, PEP 639), so that no library is needed for it.
"""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
WRITTEN = ROOT / "THIRD_PARTY_LICENSES.md"
# What is installed with each list of pins; a package belongs to the first that holds it.
BROUGHT_BY = {
    "requirements.txt": "every installation",
    "requirements-postgresql.txt": "`cds-service[postgresql]`",
    "requirements-traces.txt": "`cds-service[traces]`",
}
HEAD = """# Third-party licenses

The packages that cds-service runs with. None is part of its wheel. Each comes under its own license, whose text is in
its distribution (in an environment or in the image: `site-packages/*.dist-info/`). `make licenses` writes this list
from the pinned requirements and from what each package says of itself.

| package | version | license | installed with |
|---|---|---|---|
"""


def pins(lock: str) -> dict[str, tuple[Requirement, set[str]]]:
    """Name -> requirement and its hashes, of a requirements file; of several versions of one package the last."""
    found = {}
    for requirement, hashes in pinned_rows(lock):
        found[canonicalize_name(requirement.name)] = (requirement, hashes)
    return found


def versions(lock: str) -> dict[str, list[str]]:
    """Name -> the versions that a requirements file pins: more than one where they differ by Python or platform."""
    found: dict[str, list[str]] = {}
    for requirement, _ in pinned_rows(lock):
        found.setdefault(canonicalize_name(requirement.name), []).extend(item.version for item in requirement.specifier)
    return found


def pinned_rows(lock: str) -> list[tuple[Requirement, set[str]]]:
    """Each requirement of a requirements file with its hashes, in order: one package may have several, by markers."""
    joined = re.sub(r"\\\n\s*", " ", (ROOT / lock).read_text(encoding="utf-8"))
    found = []
    for line in joined.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            found.append((Requirement(requirement), set(hashes)))
    return found


def license_of(name: str) -> str:
    """The license of an installed package as it states it: as an SPDX expression, in a line, or by a classifier.

    Raises ValueError for a package that states none.
    """
    try:
        stated = metadata(name)
    except PackageNotFoundError:
        raise ValueError(f"{name} is pinned and not installed here; run make licenses, which installs it") from None
    line = (stated.get("License") or "").strip()
    classifiers = [
        text.rpartition(" :: ")[2] for text in stated.get_all("Classifier", ()) if text.startswith("License")
    ]
    found = stated.get("License-Expression") or ("" if "\n" in line else line) or " and ".join(classifiers)
    if not found:
        raise ValueError(f"{name} states no license in its metadata")
    return found


def licenses() -> dict[str, dict[str, str]]:
    """File of pins -> package -> license; each package once."""
    listed: set[str] = set()
    found = {}
    for lock in BROUGHT_BY:
        found[lock] = {name: license_of(name) for name in sorted(versions(lock)) if name not in listed}
        listed |= set(found[lock])
    return found


def text() -> str:
    """The file, whole."""
    rows = {
        name: f"| {name} | {', '.join(versions(lock)[name])} | {stated} | {BROUGHT_BY[lock]} |\n"
        for lock, packages in licenses().items()
        for name, stated in packages.items()
    }
    return HEAD + "".join(rows[name] for name in sorted(rows))


if __name__ == "__main__":
    WRITTEN.write_text(text(), encoding="utf-8")
