"""What the pipeline's benchmarks share: a broker full of reference events, and a stopwatch."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql.streaming.readwriter import DataStreamWriter

from jobs.runtime.kafka.clients import spark_options
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake.lake import Lake
from jobs.runtime.pipeline.ingest import ingesting
from jobs.runtime.settings import KafkaSettings, Settings, load_settings
from jobs.runtime.spark.session import spark_session
from jobs.runtime.streams.query import follow
from tests.benchmarks.data import reference_events

log = logging.getLogger(__name__)

EVENTS = int(os.environ.get("PLAYHEAD_BENCH_EVENTS", "2000000"))
TOPIC = "user-interactions"


@dataclass(frozen=True)
class Bench:
    """A lake and a broker."""

    lake: Lake
    settings: Settings
    kafka: KafkaSettings

    def elsewhere(self, name: str) -> Lake:
        """Another lake of the same session."""
        return Lake(self.lake.spark, f"{self.lake.root}-{name}")

    def produce(self, events: int) -> None:
        """Send so many events, none of which was sent before."""
        log.info("producing %s events", f"{events:,}")
        made = reference_events(self.lake.spark, events, until_ms=int(time.time() * 1000))
        options = spark_options(self.kafka)
        made.write.format("kafka").options(**options).option("topic", TOPIC).save()

    def noop_rate(self, topics: str = TOPIC) -> float:
        """Events a second from Kafka to nowhere, as one streaming query; the faster of two.

        Args:
            topics: pattern of the topics' names.
        """
        return max(rate(lambda: self._noop(topics)) for _ in range(2))

    def ingest(self, lake: Lake) -> None:
        """Land all events in a lake's bronze."""
        with ingesting(lake, self.settings, self.kafka, available_now=True) as query:
            follow(query)

    def nowhere(self, topics: str = TOPIC) -> DataStreamWriter:
        """The baseline: the records of Kafka, and a sink that drops them."""
        records = (
            self.lake.spark.readStream.format("kafka")
            .options(**spark_options(self.kafka))
            .option("subscribePattern", topics)
            .option("startingOffsets", "earliest")
            .option("maxOffsetsPerTrigger", self.settings.ingest.max_events_per_batch)
            .load()
        )
        return records.writeStream.format("noop")

    def _noop(self, topics: str) -> None:
        self.nowhere(topics).trigger(availableNow=True).start().awaitTermination()


@contextmanager
def bench(events: int = EVENTS) -> Iterator[Bench]:
    """A broker with so many events, a session on settings as they are shipped, an empty lake."""
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as folder:
        root = Path(folder) / "lake"
        settings = load_settings(overrides=[f"lake.root={root}"])
        with kafka_of(settings) as kafka:
            apply_topics(kafka, load_topics(settings.profile))
            spark = spark_session("bench", settings.spark)
            ready = Bench(Lake(spark, str(root)), settings, kafka)
            if events:
                ready.produce(events)
            yield ready
            spark.stop()


def caught_up(work: Callable[[Bench, Lake], None]) -> dict[str, Any]:
    """The rate at which `work` takes bronze on, against Kafka to nowhere in the same session.

    It is done twice, in two generations of one lake; the first time warms the session up. The
    tables of the second are there before its time starts.
    """
    with bench() as ready:
        baseline = ready.noop_rate()
        ready.ingest(ready.lake)
        work(ready, ready.lake)
        again = ready.lake.of_generation(2)
        again.ensure()
        return compared(lambda: work(ready, again), "kafka to noop", baseline)


def compared(work: Callable[[], Any], baseline: str, baseline_rate: float) -> dict[str, Any]:
    """Time `work` over EVENTS events against a rate measured in the same run."""
    measured = rate(work)
    return {
        "events": EVENTS,
        "rate_per_s": round(measured),
        "baseline": baseline,
        "baseline_rate_per_s": round(baseline_rate),
        "ratio": round(measured / baseline_rate, 3),
    }


def rate(work: Callable[[], Any]) -> float:
    """Events a second of `work` over EVENTS events."""
    began = time.perf_counter()
    work()
    return EVENTS / (time.perf_counter() - began)
