"""Backpressure: a query waits for the downstream queries that read what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

from jobs.runtime.streams.query import Run

MOST_S = 10.0


class Backpressure:
    """Lets a query begin its next batch once the downstream queries have processed its last one.

    Queries that share a small machine lengthen each other's batches, and an event waits for each in
    turn: it reaches gold soonest if they do not run at the same time.

    Args:
        behind: downstream queries, in the order of the flow.
    """

    def __init__(self, behind: Sequence[Run]) -> None:
        self._behind = behind
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._reading: Future[None] | None = None

    def __enter__(self) -> Backpressure:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def hold(self) -> None:
        """Wait until downstream queries have no backlog or one has ended, at most MOST_S seconds.

        A downstream query with a larger backlog than that is more than a batch behind: it goes on
        beside the query that is held, which must not leave its own source for so long.
        """
        if self._reading is None or self._reading.done():
            self._reading = self._pool.submit(self._read_all)
        wait_for([self._reading], timeout=MOST_S)

    def _read_all(self) -> None:
        """Block until each downstream query has processed all data available to it now."""
        for run in self._behind:
            run.query.processAllAvailable()
