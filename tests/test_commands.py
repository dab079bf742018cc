"""The commands as a person or a shell meets them, and the wheel as an installation meets it."""

import json
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from datetime import date, timedelta
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from cds_service.authoring.new_policy import write_starting_folder
from cds_service.commands.main import main
from cds_service.examples import examples, moved, request_as_of
from cds_service.installation import installation_of
from cds_service.server.gunicorn_server import authority
from cds_service.settings.settings import Settings, data_folder, load_settings
from tests.charts import MINIMAL
from tests.licenses import pinned_rows
from tests.serving import ROOT, served
from tests.shipped import answers, library
from tests.waiting import clean_environment

EXAMPLES = examples(data_folder("fhir_examples"))


def run(*arguments: str, given: str | None = None, env: dict[str, str] | None = None):
    return CliRunner().invoke(main, list(arguments), input=given, env=env)


def test_example_without_a_name_lists_them_all():
    listed = run("example").output
    assert all(name in listed for name in EXAMPLES)
    assert len(EXAMPLES) >= 12


def test_example_with_a_wrong_name_says_which_there_are():
    result = run("example", "nonsense")
    assert result.exit_code == 1
    assert "typical-gaps" in result.output


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.parametrize("later", [0, 1, 37, 365, 5 * 365 + 1, 1000])
def test_an_example_gives_the_same_card_years_later(name, later):
    example = EXAMPLES[name]
    then = example.today + timedelta(days=later)
    assert plain_cards(name, then) == plain_cards(name, example.today)


@cache
def plain_cards(name: str, day: date) -> list[dict]:
    """The cards of an example that was moved to a day."""
    return [plain(answer.card) for answer in answers(request_as_of(EXAMPLES[name], day), day)]


def plain(card: dict) -> dict:
    """A card without what depends on the day: ids and dates."""
    text = re.sub(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", "ID", json.dumps(card))
    return json.loads(re.sub(r"\b(\d\d/){0,2}(19|20)\d\d(-\d\d){0,2}(T[^\"]*)?\b", "DATE", text))


def test_only_dates_are_moved():
    value = {"birthDate": "1978-06-14", "code": "2024", "authored": "2026-11-01T10:00:00+01:00", "text": "2026-11-01"}
    assert moved(value, timedelta(days=10)) == {
        "birthDate": "1978-06-24",
        "code": "2024",
        "authored": "2026-11-11T10:00:00+01:00",
        "text": "2026-11-01",
    }


def test_check_names_file_and_place_and_fails(tmp_path):
    folder = tmp_path / "isass-restorative-neurostimulation-2023"
    folder.mkdir()
    for path in (data_folder("cards") / folder.name).glob("*.json"):
        folder.joinpath(path.name).write_text(path.read_text())
    policy = json.loads((folder / "policy.json").read_text())
    policy["criteria"][0]["treshold"] = 22
    (folder / "policy.json").write_text(json.dumps(policy))
    result = run("check", str(tmp_path))
    assert result.exit_code == 1
    assert "policy.json: $.criteria[0]" in result.output
    assert "treshold" in result.output


def test_serve_refuses_other_machines_without_a_key():
    result = run("serve", "--host", "0.0.0.0")
    assert result.exit_code == 1
    assert "CDS_SERVICE_ID_KEY and CDS_SERVICE_PUBLIC_URL" in result.output


def test_a_setting_that_cannot_be_used_is_named():
    result = run("check", env={"CDS_SERVICE_PUBLIC_URL": "ftp://x"})
    assert result.exit_code == 1
    assert "CDS_SERVICE_PUBLIC_URL: must be an absolute http(s) address" in result.output


def test_a_list_that_is_no_json_is_named():
    result = run("check", env={"CDS_SERVICE_CORS_ORIGINS": "https://ehr.example"})
    assert result.exit_code == 1
    assert (
        'CDS_SERVICE_CORS_ORIGINS: must be a list written as JSON, for example ["https://ehr.example"]' in result.output
    )


def test_a_port_in_use_is_reported_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run("serve", "--port", port)
    assert result.exit_code == 1
    assert f"Port {port} on 127.0.0.1 is in use" in result.output


def test_check_leaves_out_what_is_no_policy_and_says_so(tmp_path):
    (tmp_path / "notes").mkdir()
    assert "no rule set folder" in run("check", str(tmp_path)).output
    (tmp_path / "minimal").symlink_to(MINIMAL)
    assert "notes" in run("check", str(tmp_path), "--no-slips").output


def link_pinned(lock: str, packages: Path) -> None:
    """Puts each package that is pinned, and no other, into a folder of packages, as it is installed for the tests.

    `make` installed it from the same lines, hashes included, so that pip need not do so again.
    """
    for required, _ in pinned_rows(lock):
        if required.marker is None or required.marker.evaluate():
            installed = distribution(required.name)
            assert required.specifier.contains(installed.version), required
            # Programs lie beside the folder, and none of them is needed.
            for name in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
                (packages / name).symlink_to(str(installed.locate_file(name)))


def test_the_wheel_alone_in_an_empty_environment_serves(tmp_path):
    """What ships is complete: no file of the checkout is needed."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    link_pinned("requirements.txt", packages)
    # From outside and uncompiled: an environment of its own all the same, and sooner there.
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
    install.append("--disable-pip-version-check")
    subprocess.run([*install, "--no-deps", str(wheel)], check=True, capture_output=True)
    command = [str(python.parent / "cds-service")]
    request = subprocess.run(
        [*command, "example", "all-met"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    with zipfile.ZipFile(wheel) as archive:
        (listed,) = [
            name for name in archive.namelist() if name.endswith(".dist-info/licenses/THIRD_PARTY_LICENSES.md")
        ]
        assert archive.read(listed) == (ROOT / "THIRD_PARTY_LICENSES.md").read_bytes()
    # Without its extra nothing of PostgreSQL is installed, and an address of one is refused.
    refused = subprocess.run(
        [*command, "store", "check"],
        cwd=tmp_path,
        env=clean_environment(
            {"CDS_SERVICE_STATE": str(tmp_path), "CDS_SERVICE_STORE_URL": "postgresql://u:hunter2@db/cds"}
        ),
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert refused.returncode == 1
    assert "pip install 'cds-service[postgresql]'" in refused.stderr
    assert "hunter2" not in refused.stderr
    begun = subprocess.run(
        [*command, "new-policy", "knee-humming-2026", "."], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    with served(command=command, cwd=tmp_path) as (address, _):
        answer = requests.post(
            f"{address}/cds-services/coverage-guidance-order-sign",
            data=request.encode(),
            headers={"Content-Type": "application/json"},
            timeout=10,
        )
        page = requests.get(f"{address}/policies/isass-restorative-neurostimulation-2023", timeout=10)
    (card,) = answer.json()["cards"]
    assert card["summary"] == "Restorative neurostimulation: all 8 FDA label criteria met, 6 by attestation only"
    assert begun.startswith("Wrote knee-humming-2026 with card.json")
    offered = [suggestion["actions"][0]["type"] for suggestion in card["suggestions"]]
    assert offered == ["update", "create"]
    assert page.status_code == 200


def test_today_is_the_day_of_the_call():
    assert json.loads(run("explain", "-", "--json", given=run("example", "all-met").output).output)["today"] >= str(
        date(2026, 1, 1)
    )


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1:80"), ("localhost", "localhost:80"), ("::1", "[::1]:80"), ("[::1]", "[::1]:80")],
)
def test_an_ipv6_host_stands_in_brackets(host, address):
    assert authority(host, 80) == address


def test_lean_prefetch_without_fetching_is_refused(monkeypatch):
    monkeypatch.setenv("CDS_SERVICE_PREFETCH", "lean")
    monkeypatch.setenv("CDS_SERVICE_FETCH_MISSING", "false")
    with pytest.raises(ValueError, match=r"^CDS_SERVICE_PREFETCH=lean asks for little"):
        load_settings()


def test_content_is_kept_encrypted_or_not_at_all(tmp_path):
    settings = Settings(state=tmp_path, audit_content=True)
    with pytest.raises(ValueError, match="needs CDS_SERVICE_AUDIT_KEY"):
        installation_of(settings, library(), only_this_machine=True)


def test_a_rate_limit_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ValueError, match="600/minute"):
        installation_of(Settings(state=tmp_path, rate_limit="often"), library(), only_this_machine=True)


@pytest.mark.parametrize(("only_this_machine", "fetches"), [(True, True), (False, False)])
def test_what_a_caller_names_is_called_on_this_machine_and_for_it_alone(tmp_path, only_this_machine, fetches):
    installation = installation_of(Settings(state=tmp_path), library(), only_this_machine=only_this_machine)
    allowance = installation.open_client.fhir_allowance()
    assert (installation.fetcher.fetches, allowance.loopback, allowance.bases) == (fetches, fetches, ())


def test_the_server_says_where_it_listens_counts_over_its_workers_and_leaves_nothing(tmp_path):
    """gunicorn's main process has not seen a request, so that its words stay in the log."""
    log, scratch = tmp_path / "log", tmp_path / "scratch"
    scratch.mkdir()
    shutil.copytree(data_folder("cards"), tmp_path / "cards")
    write_starting_folder("knee-humming-2026", tmp_path / "cards")
    settings = {"CDS_SERVICE_LOG_FORMAT": "json", "TMPDIR": str(scratch)}
    settings |= {"CDS_SERVICE_STATE": str(tmp_path / "state"), "CDS_SERVICE_CARDS": str(tmp_path / "cards")}
    body = (EXAMPLES["typical-gaps"].folder / "request.json").read_bytes()
    with served("--workers", "2", log=log, settings=settings) as (address, _):
        for _ in range(8):
            path = f"{address}/cds-services/coverage-guidance-order-sign"
            assert requests.post(path, body, headers={"Content-Type": "application/json"}, timeout=20).ok
        numbers = requests.get(f"{address}/metrics", timeout=20).text
    assert 'calls_total{outcome="card",service="coverage-guidance-order-sign"} 8.0' in numbers
    printed = log.read_text()
    assert "Skipped the draft knee-humming-2026:" in printed
    assert f"The audit log and the store are kept in {tmp_path / 'state'}." in printed
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert any("Listening at" in line.get("message", "") for line in lines)
    assert [line["event"] for line in lines].count("call") == 8
    (written,) = (tmp_path / "state" / "audit").iterdir()
    kinds = [json.loads(line)["kind"] for line in written.read_text().splitlines()]
    assert (kinds.count("call"), kinds.count("evidence"), len(kinds)) == (8, 8, 16)
    assert list(scratch.glob("cds-service-metrics-*")) == []
