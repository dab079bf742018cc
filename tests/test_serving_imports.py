"""A process that serves loads what it uses: of rooms that can leave the service, only those that are asked for."""

import subprocess
import sys

from tests.test_commands import ROOT
from tests.waiting import clean_environment

# Starts the service as `serve` does, asks for one path or sends one example, and prints the rooms that are loaded.
SERVED = """
import sys
from datetime import date
from cds_service.server.gunicorn_server import install, load
from cds_service.settings.settings import Settings
settings, asked = Settings(workbench=sys.argv[1]), sys.argv[2:]
print("BEFORE", *sorted(sys.modules))
installed = install(settings, load(settings), "http://127.0.0.1:8080", True, lambda: date(2026, 6, 1))
client = installed.app.test_client()
for path in asked:
    if path.startswith("/"):
        answer = client.get(path)
    else:
        from cds_service.examples import examples, request_as_of
        from cds_service.settings.settings import data_folder
        found = examples(data_folder("fhir_examples"))[path]
        body = request_as_of(found, date(2026, 6, 1))
        answer = client.post("/cds-services/" + found.about["service"], json=body)
        assert "cards" in answer.get_json()
    assert answer.status_code == 200, answer.data
print("LOADED", *sorted(sys.modules))
installed.installation.close()
"""


def loaded(tmp_path, *asked: str, workbench: str = "off") -> tuple[set[str], set[str]]:
    """The modules that are loaded before the service is made, and after it has answered."""
    run = subprocess.run(
        [sys.executable, "-c", SERVED, workbench, *asked],
        cwd=tmp_path,
        env=clean_environment({"CDS_SERVICE_STATE": str(tmp_path)}) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    lines = {line.partition(" ")[0]: set(line.split()[1:]) for line in run.stdout.splitlines()}
    return lines["BEFORE"], lines["LOADED"]


SELF_CHECK_READS = ("cases", "case_reports", "case_requests")


def room(modules: set[str], name: str) -> set[str]:
    return {module for module in modules if module.startswith(f"cds_service.{name}.")}


def test_a_process_that_answers_calls_loads_no_workbench_no_publishing_and_no_bench_of_authors(tmp_path):
    before, after = loaded(tmp_path, "typical-gaps", "patient-view-multifidus", "unrelated-order", "/cds-services")
    assert room(after, "workbench") == set()
    assert room(after, "publish") == set()
    # The self-check sends the cases of policies, and reads no more of the authors' room than these.
    assert room(after, "authoring") <= {f"cds_service.authoring.{name}" for name in SELF_CHECK_READS}
    assert not {"nh3", "markdown_it", "psycopg", "authlib", "joserfc"} & after
    # What words the faults of a rule set is not needed where all are sound.
    assert "jsonschema" not in after
    # The order model alone is made, and before the fork, when the policies are loaded.
    assert not any(module.startswith("fhir.resources") for module in before)


def test_a_page_of_a_policy_loads_what_publishes_it(tmp_path):
    _, after = loaded(tmp_path, "/policies")
    assert "cds_service.publish.criteria" in after
    assert room(after, "workbench") == set()


def test_a_workbench_without_a_launch_does_without_the_oauth_server(tmp_path):
    _, after = loaded(tmp_path, "/", workbench="on")
    assert "cds_service.workbench.smart_routes" in after
    assert not {"authlib", "joserfc"} & after
