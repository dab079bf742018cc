"""The Server-Timing header."""

import re

import pytest

from cds_service.operations.timing import STEPS, Timing

# W3C Server Timing, section 2: metric names are tokens of RFC 9110, durations numbers.
SYNTAX = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+;dur=\d+(\.\d+)?(, [!#$%&'*+.^_`|~0-9A-Za-z-]+;dur=\d+(\.\d+)?)*")


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def later(self, error):
        self.now += 1
        return error


def test_the_header_has_each_step_in_milliseconds_and_the_whole_call_last():
    clock = Clock()
    timing = Timing(clock)
    for name, seconds in (("evaluate", 0.0123), ("auth", 0.0004)):
        with timing.step(name):
            clock.now += seconds
    clock.now += 0.1
    assert timing.header() == "auth;dur=0.4, evaluate;dur=12.3, total;dur=112.7"
    assert SYNTAX.fullmatch(timing.header())


def test_a_step_that_happens_twice_is_summed():
    clock = Clock()
    timing = Timing(clock)
    for _ in range(2):
        with timing.step("fetch"):
            clock.now += 0.25
    assert timing.seconds("fetch") == pytest.approx(0.5)
    assert timing.seconds("auth") == 0


def test_a_step_that_ends_in_an_error_is_timed_and_the_error_goes_on():
    clock = Clock()
    timing = Timing(clock)
    with pytest.raises(KeyError), timing.step("read"):
        raise clock.later(KeyError())
    assert timing.seconds("read") == 1


def test_a_call_without_steps_has_its_total():
    assert Timing(Clock()).header() == "total;dur=0.0"


def test_a_name_that_is_no_step_is_refused():
    with pytest.raises(ValueError, match="the steps are auth"), Timing(Clock()).step("of Jane Doe"):
        pass
    assert all(SYNTAX.fullmatch(f"{name};dur=1") for name in STEPS)
