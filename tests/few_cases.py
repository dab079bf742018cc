"""A shipped policy with few of its cases, for tests of commands that would run all of them again.

That all cases come out as written and notice every mutation is held once, by tests/test_policy_content.py.
"""

import json
import shutil
from pathlib import Path

from cds_service.settings.settings import data_folder


def with_few_cases(name: str, into: Path) -> Path:
    """A copy of a shipped policy's folder in ``into``, with a case for each truth that `check` wants of a criterion."""
    shipped = data_folder("cards")
    folder = Path(shutil.copytree(shipped / name, into / name))
    shutil.copy(shipped / "payer-names.json", into)
    seen: set[tuple[str, str]] = set()
    for path in sorted(folder.glob("cases*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        kept = []
        for case in document["cases"]:
            expected = set(case["expect"].get("criteria", {}).items())
            if not expected <= seen:
                seen |= expected
                kept.append({**case, "for_each": case["for_each"][:1]} if "for_each" in case else case)
        document["cases"] = kept or document["cases"][:1]
        path.write_text(json.dumps(document), encoding="utf-8")
    return folder
