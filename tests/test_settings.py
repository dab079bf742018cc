"""Settings: a misspelling in a name stops the start, every refusal names its variable, and settings can be printed."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner
from pydantic import SecretStr

from cds_service.commands.common import clients_of
from cds_service.commands.main import main
from cds_service.errors import PolicyError
from cds_service.installation import installation_of
from cds_service.library import load_library
from cds_service.settings.effective import MASK
from cds_service.settings.settings import Settings, data_folder, load_settings
from tests.shipped import BASE, library

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
    assert says.startswith(f"{name} is not a setting; did you mean '{nearest}'?")
    assert "a value" not in says


@pytest.mark.parametrize(("name", "option"), [("PORT", "--port"), ("HOST", "--host"), ("WORKERS", "--workers")])
def test_option_written_as_a_variable_is_refused_with_the_option(monkeypatch, name, option):
    assert f"the option {option} of" in refusal(monkeypatch, **{f"CDS_SERVICE_{name}": "8080"})


@pytest.mark.parametrize(("name", "value"), [("CDS_SERVICE_NAME", "clinic"), ("CDS_SERVICE_DB_PORT", "5432")])
def test_variable_with_an_injected_name_and_another_value_is_refused(monkeypatch, name, value):
    assert refusal(monkeypatch, **{name: value}).startswith(f"{name} is not a setting")


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


Use = Callable[[Path], object]


def installed_with(**settings: object) -> Use:
    """What uses a setting that is taken as it is written: an installation whose state is in the folder given."""
    return lambda folder: installation_of(Settings(**{"state": folder} | settings), library(), only_this_machine=True)


def loaded_with(**folders: str) -> Use:
    """The rule sets where these folders, of those that the settings name, hold nothing."""
    return lambda folder: load_library(
        **{"folder": data_folder("cards"), "canonical_base": BASE} | {name: folder / it for name, it in folders.items()}
    )


# Free text and paths are refused by what uses them.
REFUSED_BY_ITS_USE: dict[str, Use] = {
    "cards": loaded_with(folder="nothing"),
    "codes": loaded_with(codes="nothing"),
    "value_sets": loaded_with(value_sets="nothing"),
    "clients": lambda folder: clients_of(Settings(clients=folder / "nothing")),
    "state": installed_with(state=Path("/dev/null/state")),
    "rate_limit": installed_with(rate_limit="often"),
    "feedback_limit": installed_with(feedback_limit="often"),
    "store_url": installed_with(store_url=SecretStr("\u2603")),
    "audit_key": installed_with(audit_content=True, audit_key=SecretStr("\u2603")),
    "evidence_key": installed_with(evidence_key=SecretStr("\u2603")),
}


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - REFUSED_BY_ITS_USE.keys()))
def test_refused_value_names_its_variable(monkeypatch, name):
    variable = f"CDS_SERVICE_{name.upper()}"
    assert refusal(monkeypatch, **{variable: "\u2603"}).startswith(variable)


@pytest.mark.parametrize("name", REFUSED_BY_ITS_USE)
def test_value_that_its_use_refuses_names_its_variable(tmp_path, name):
    with pytest.raises((ValueError, PolicyError, ClickException), match=f"CDS_SERVICE_{name.upper()}\\b") as caught:
        REFUSED_BY_ITS_USE[name](tmp_path)
    assert "\u2603" not in str(caught.value)


@pytest.mark.parametrize("name", ["cards", "codes", "value_sets", "clients", "state"])
def test_path_that_is_empty_is_as_one_that_is_left_out(monkeypatch, name):
    """Else it would be the folder in which the process happens to run."""
    monkeypatch.delenv("CDS_SERVICE_STATE")
    left_out = load_settings()
    monkeypatch.setenv(f"CDS_SERVICE_{name.upper()}", "")
    assert getattr(load_settings(), name) == getattr(left_out, name)


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
    assert re.search(r"CDS_SERVICE_PREFETSH is not a setting; did you mean 'CDS_SERVICE_PREFETCH'", result.output)
