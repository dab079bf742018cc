"""Writes the service's answer to every request in fhir_examples/, and the page that lists them: ``make examples``.

The requests and what is said of them are data; they are only laid out alike.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from cds_service.examples import Example, examples
from tests.shipped import TODAY, library
from tests.waiting import leave_out_what_others_set

FOLDER = Path(__file__).parent.parent / "fhir_examples"
PUBLIC_URL = "http://127.0.0.1:8080"


@cache
def _client() -> Any:
    from cds_service.app import create_app
    from cds_service.settings.settings import Settings

    # The answer does not depend on how busy this machine is.
    return create_app(Settings(call_seconds=60), library(), PUBLIC_URL, lambda: TODAY).test_client()


def answer_to(example: Example) -> Any:
    """What the real application answers to an example's request on the example's own day."""
    sent = (example.folder / "request.json").read_bytes()
    path = f"/cds-services/{example.about['service']}"
    answer = _client().post(path, data=sent, content_type="application/json")
    if answer.status_code != 200:
        raise SystemExit(f"{example.name}: the service answers {answer.status_code}: {answer.get_data(as_text=True)}")
    return answer.get_json()


def as_text(value: Any) -> str:
    """JSON as it is written to the files: indented, but each entry of a Bundle on a line of its own."""
    lines: list[str] = []

    def set_aside(part: Any) -> Any:
        if isinstance(part, dict):
            if isinstance(part.get("entry"), list):
                kept = []
                for entry in part["entry"]:
                    kept.append(f"line {len(lines)}")
                    lines.append(json.dumps(entry, ensure_ascii=False))
                return part | {"entry": kept}
            return {key: set_aside(item) for key, item in part.items()}
        return [set_aside(item) for item in part] if isinstance(part, list) else part

    text = json.dumps(set_aside(value), indent=1, ensure_ascii=False)
    return re.sub(r'"line (\d+)"', lambda found: lines[int(found[1])], text) + "\n"


def readme() -> str:
    """The README of the folder, with its table of examples."""
    rows = (
        f"| [{name}]({name}/) | {about['hook']} | {about['title']} | {about['shows']} |"
        for name, about in ((example.name, example.about) for example in examples(FOLDER).values())
    )
    return _README.format(table="\n".join(rows))


def write(folder: Path = FOLDER) -> None:
    """Lays out every request and what is said of it, and writes every answer and the page."""
    for example in examples(folder).values():
        for name in ("about.json", "request.json"):
            path = example.folder / name
            path.write_text(as_text(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
        (example.folder / "response.json").write_text(as_text(answer_to(example)), encoding="utf-8")
    (folder / "README.md").write_text(readme(), encoding="utf-8")


_README = """\
# Examples

This folder holds synthetic patients, the hook requests that an EHR would send for them, and the service's responses. No
person here exists; names, numbers, payers' member data, and devices are made up.

Each folder holds

- `about.json`: the patient, the hook and service of the call, and the day of the request
- `request.json`: the whole CDS Hooks request, with the chart as prefetch
- `response.json`: the response on that day; the tests replay every request and compare

## Try one

Start the service (`make run`), then in another terminal:

```sh
.venv/bin/cds-service example all-met | curl -sS http://127.0.0.1:8080/cds-services/coverage-guidance-order-sign \\
  -H 'Content-Type: application/json' -d @-
```

`cds-service example` prints the request with its dates moved to today, so that the response stays the same in later
years (except for its dates and ids). For an example of another hook, put the hook's name at the end of the address:
`coverage-guidance-order-select` or `coverage-guidance-patient-view`. Without a running service:

```sh
.venv/bin/cds-service example typical-gaps | .venv/bin/cds-service explain -
```

## The examples

| Example | Hook | Patient | What you see |
|---|---|---|---|
{table}

Every resource is valid FHIR R4, except those that `broken-resources` breaks on purpose.

To change an example, edit its request; to add an example, copy the most similar folder. `make examples` then writes the
responses and this page. Put each entry of a Bundle on its own line. Keep dates well away from every limit, because
`cds-service example` moves them to the present day.
"""


if __name__ == "__main__":
    leave_out_what_others_set()
    write()
