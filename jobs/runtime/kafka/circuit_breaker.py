"""A circuit breaker: after repeated failures, calls fail at once for a while instead of waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]


class CircuitBreaker:
    """A circuit breaker for calls that are made one at a time.

    Closed, calls may be made. Open, they may not. Half-open, one call may try, and its result
    decides.

    It only counts and reports: the caller reads `state` before a call and reports how the call
    went. As calls are made one at a time, the first one in the half-open state is the trial.

    Args:
        failures: number of failures in a row that open it.
        open_s: seconds from opening to half-open.
        clock: function that returns monotonic seconds.
    """

    def __init__(
        self, *, failures: int, open_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._opened = 0.0

    @property
    def state(self) -> State:
        """The current state."""
        if self._failures < self._limit:
            return "closed"
        return "open" if self.open_for_s > 0 else "half-open"

    @property
    def open_for_s(self) -> float:
        """Seconds until it is half-open, 0 if it is not open."""
        if self._failures < self._limit:
            return 0.0
        return max(self._opened + self._open_s - self._clock(), 0.0)

    def succeeded(self) -> None:
        """Report a successful call, which closes the circuit."""
        self._failures = 0

    def failed(self) -> None:
        """Report a failed call, which opens the circuit at the limit or as a failed trial."""
        self._failures += 1
        self._opened = self._clock()
