"""Backpressure: a query waits for those that read what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

from jobs.runtime.streams.query import Run

MOST_S = 10.0


class Backpressure:
    """Lets one query begin its next batch when the queries behind it have read its last.

    Queries that share a small machine make each other's batches longer, and an event waits for
    each in turn: it is soonest at the end if they do not run at the same time.

    Args:
        behind: the queries, in the order of the flow.
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
        """Wait until all is read that is committed now, or a query has ended, MOST_S at most.

        Who has more to read than that is behind by more than a batch: it reads on beside the
        query that is held, which must not leave its own source for so long.
        """
        if self._reading is None or self._reading.done():
            self._reading = self._pool.submit(self._read_all)
        wait_for([self._reading], timeout=MOST_S)

    def _read_all(self) -> None:
        for run in self._behind:
            run.query.processAllAvailable()
