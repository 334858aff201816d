"""A circuit breaker: after repeated failures, fail at once for a while instead of waiting again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]


class CircuitBreaker:
    """Closed, calls go through. Open, they do not. Half-open, one call may try, and decides.

    It counts and tells; its user asks `state` before a call and reports how the call went. Calls
    are made one at a time, so in the half-open state the first one is the trial.

    Args:
        failures: how many failures in a row open it.
        open_s: seconds from opening to half-open.
        clock: monotonic seconds.
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
        """How it stands now."""
        if self._failures < self._limit:
            return "closed"
        return "open" if self.open_for_s > 0 else "half-open"

    @property
    def open_for_s(self) -> float:
        """Seconds until it is half-open; 0 if it is not open."""
        if self._failures < self._limit:
            return 0.0
        return max(self._opened + self._open_s - self._clock(), 0.0)

    def succeeded(self) -> None:
        """A call went well: closed."""
        self._failures = 0

    def failed(self) -> None:
        """A call failed: open if that was one too many, or the trial."""
        self._failures += 1
        self._opened = self._clock()
