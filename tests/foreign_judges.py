"""Programs of others that read our forms: fhirpath.js under Node.js, and LHC-Forms in Chromium.

``make test`` installs what tests/foreign/package-lock.json pins into build/foreign. LHC-Forms comes built, so that the
lock leaves out what it is built from.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cds_service.fhir.elements import Json
from tests.shipped import TODAY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent
INSTALLED = ROOT / "build" / "foreign"
MISSING = "These tests need Node.js with npm, and what tests/foreign/package-lock.json pins: run 'make foreign-judges'."
# Evaluating every example takes some seconds; what takes so long hangs.
SECONDS = 120
_LFORMS = (
    "webcomponent/assets/lib/zone.min.js",
    "webcomponent/lhc-forms.js",
    "fhir/R4/lformsFHIR.min.js",
)


def fhirpath_js(cases: list[Json]) -> list[Json]:
    """What tests/foreign/fhirpath.js answers to its input. Raises RuntimeError with a sentence where it cannot run."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None or not (INSTALLED / "node_modules" / "fhirpath").is_dir():
        raise RuntimeError(MISSING)
    script = ROOT / "tests" / "foreign" / "fhirpath.js"
    ran = subprocess.run(
        [node, str(script)],
        input=json.dumps(cases),
        cwd=INSTALLED,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: list[Json] = json.loads(ran.stdout)
    return found


class LhcForms:
    """LHC-Forms in a page, connected to a chart: ``search`` answers its queries (x-fhir-query) with Bundles."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.search: Callable[[str], Json] = lambda query: {}
        page.expose_function("search", self._searched)

    def _searched(self, query: str) -> Json:
        return self.search(query)

    def open(self, form: Json, patient: str, user: Json, response: Json | None = None) -> None:
        """Shows a Questionnaire, filled in from the chart, or with the answers of a response."""
        self.page.evaluate(
            """async ([form, response, patient, user]) => {
                 const client = {request: (query) => search(query), getFhirVersion: async () => '4.0.1'};
                 LForms.Util.setFHIRContext(client, {patient: {resourceType: 'Patient', id: patient}, user});
                 let shown = LForms.Util.convertFHIRQuestionnaireToLForms(form, 'R4');
                 if (response) shown = LForms.Util.mergeFHIRDataIntoLForms(response, shown, 'R4');
                 await LForms.Util.addFormToPage(shown, 'form', {prepopulate: !response});
               }""",
            [form, response, patient, user],
        )

    def response(self) -> Json:
        """The QuestionnaireResponse that LHC-Forms makes of what is filled in."""
        found: Json = self.page.evaluate("LForms.Util.getFormFHIRData('QuestionnaireResponse', 'R4')")
        return found


@contextmanager
def lhc_forms(started: "Browser", folder: Path) -> Iterator[LhcForms]:
    """LHC-Forms in a page of its own, on the day of the tests. Raises RuntimeError where it is not installed.

    It loads from files, and nothing else; an error in its page fails.
    """
    built = INSTALLED / "node_modules" / "lforms" / "dist" / "lforms"
    if not built.is_dir():
        raise RuntimeError(MISSING)
    scripts = "".join(f'<script src="{(built / name).as_uri()}"></script>' for name in _LFORMS)
    page_file = folder / "lhc-forms.html"
    page_file.write_text(f'<!doctype html><meta charset="utf-8"><div id="form"></div>{scripts}', encoding="utf-8")
    faults: list[str] = []
    with started.new_context(locale="en-US", timezone_id="UTC") as context, context.new_page() as page:
        page.clock.set_fixed_time(f"{TODAY}T12:00:00Z")
        page.on("pageerror", lambda error: faults.append(f"thrown: {error}"))
        page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
        page.on("request", lambda asked: None if asked.url.startswith("file:") else faults.append(asked.url))
        page.goto(page_file.as_uri())
        yield LhcForms(page)
    assert faults == []
