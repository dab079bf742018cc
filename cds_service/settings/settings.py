"""What a deployment can set: environment variables CDS_SERVICE_*, each with its meaning. There is no other source."""

import re
from collections.abc import Iterator
from os import environ
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from cds_service.settings.environment import PREFIX, unknown_variables
from cds_service.settings.folders import data_folder

# On an open loopback server the ids protect no patient's data, so a published key does no harm.
OPEN_LOOPBACK_KEY = "cds-service-open-loopback"
# The maximum number of seconds that a deployment may set for a call.
LONGEST_CALL = 60.0
# Only visible ASCII, because each address becomes one line of a file.
_PAGE = re.compile(r"https://[a-zA-Z0-9\[][!-~]*")
_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9._-]+", re.IGNORECASE)
_CONTACT = re.compile(rf"mailto:[!-?A-~]+@[a-zA-Z0-9][!-?A-~]*|{_PAGE.pattern}")


def _state_folder() -> Path:
    """Where a user's programs keep persistent state (XDG Base Directory Specification, XDG_STATE_HOME)."""
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "cds-service"


class Settings(BaseSettings):
    """Settings from the environment; an invalid value stops the start with the variable's name and what is allowed."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    public_url: str = Field("", description="The address at which clients reach the service; default: the one served.")
    canonical_base: str = Field(
        "https://cds-service.example/fhir",
        description="The base of our own canonical addresses (questionnaires, codes).",
    )
    id_key: SecretStr = Field(
        SecretStr(""), description="The key of card ids, at least 16 characters; required beyond loopback."
    )
    cards: Path = Field(default_factory=lambda: data_folder("cards"), description="The folder of rule sets.")
    codes: Path | None = Field(None, description="The folder of code packs; default: the authors' own short labels.")
    value_sets: Path | None = Field(
        None,
        description="The folder of your own value sets, whose codes are read in addition to those of the rule sets.",
    )

    clients: Path | None = Field(
        None, description="The clients file: who may call, by tokens; default: calls are open."
    )
    accept_unauthenticated_calls: bool = Field(
        False,
        description="Without a clients file, let anyone who can reach the service call it, from other machines too.",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="The number of proxies in front whose X-Forwarded headers are trusted; 0: the headers are ignored.",
    )
    cors_origins: list[str] = Field(
        ["https://sandbox.cds-hooks.org"],
        description='Web origins, in addition to our own, whose pages may call, as JSON: ["https://…"]; ["*"]: any.',
    )
    allowed_hosts: list[str] = Field(
        [],
        description="Hosts by which open calls may reach the service, in addition to this machine and that of "
        'public_url, as JSON: ["cds.example"].',
    )

    security_contact: str = Field(
        "",
        description="The contact for reporting weaknesses, mailto: or https:, for /.well-known/security.txt; default: "
        "no page.",
    )
    security_policy: str = Field(
        "", description="The https: address of a page on how such reports are handled, for the same page."
    )
    workbench: Literal["auto", "on", "off"] = Field(
        "auto",
        description="The workbench, with synthetic patients, at /; auto: only where no other machine can call and "
        "calls are open.",
    )

    accept_unsigned_answers: bool = Field(
        False,
        description="Count attested answers that name no author, as by an unnamed author; otherwise an answer needs "
        "one.",
    )
    accept_answers_without_role: bool = Field(
        True,
        description="Count answers of practitioners whose role is not recorded as answers of clinicians; otherwise as "
        "those of staff.",
    )

    call_seconds: float = Field(
        3.5,
        gt=0.1,
        le=LONGEST_CALL,
        description="Deadline of a call, in seconds after it was accepted; what was not fetched or evaluated by then "
        "is unknown.",
    )
    fetch_missing: bool = Field(True, description="Fetch prefetch that the EHR did not send from its fhirServer.")
    prefetch: Literal["full", "lean"] = Field(
        "full",
        description="The prefetch that discovery asks for; lean: patient and coverage, the rest is fetched.",
    )
    fhir_max_bytes: int = Field(
        5_000_000, gt=0, description="The most bytes that are read from a FHIR server for one read or search."
    )
    fhir_max_call_bytes: int = Field(
        8_000_000,
        gt=0,
        description="The most bytes that are read from a FHIR server for one call, all reads and searches together; "
        "what is beyond them is unknown.",
    )
    fhir_max_pages: int = Field(20, gt=0, description="The most pages of one search that are read.")
    max_body_bytes: int = Field(5_000_000, gt=0, description="The largest request body that is read.")
    max_resources: int = Field(
        5_000,
        gt=0,
        description="The most resources of a call's prefetch, sent or fetched, that are read. The same limit applies "
        "to components, and to further sites, reasons, and payors of one type's records; records beyond it are "
        "unreadable.",
    )
    max_drafts: int = Field(500, gt=0, description="The most orders of a call's draftOrders that are read.")
    max_text_characters: int = Field(
        10_000,
        gt=0,
        description="The most characters in the words of one code of a record; a code with more counts as unreadable. "
        "Attachments and notes are not read, and may be longer.",
    )
    max_all_text_characters: int = Field(
        1_000_000,
        gt=0,
        description="The most characters in the words of the codes of all records of a call; records beyond the limit "
        "count as unreadable, and orders beyond it are refused.",
    )
    queue: int = Field(
        16,
        ge=1,
        le=1000,
        description="Calls that may wait in each worker while others are answered; further calls are refused with 503.",
    )
    rate_limit: str = Field(
        "", description="Calls that one client may make, such as 600/minute, for each worker; default: no limit."
    )

    state: Path = Field(
        default_factory=_state_folder,
        description="The folder for what is kept: the audit log, and the store if it is SQLite.",
    )
    store_url: SecretStr = Field(
        SecretStr(""),
        description="PostgreSQL for what workers and hosts share, postgresql://user:password@host/name (needs the "
        "extra cds-service[postgresql]); default: SQLite in the state folder.",
    )
    audit: bool = Field(
        True, description="Keep an audit log of every call and answer, for disputes, separate from the log."
    )
    audit_content: bool = Field(
        False,
        description="Keep the calls and answers themselves in the audit log, encrypted with CDS_SERVICE_AUDIT_KEY.",
    )
    audit_key: SecretStr = Field(
        SecretStr(""), description="The key of the audit log's content: 32 bytes in base64 (openssl rand -base64 32)."
    )
    audit_days: int = Field(
        2190, gt=0, le=36500, description="Days for which the audit log and cards without feedback are kept."
    )
    audit_max_bytes: int = Field(
        50_000_000_000,
        ge=1_000_000,
        description="The most bytes of the audit log; beyond that, the oldest content is removed, then the oldest "
        "days.",
    )
    feedback_days: int = Field(2190, gt=0, le=36500, description="Days for which feedback and its cards are kept.")
    feedback_max_items: int = Field(
        1000, ge=1, le=10_000, description="The most items of feedback in one request; more are answered 413."
    )
    feedback_limit: str = Field(
        "2000/hour",
        description="Items of feedback that one client may send, for each worker; more are answered 429. Empty: no "
        "limit.",
    )
    evidence: Literal["auto", "sealed", "off", "smart"] = Field(
        "auto",
        description="The evidence page behind the link of a card; sealed: kept encrypted until it expires, and opened "
        "only by the link; smart: launched by the EHR, and kept nowhere; off: no link; auto: sealed where only this "
        "machine can call and calls are open, otherwise off.",
    )
    evidence_hours: float = Field(
        8, ge=1, le=24, description="Hours after which a sealed evidence page expires and is deleted."
    )
    evidence_key: SecretStr = Field(
        SecretStr(""),
        description="The server's key of sealed evidence pages: 32 bytes in base64 (openssl rand -base64 32), the same "
        "on every host; default: one in the state folder, made at first use and replaced every 30 days.",
    )
    evidence_max_pages: int = Field(
        50_000, ge=100, description="The most evidence pages; beyond that, those that expire first are removed."
    )
    store_max_cards: int = Field(
        2_000_000,
        ge=1000,
        description="The most cards on record; beyond that, the oldest without feedback are removed.",
    )
    store_max_feedback: int = Field(
        500_000, ge=1000, description="The most pieces of feedback; beyond that, new ones are refused with 503."
    )

    traces: bool = Field(
        False, description="Send traces over OTLP/HTTP; OpenTelemetry's own variables OTEL_* say where."
    )
    self_check_seconds: float = Field(
        60,
        ge=1,
        le=60,
        description="Seconds between self-checks: known-answer patients, clock, store, files.",
    )
    silent_days: int = Field(
        14, gt=0, description="Days with orders for a statement and no card, after which the log reports it."
    )

    log_format: Literal["json", "text"] = Field("text", description="The operational log: JSON lines, or text.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged."
    )

    @field_validator("public_url", "canonical_base")
    @classmethod
    def _absolute_without_slash(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must be an absolute http(s) address")
        return value.rstrip("/")

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        if not all(map(_ORIGIN.fullmatch, value)):
            raise ValueError(
                'each must be an origin such as https://ehr.example (no path, no slash at its end), or "*"'
            )
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: list[str]) -> list[str]:
        if not all(map(_HOST.fullmatch, value)):
            raise ValueError("each must be a host such as cds.example or [::1], without scheme, port, or path")
        return value

    @field_validator("security_contact")
    @classmethod
    def _a_contact(cls, value: str) -> str:
        if value and not _CONTACT.fullmatch(value):
            raise ValueError("must be an address such as mailto:security@hospital.example or https://…, without spaces")
        return value

    @field_validator("security_policy")
    @classmethod
    def _a_page(cls, value: str) -> str:
        if value and not _PAGE.fullmatch(value):
            raise ValueError("must be an https:// address without spaces")
        return value

    @field_validator("cards", "codes", "value_sets", "clients", "state", mode="before")
    @classmethod
    def _empty_is_left_out(cls, value: object, info: ValidationInfo) -> object:
        # An empty variable would otherwise mean the current working directory.
        return cls.model_fields[str(info.field_name)].get_default(call_default_factory=True) if value == "" else value

    @field_validator("id_key")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if 0 < len(text) < 16:
            raise ValueError("must have at least 16 characters, or be left out on loopback")
        if text and len(set("".join(text.split()))) < 2:
            raise ValueError("must not be blank or one repeated character; make one with: openssl rand -hex 32")
        return value

    @model_validator(mode="after")
    def _what_is_not_asked_for_is_fetched(self) -> Self:
        if self.prefetch == "lean" and not self.fetch_missing:
            raise ValueError("CDS_SERVICE_PREFETCH=lean asks for little and needs CDS_SERVICE_FETCH_MISSING=true")
        return self

    @model_validator(mode="after")
    def _calls_are_open_or_not(self) -> Self:
        if self.clients and self.accept_unauthenticated_calls:
            raise ValueError(
                "CDS_SERVICE_CLIENTS says who may call, and CDS_SERVICE_ACCEPT_UNAUTHENTICATED_CALLS=true that anyone "
                "may; set one of them"
            )
        return self

    @model_validator(mode="after")
    def _the_workbench_has_no_token(self) -> Self:
        if self.workbench == "on" and self.clients:
            raise ValueError(
                "CDS_SERVICE_WORKBENCH=on shows a page whose calls carry no token, and CDS_SERVICE_CLIENTS asks every "
                "call for one; leave one of them out"
            )
        return self

    def evidence_mode(self, *, is_open: bool) -> str:
        """The evidence-page mode of clients whose entry does not set one: "sealed", "smart" or "off".

        ``is_open``: only this machine can call, and calls are open.
        """
        return ("sealed" if is_open else "off") if self.evidence == "auto" else self.evidence

    def key(self) -> bytes:
        """The key of card ids."""
        return (self.id_key.get_secret_value() or OPEN_LOOPBACK_KEY).encode()


def load_settings() -> Settings:
    """The settings from the environment. Raises ValueError with a line for each invalid variable."""
    problems = [*unknown_variables(environ, Settings.model_fields)]
    try:
        settings = Settings()
    except SettingsError as error:
        name = str(error).partition('"')[2].partition('"')[0]
        problems.append(f'{variable(name)}: must be a list written as JSON, for example ["https://ehr.example"]')
    except ValidationError as error:
        problems += _problems(error)
    if problems:
        raise ValueError("\n".join(problems))
    return settings


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def _problems(error: ValidationError) -> Iterator[str]:
    for item in error.errors():
        # An error about several settings names them in its message.
        where = f"{variable(str(item['loc'][0]))}: " if item["loc"] else ""
        yield where + item["msg"].removeprefix("Value error, ")
