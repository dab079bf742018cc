"""Settings: a misspelling in a name stops the start, every refusal names its variable, and settings can be printed."""

import json
import re

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from cds_service.commands.main import main
from cds_service.errors import PolicyError
from cds_service.installation import installation_of
from cds_service.library import load_library
from cds_service.settings.effective import MASK
from cds_service.settings.settings import Settings, load_settings
from cds_service.store.database import open_store
from cds_service.store.failures import StoreError
from tests.shipped import library

KEY = "0f4e9a7c21b85d36"
# As Kubernetes 1.31 writes them for the services "cds-service" and "cds-service-db", and Docker for a link.
INJECTED = {
    "CDS_SERVICE_SERVICE_HOST": "10.96.12.7",
    "CDS_SERVICE_SERVICE_PORT": "8080",
    "CDS_SERVICE_SERVICE_PORT_HTTP": "8080",
    "CDS_SERVICE_PORT": "tcp://10.96.12.7:8080",
    "CDS_SERVICE_PORT_8080_TCP": "tcp://10.96.12.7:8080",
    "CDS_SERVICE_PORT_8080_TCP_ADDR": "10.96.12.7",
    "CDS_SERVICE_PORT_8080_TCP_PORT": "8080",
    "CDS_SERVICE_PORT_8080_TCP_PROTO": "tcp",
    "CDS_SERVICE_DB_SERVICE_HOST": "10.96.12.8",
    "CDS_SERVICE_DB_PORT": "tcp://10.96.12.8:5432",
    "CDS_SERVICE_DB_PORT_5432_TCP_ADDR": "10.96.12.8",
    "CDS_SERVICE_NAME": "/proxy/cds_service",
    "CDS_SERVICE_ENV_PATH": "/usr/bin",
}


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="CDS_SERVICE_") as caught:
        load_settings()
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("CDS_SERVICE_RATE_LIMITS", "CDS_SERVICE_RATE_LIMIT"),
        ("CDS_SERVICE_MAX_BODY_BYTE", "CDS_SERVICE_MAX_BODY_BYTES"),
        ("CDS_SERVICE_CLIENT", "CDS_SERVICE_CLIENTS"),
        ("cds_service_prefetsh", "CDS_SERVICE_PREFETCH"),
    ],
)
def test_unknown_variable_is_refused_with_the_nearest_name(monkeypatch, name, nearest):
    says = refusal(monkeypatch, **{name: "a value"})
    assert says.startswith(f"{name} is no setting; did you mean '{nearest}'?")
    assert "a value" not in says


@pytest.mark.parametrize(("name", "option"), [("PORT", "--port"), ("HOST", "--host"), ("WORKERS", "--workers")])
def test_option_written_as_a_variable_is_refused_with_the_option(monkeypatch, name, option):
    assert f"the option {option} of" in refusal(monkeypatch, **{f"CDS_SERVICE_{name}": "8080"})


def test_unknown_variable_and_wrong_value_are_reported_together(monkeypatch):
    says = refusal(monkeypatch, CDS_SERVICE_PREFETSH="lean", CDS_SERVICE_CALL_SECONDS="soon")
    assert [line.split(":")[0].split(" ")[0] for line in says.splitlines()] == [
        "CDS_SERVICE_PREFETSH",
        "CDS_SERVICE_CALL_SECONDS",
    ]


def test_variables_that_an_orchestrator_injects_are_ignored(monkeypatch):
    for name, value in INJECTED.items():
        monkeypatch.setenv(name, value)
    assert load_settings().model_fields_set == {"state"}


@pytest.mark.parametrize("key", ["0" * 32, " " * 32, "\t \t \t \t \t \t \t \t \t", "a a a a a a a a a a", "short"])
def test_id_key_that_anyone_could_guess_is_refused(monkeypatch, key):
    says = refusal(monkeypatch, CDS_SERVICE_ID_KEY=key)
    assert says.startswith("CDS_SERVICE_ID_KEY: must")
    assert key not in says


def test_id_key_may_be_left_empty(monkeypatch):
    monkeypatch.setenv("CDS_SERVICE_ID_KEY", "")
    assert load_settings().id_key.get_secret_value() == ""


# Free text and paths: what uses them refuses them, in the tests below.
READ_LATER = {
    "cards",
    "codes",
    "value_sets",
    "clients",
    "state",
    "rate_limit",
    "feedback_limit",
    "store_url",
    "audit_key",
    "evidence_key",
}


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - READ_LATER))
def test_refused_value_names_its_variable(monkeypatch, name):
    variable = f"CDS_SERVICE_{name.upper()}"
    assert refusal(monkeypatch, **{variable: "\u2603"}).startswith(variable)


def test_refused_rate_limit_names_its_variable(tmp_path):
    with pytest.raises(ValueError, match=r"^CDS_SERVICE_RATE_LIMIT: 'often'"):
        installation_of(Settings(state=tmp_path, rate_limit="often"), library(), only_this_machine=True)


def test_refused_audit_key_names_its_variable(tmp_path):
    settings = Settings(state=tmp_path, audit_content=True, audit_key=SecretStr("\u2603"))
    with pytest.raises(ValueError, match=r"^CDS_SERVICE_AUDIT_KEY: key 1") as caught:
        installation_of(settings, library(), only_this_machine=True)
    assert "\u2603" not in str(caught.value)


def test_refused_evidence_key_names_its_variable(tmp_path):
    settings = Settings(state=tmp_path, evidence_key=SecretStr("\u2603"))
    with pytest.raises(ValueError, match=r"^CDS_SERVICE_EVIDENCE_KEY: key 1") as caught:
        installation_of(settings, library(), only_this_machine=True)
    assert "\u2603" not in str(caught.value)


def test_refused_store_address_names_its_variable(tmp_path):
    with pytest.raises(StoreError, match=r"^CDS_SERVICE_STORE_URL: "):
        open_store("\u2603", tmp_path)


def test_folder_without_policies_names_its_variable(tmp_path):
    with pytest.raises(PolicyError, match="CDS_SERVICE_CARDS"):
        load_library(tmp_path / "nothing", "https://cds-service.example/fhir")


def test_clients_file_that_is_missing_names_its_variable(tmp_path):
    result = CliRunner().invoke(main, ["doctor", "client", "x"], env={"CDS_SERVICE_CLIENTS": str(tmp_path / "no")})
    assert result.exit_code == 1
    assert "CDS_SERVICE_CLIENTS" in result.output


# --- cds-service config ---


def config(*arguments: str, **environment: str) -> str:
    result = CliRunner().invoke(main, ["config", *arguments], env=environment)
    assert result.exit_code == 0, result.output
    return result.output


def test_config_prints_every_setting_with_its_source():
    printed = config(CDS_SERVICE_PREFETCH="lean")
    lines = {line.split()[0]: line.split()[1:] for line in printed.splitlines()}
    assert list(lines) == [f"CDS_SERVICE_{name.upper()}" for name in Settings.model_fields]
    assert lines["CDS_SERVICE_PREFETCH"] == ["environment", "lean"]
    assert lines["CDS_SERVICE_FETCH_MISSING"] == ["default", "true"]
    assert lines["CDS_SERVICE_CLIENTS"] == ["default", "none"]
    assert lines["CDS_SERVICE_STATE"][0] == "environment"


def test_config_prints_json_with_values_as_they_are():
    rows = {row["variable"]: row for row in json.loads(config("--json", CDS_SERVICE_SILENT_DAYS="3"))}
    assert rows["CDS_SERVICE_SILENT_DAYS"] == {
        "variable": "CDS_SERVICE_SILENT_DAYS",
        "value": 3,
        "source": "environment",
        "meaning": Settings.model_fields["silent_days"].description,
    }
    assert rows["CDS_SERVICE_STORE_URL"]["value"] is None


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_config_masks_every_secret(arguments):
    secrets = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
    environment = {f"CDS_SERVICE_{name.upper()}": f"{KEY}-{name}" for name in secrets}
    printed = config(*arguments, **environment)
    assert KEY not in printed
    assert printed.count(MASK) == len(secrets) >= 3


def test_config_refuses_what_the_service_would_refuse():
    result = CliRunner().invoke(main, ["config"], env={"CDS_SERVICE_PREFETSH": "lean"})
    assert result.exit_code == 1
    assert re.search(r"CDS_SERVICE_PREFETSH is no setting; did you mean 'CDS_SERVICE_PREFETCH'", result.output)


def test_refused_feedback_limit_names_its_variable(tmp_path):
    with pytest.raises(ValueError, match="CDS_SERVICE_FEEDBACK_LIMIT"):
        installation_of(Settings(state=tmp_path, feedback_limit="often"), library(), only_this_machine=True)
