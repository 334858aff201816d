"""Assignment at 1,000 a second: how long does a caller wait, and when is the event acknowledged?

The baseline is the same number of sends without an assignment, in the same run.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.experiments.assignments import EVENT_TYPE, LINGER_MS, Assigner
from jobs.runtime.kafka.clients import Producer, producer
from jobs.runtime.kafka.embedded_broker import embedded_broker
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.settings import load_settings
from transforms.experiments.definitions import Catalogue, catalogue

RATE = 1_000
ASSIGNMENTS = int(os.environ.get("PLAYHEAD_BENCH_ASSIGNMENTS", "60000"))


def run() -> dict[str, Any]:
    """Latencies of ASSIGNMENTS new users, one each millisecond."""
    settings = load_settings()
    contract = load_registry().newest(EVENT_TYPE)
    with (
        tempfile.TemporaryDirectory(prefix="playhead-bench-") as folder,
        embedded_broker(Path(folder), keep=False) as broker,
    ):
        kafka = settings.kafka.model_copy(update={"bootstrap_servers": broker.bootstrap_servers})
        apply_topics(kafka, load_topics(settings.profile))
        with producer(kafka, linger_ms=LINGER_MS) as sender:
            timed = _Timed(sender)
            assigner = Assigner(_definitions(), contract, timed)  # type: ignore[arg-type]
            context = {"region": "eu-west-1", "device_type": "smart_tv"}

            def assign(number: int) -> None:
                assigner.assign(f"user_{number}", "rows", context)

            took, seconds = _at_rate(assign, ASSIGNMENTS)
            sender.flush()
        with producer(kafka, linger_ms=LINGER_MS) as sender:
            value = bytes(300)
            topic = contract.topics[0]
            alone, baseline_s = _at_rate(lambda n: sender.send(topic, value), ASSIGNMENTS)
    return {
        "events": ASSIGNMENTS,
        "rate_per_s": round(ASSIGNMENTS / seconds),
        "baseline": "sends of 300 bytes without an assignment",
        "baseline_rate_per_s": round(ASSIGNMENTS / baseline_s),
        "ratio": round(float(np.median(alone) / np.median(took)), 3),
        **_quantiles(took),
        "baseline_latency": _quantiles(alone),
        "acknowledged": _quantiles(timed.acknowledged),
    }


class _Timed:
    """A producer that notes how long each record took to be acknowledged."""

    def __init__(self, sender: Producer) -> None:
        self._sender = sender
        self.acknowledged: list[float] = []

    def send(self, topic: str, value: bytes, *, key: bytes) -> None:
        """As Producer.send."""
        began = time.perf_counter()
        sent = self._sender.send(topic, value, key=key)
        sent.add_callback(lambda _: self.acknowledged.append(time.perf_counter() - began))


def _definitions() -> Catalogue:
    now = datetime.now(UTC)
    start = (now - timedelta(days=1)).isoformat()
    return catalogue(
        {
            "metrics.yaml": {
                "metrics": {"plays": {"kind": "mean", "outcome": {"event": "VideoPlaybackStarted"}}}
            },
            "layers.yaml": {"layers": {"home": {"salt": "home"}}},
            "rows.yaml": {
                "id": "rows",
                "layer": "home",
                "variants": [{"name": "control", "weight": 0.5}, {"name": "new", "weight": 0.5}],
                "traffic": [{"at": start, "share": 1}],
                "start": start,
                "end": (now + timedelta(days=1)).isoformat(),
                "goals": ["plays"],
            },
        }
    )


def _at_rate(work: Callable[[int], None], times: int) -> tuple[list[float], float]:
    """Call `work` at RATE; the seconds of each call, and of all."""
    took = []
    began = time.perf_counter()
    for number in range(times):
        ahead = began + number / RATE - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        called = time.perf_counter()
        work(number)
        took.append(time.perf_counter() - called)
    return took, time.perf_counter() - began


def _quantiles(seconds: list[float]) -> dict[str, float]:
    found = np.percentile(seconds, [50, 95, 99]) * 1000
    return {
        f"p{share}_ms": round(float(ms), 3) for share, ms in zip((50, 95, 99), found, strict=True)
    }
