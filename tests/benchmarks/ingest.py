"""Kafka to bronze.events, against Kafka to nowhere."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.pipeline import bench, compared


def run() -> dict[str, Any]:
    """The rate of the second landing, the first having warmed the session."""
    with bench() as ready:
        baseline = ready.noop_rate()
        ready.ingest(ready.elsewhere("warm"))
        return compared(lambda: ready.ingest(ready.lake), "kafka to noop", baseline)
