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

    public_url: str = Field(
        "", description="The address at which clients reach the service; default: the address on which it listens."
    )
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
        description="The folder of your own value sets; their codes count in addition to those of the rule sets.",
    )

    clients: Path | None = Field(
        None, description="The clients file: which clients may call with tokens; default: calls are open."
    )
    accept_unauthenticated_calls: bool = Field(
        False,
        description="Without a clients file, accept calls from anyone who can reach the service, also from other "
        "machines.",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="The number of proxies in front of the service whose X-Forwarded headers it trusts; 0: it ignores "
        "the headers.",
    )
    cors_origins: list[str] = Field(
        ["https://sandbox.cds-hooks.org"],
        description='Web origins whose pages may call, in addition to our own, as JSON: ["https://…"]; ["*"]: any.',
    )
    allowed_hosts: list[str] = Field(
        [],
        description="Host names that open calls may use, in addition to this machine and the host of public_url, as "
        'JSON: ["cds.example"].',
    )

    security_contact: str = Field(
        "",
        description="The contact for vulnerability reports, mailto: or https:, in /.well-known/security.txt; default: "
        "no page.",
    )
    security_policy: str = Field(
        "", description="The https: address of a page on how you handle such reports, for the same page."
    )
    workbench: Literal["auto", "on", "off"] = Field(
        "auto",
        description="The workbench, with synthetic patients, at /; auto: on only if no other machine can call and "
        "calls are open.",
    )

    accept_unsigned_answers: bool = Field(
        False,
        description="Count attested answers without an author, as by an unnamed author; otherwise every answer needs "
        "an author.",
    )
    accept_answers_without_role: bool = Field(
        True,
        description="Count an answer as a clinician's if the practitioner's role is not recorded; otherwise count it "
        "as staff's.",
    )

    call_seconds: float = Field(
        3.5,
        gt=0.1,
        le=LONGEST_CALL,
        description="The deadline of a call, in seconds after the service accepts it; data not fetched or evaluated "
        "by then is unknown.",
    )
    fetch_missing: bool = Field(
        True, description="Fetch from the EHR's fhirServer any prefetch that the EHR did not send."
    )
    prefetch: Literal["full", "lean"] = Field(
        "full",
        description="The prefetch that discovery asks for; lean: patient and coverage only, and the service fetches "
        "the rest.",
    )
    fhir_max_bytes: int = Field(
        5_000_000, gt=0, description="The maximum number of bytes to read from a FHIR server for one read or search."
    )
    fhir_max_call_bytes: int = Field(
        8_000_000,
        gt=0,
        description="The maximum number of bytes to read from a FHIR server for one call, all reads and searches "
        "together; data beyond the limit is unknown.",
    )
    fhir_max_pages: int = Field(20, gt=0, description="The maximum number of pages to read of one search.")
    max_body_bytes: int = Field(5_000_000, gt=0, description="The maximum number of bytes in a request body.")
    max_resources: int = Field(
        5_000,
        gt=0,
        description="The maximum number of resources to read from a call's prefetch, sent or fetched. The same limit "
        "applies to components, and to further sites, reasons, and payors of one type's records; records beyond the "
        "limit are unreadable.",
    )
    max_drafts: int = Field(500, gt=0, description="The maximum number of orders to read from a call's draftOrders.")
    max_text_characters: int = Field(
        10_000,
        gt=0,
        description="The maximum number of characters in the text of one code of a record; a code with more counts as "
        "unreadable. The limit does not apply to attachments and notes.",
    )
    max_all_text_characters: int = Field(
        1_000_000,
        gt=0,
        description="The maximum number of characters in the text of the codes of all records of a call; records "
        "beyond the limit count as unreadable, and the service refuses orders beyond it.",
    )
    queue: int = Field(
        16,
        ge=1,
        le=1000,
        description="The maximum number of calls that wait in each worker while it answers others; it refuses further "
        "calls with 503.",
    )
    rate_limit: str = Field(
        "",
        description="The maximum call rate of one client, for each worker, such as 600/minute; default: no limit.",
    )

    state: Path = Field(
        default_factory=_state_folder,
        description="The folder for stored data: the audit log, and the store if it is SQLite.",
    )
    store_url: SecretStr = Field(
        SecretStr(""),
        description="The PostgreSQL database that workers and hosts share, postgresql://user:password@host/name "
        "(needs the extra cds-service[postgresql]); default: SQLite in the state folder.",
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
    audit_days: int = Field(2190, gt=0, le=36500, description="Days to keep the audit log, and cards without feedback.")
    audit_max_bytes: int = Field(
        50_000_000_000,
        ge=1_000_000,
        description="The maximum size of the audit log in bytes; beyond the limit, the service removes the oldest "
        "content, then the oldest days.",
    )
    feedback_days: int = Field(2190, gt=0, le=36500, description="Days to keep feedback and its cards.")
    feedback_max_items: int = Field(
        1000,
        ge=1,
        le=10_000,
        description="The maximum number of feedback items in one request; a request with more gets 413.",
    )
    feedback_limit: str = Field(
        "2000/hour",
        description="The maximum rate of feedback items of one client, for each worker; more get 429. Empty: no limit.",
    )
    evidence: Literal["auto", "sealed", "off", "smart"] = Field(
        "auto",
        description="The evidence page behind a card's link; sealed: stored encrypted until it expires, and only the "
        "link opens it; smart: launched by the EHR and never stored; off: no link; auto: sealed if only this machine "
        "can call and calls are open, otherwise off.",
    )
    evidence_hours: float = Field(
        8, ge=1, le=24, description="Hours after which a sealed evidence page expires and is deleted."
    )
    evidence_key: SecretStr = Field(
        SecretStr(""),
        description="The server's key of sealed evidence pages: 32 bytes in base64 (openssl rand -base64 32), the "
        "same on every host; default: a key in the state folder, made on first use and replaced every 30 days.",
    )
    evidence_max_pages: int = Field(
        50_000,
        ge=100,
        description="The maximum number of evidence pages; beyond the limit, the service removes the pages that "
        "expire first.",
    )
    store_max_cards: int = Field(
        2_000_000,
        ge=1000,
        description="The maximum number of cards on record; beyond the limit, the service removes the oldest cards "
        "without feedback.",
    )
    store_max_feedback: int = Field(
        500_000,
        ge=1000,
        description="The maximum number of feedback items on record; beyond the limit, the service refuses new items "
        "with 503.",
    )

    traces: bool = Field(
        False, description="Send traces over OTLP/HTTP; OpenTelemetry's own variables OTEL_* set the destination."
    )
    self_check_seconds: float = Field(
        60,
        ge=1,
        le=60,
        description="Seconds between self-checks: known-answer patients, clock, store, files.",
    )
    silent_days: int = Field(
        14, gt=0, description="Days with orders for a statement and no card, after which the log reports the statement."
    )

    log_format: Literal["json", "text"] = Field(
        "text", description="The format of the operational log: JSON lines, or text."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The lowest level to log.")

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
