"""/.well-known/security.txt as RFC 9116 has it: whom to tell, until when, in which language."""

from datetime import date, datetime, timedelta

import pytest
from pydantic import ValidationError

from cds_service.app import create_app
from cds_service.settings.settings import Settings
from cds_service.web.well_known import PATH
from tests.shipped import TODAY, library
from tests.test_http import outcome_of

CONTACT = "mailto:security@hospital.example"


def answer_of(public_url: str = "https://cds.hospital.example", today: date = TODAY, **settings: str):
    return create_app(Settings(**settings), library(), public_url, lambda: today).test_client().get(PATH)


def fields_of(answer) -> list[tuple[str, str]]:
    assert answer.status_code == 200
    # Section 3: text/plain in UTF-8.
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return [tuple(line.split(": ", 1)) for line in answer.text.splitlines()]


def test_it_names_contact_expiry_language_and_its_own_address():
    fields = fields_of(answer_of(security_contact=CONTACT, security_policy="https://hospital.example/security"))
    assert [name for name, _ in fields] == ["Contact", "Expires", "Preferred-Languages", "Canonical", "Policy"]
    told = dict(fields)
    assert told["Contact"] == CONTACT
    assert told["Preferred-Languages"] == "en"
    assert told["Canonical"] == "https://cds.hospital.example/.well-known/security.txt"
    assert told["Policy"] == "https://hospital.example/security"


@pytest.mark.parametrize("today", [date(2026, 11, 23), date(2028, 2, 29), date(2027, 12, 31)])
def test_it_expires_within_a_year_of_the_day_it_is_asked_for(today):
    expires = dict(fields_of(answer_of(today=today, security_contact=CONTACT)))["Expires"]
    instant = datetime.fromisoformat(expires)
    assert instant.utcoffset() == timedelta(0)
    assert timedelta(days=90) < instant.date() - today < timedelta(days=365)


def test_what_is_not_set_is_left_out_and_plain_http_has_no_canonical_address():
    fields = fields_of(answer_of("http://127.0.0.1:8080", security_contact=CONTACT))
    assert [name for name, _ in fields] == ["Contact", "Expires", "Preferred-Languages"]


def test_without_a_contact_there_is_no_such_page_and_the_operator_learns_why():
    answer = answer_of()
    assert answer.status_code == 404
    assert "CDS_SERVICE_SECURITY_CONTACT" in outcome_of(answer)["diagnostics"]


@pytest.mark.parametrize(
    "contact", [CONTACT, "mailto:a+b@c.example?subject=x", "https://hospital.example/report", "https://[2001:db8::1]/"]
)
def test_a_contact_is_an_address(contact):
    assert Settings(security_contact=contact).security_contact == contact


@pytest.mark.parametrize(
    "contact",
    [
        "security@hospital.example",
        "http://hospital.example",
        "https://",
        "mailto:",
        "mailto:x",
        "tel:+1-201-555-0123",
        "mailto:a@b.example\nPolicy: https://evil.example",
        "https://a.example b",
        "https://\u00e4.example",
    ],
)
def test_a_contact_that_is_none_or_more_than_a_line_is_refused(contact):
    with pytest.raises(ValidationError, match=r"mailto:security@hospital\.example"):
        Settings(security_contact=contact)


@pytest.mark.parametrize("policy", ["http://hospital.example", "mailto:a@b.example", "https://a.example\nX: y"])
def test_a_policy_is_a_page_over_https(policy):
    with pytest.raises(ValidationError, match="https://"):
        Settings(security_policy=policy)
