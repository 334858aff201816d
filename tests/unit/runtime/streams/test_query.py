"""The log lines of a running query: one for each batch, with what its batch function said of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from jobs.runtime.streams.query import Run


class Query:
    """A query that has made progress; one of Spark's takes seconds to."""

    def __init__(self) -> None:
        self.recentProgress: list[dict[str, Any]] = []

    def finish(self, batch: int, rows: int) -> None:
        self.recentProgress.append(
            {
                "name": "refine",
                "batchId": batch,
                "numInputRows": rows,
                "durationMs": {"triggerExecution": 500},
                "processedRowsPerSecond": rows * 2,
            }
        )


def test_a_batch_is_logged_once_with_its_note(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    query = Query()
    run = Run(query, [])  # type: ignore[arg-type]
    run.notes |= {0: "1,984 refused (old_time 1,984)", 2: "none refused"}
    query.finish(0, 2000)
    query.finish(1, 7)
    run.log_batches()
    query.finish(2, 5)
    run.log_batches()
    assert caplog.messages == [
        "refine: batch 0, 2,000 rows in 0.5 s (4,000/s); 1,984 refused (old_time 1,984)",
        "refine: batch 1, 7 rows in 0.5 s (14/s)",
        "refine: batch 2, 5 rows in 0.5 s (10/s); none refused",
    ]
    assert not run.notes
