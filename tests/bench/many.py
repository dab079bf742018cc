"""Many policies: copies of the first one that ships, each a statement of its own with orders of its own.

The copies read the same clinical codes of a chart as the original, which is the worst that other policies can do to it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cds_service.settings.settings import data_folder

Documents = dict[str, Any]


def with_copies(folder: Path, copies: int) -> Path:
    """Fills ``folder`` with the policies that ship and with copies of the first; returns the folder."""
    for path in _shipped():
        (folder / path.name).symlink_to(path.resolve(), target_is_directory=True)
    for made in documents(copies):
        own = folder / made["policy"]["id"]
        own.mkdir()
        for name, document in made.items():
            (own / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def documents(copies: int) -> Iterator[Documents]:
    """The documents of each copy's folder, by name."""
    folder = _shipped()[0]
    files = [path for path in folder.glob("*.json") if not path.name.startswith("cases-")]
    original = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
    # What the self-check of the server asks for.
    original["cases"]["cases"] = original["cases"]["cases"][:1]
    for number in range(copies):
        yield _copy(original, f"copy-{number:03}-{original['policy']['edition']}", number)


def _shipped() -> list[Path]:
    return sorted(path for path in data_folder("cards").iterdir() if (path / "policy.json").exists())


def _copy(original: Documents, policy_id: str, number: int) -> Documents:
    """The documents of one copy: its own ids, and its own codes and phrases of orders."""
    made: Documents = json.loads(json.dumps(original))
    policy = made["policy"]
    policy |= {"id": policy_id, "statement": policy_id, "title": f"{policy['title']}, copy {number}"}
    # The phrases begin with the words of the original's, so that the first word does not tell them apart.
    policy["orders"]["named_in_text"] = [f"{phrase} {number}" for phrase in policy["orders"]["named_in_text"]]
    sets, orders = made["codes"]["sets"], policy["orders"]
    own_codes, instead = _codes(number), {}
    for act in orders["acts"]:
        code_set = sets[act["codes"]] | {"codes": [dict(row) for row in sets[act["codes"]]["codes"]]}
        for row in code_set["codes"]:
            code = next(own_codes)
            if (row["system"], row["code"]) == (act["code"]["system"], act["code"]["code"]):
                act["code"] = act["code"] | {"code": code}
            instead[f"{row['system']}|{row['code']}"] = f"{row['system']}|{code}"
            row["code"] = code
        act["codes"] = f"{act['codes']}-ordered"
        sets[act["codes"]] = code_set
    for drafts in made["cases"]["orders"].values():
        for draft in drafts.values():
            if draft.get("order") in instead:
                draft["order"] = instead[draft["order"]]
    return made


def _codes(number: int) -> Iterator[str]:
    """Codes that no system has: a copy's number and a letter behind it."""
    return (f"9{number:03}{letter}" for letter in "QRSTUVWXYZ")
