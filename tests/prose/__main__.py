"""``python -m tests.prose``: prints each finding of the linter of prose and fails if there is one."""

import sys

from tests.prose.rules import ROOT, exceptions, findings, surfaces


def main() -> int:
    """The status of the process: 1 where there is a finding."""
    found = findings(ROOT, surfaces(ROOT), exceptions())
    for finding in found:
        print(finding)
    print(f"{len(found)} findings in prose" if found else "No findings in prose")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
