"""The rate limit: what is let through, what must wait, and for how long."""

import time

import pytest

from cds_service.operations.rate import REFUSALS, RateLimiter, limit_of, neighbourhood


class Clock:
    """A wall clock that only a test moves; the library asks time.time."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
def limiter(clock):
    limiter = RateLimiter()
    yield limiter
    limiter.close()


def test_a_client_may_make_as_many_calls_as_its_limit_and_waits_for_the_next(limiter, clock):
    assert [limiter.check("a", "3/minute") for _ in range(3)] == [None] * 3
    clock.now += 15
    assert limiter.check("a", "3/minute") == pytest.approx(45)
    clock.now += 45.1
    assert limiter.check("a", "3/minute") is None


def test_a_limit_holds_over_every_minute_whenever_it_begins(limiter, clock):
    clock.now += 59
    assert [limiter.check("a", "2/minute") for _ in range(2)] == [None] * 2
    clock.now += 2
    assert limiter.check("a", "2/minute") == pytest.approx(58)


def test_a_refused_call_does_not_prolong_the_wait(limiter, clock):
    limiter.check("a", "1/minute")
    waits = []
    for _ in range(3):
        clock.now += 10
        waits.append(limiter.check("a", "1/minute"))
    assert waits == [pytest.approx(50), pytest.approx(40), pytest.approx(30)]


def test_clients_do_not_share_a_limit(limiter):
    assert limiter.check("a", "1/minute") is None
    assert limiter.check("b", "1/minute") is None
    assert limiter.check("a", "1/minute") is not None


def test_an_empty_limit_is_none(limiter):
    assert [limiter.check("a", "") for _ in range(100)] == [None] * 100


def test_refused_calls_are_limited_by_address_and_no_client_of_that_name_with_them(limiter):
    allowed = limit_of(REFUSALS).amount
    waits = [limiter.refused("192.0.2.7") for _ in range(allowed + 1)]
    assert waits[:-1] == [None] * allowed
    assert waits[-1] > 0
    assert limiter.refused("192.0.2.8") is None
    assert limiter.check("192.0.2.7", "1/minute") is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("Jane Doe", "unknown"),
    ],
)
def test_one_caller_cannot_take_many_addresses(address, expected):
    assert neighbourhood(address) == expected


@pytest.mark.parametrize(
    "text", ["", "many", "600", "600/fortnight", "0/minute", "-1/minute", "10/minute;100/hour", "1.5/minute", "/minute"]
)
def test_a_limit_that_cannot_be_read_is_refused_with_its_form(text):
    with pytest.raises(ValueError, match="is not a rate limit; write one number of calls and one time: 600/minute"):
        limit_of(text)


@pytest.mark.parametrize("text", ["600/minute", "10/second", "20000/day", "10 per 5 minutes"])
def test_a_limit_that_can_be_read_is(text):
    assert limit_of(text).amount > 0
