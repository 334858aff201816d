"""The circuit breaker: opens after failures in a row, and one trial decides whether it closes."""

from __future__ import annotations

import pytest

from jobs.runtime.kafka.circuit_breaker import CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failures=2, open_s=15, clock=clock)


def test_it_opens_only_after_failures_in_a_row(circuit: CircuitBreaker) -> None:
    circuit.failed()
    circuit.succeeded()
    circuit.failed()
    assert circuit.state == "closed"
    circuit.failed()
    assert circuit.state == "open"


def test_it_is_half_open_when_its_time_is_over(circuit: CircuitBreaker, clock: Clock) -> None:
    circuit.failed()
    circuit.failed()
    clock.now += 14
    assert (circuit.state, circuit.open_for_s) == ("open", 1)
    clock.now += 1
    assert (circuit.state, circuit.open_for_s) == ("half-open", 0)


def test_a_trial_that_goes_well_closes_it(circuit: CircuitBreaker, clock: Clock) -> None:
    circuit.failed()
    circuit.failed()
    clock.now += 15
    circuit.succeeded()
    circuit.failed()
    assert circuit.state == "closed"


def test_a_trial_that_fails_opens_it_for_the_whole_time_again(
    circuit: CircuitBreaker, clock: Clock
) -> None:
    circuit.failed()
    circuit.failed()
    clock.now += 15
    circuit.failed()
    assert (circuit.state, circuit.open_for_s) == ("open", 15)
