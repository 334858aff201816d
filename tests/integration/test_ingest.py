"""Kafka to bronze, alone and with the streams behind it: what it lands, refuses and waits for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError, ServiceError
from jobs.runtime.kafka.clients import admin, python_options
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER
from jobs.runtime.pipeline.ingest import ingesting
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.together import streaming
from jobs.runtime.settings import KafkaSettings, load_settings
from jobs.runtime.streams import query
from jobs.runtime.streams.query import FEW, follow

TOPIC = "system-health"


@pytest.fixture(scope="module")
def kafka(kafka_with_topics: KafkaSettings) -> KafkaSettings:
    return kafka_with_topics


def send(kafka: KafkaSettings, *values: bytes) -> None:
    producer = KafkaProducer(**python_options(kafka))
    for value in values:
        producer.send(TOPIC, key=b"api", value=value, partition=0)
    producer.close()


def send_to_each_partition(kafka: KafkaSettings, topic: str, value: bytes) -> int:
    producer = KafkaProducer(**python_options(kafka))
    partitions = producer.partitions_for(topic)
    for partition in partitions:
        producer.send(topic, key=b"ada", value=value, partition=partition)
    producer.close()
    return len(partitions)


def send_in_transaction(kafka: KafkaSettings, value: bytes, *, commit: bool) -> None:
    producer = KafkaProducer(**python_options(kafka), transactional_id="test-ingest")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(TOPIC, key=b"api", value=value, partition=0)
    producer.flush()
    (producer.commit_transaction if commit else producer.abort_transaction)()
    producer.close()


def ingest(lake: Lake, kafka: KafkaSettings, *overrides: str) -> None:
    settings = load_settings(overrides=overrides, environment={})
    with ingesting(lake, settings, kafka, available_now=True) as run:
        follow(run)


def landed(lake: Lake) -> list[bytes]:
    rows = lake.read(BRONZE).where(f"topic = '{TOPIC}'").orderBy("offset").collect()
    return [bytes(row.value) for row in rows]


class BusyLake(Lake):
    """A lake whose tables are named as they are appended to; as bronze is, more records arrive."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.appended: list[str] = []
        self.arrive: Callable[[], None] = lambda: None

    def append(self, table: str, *args: Any) -> None:
        super().append(table, *args)
        self.appended.append(table)
        if table == BRONZE:
            self.arrive()


def test_bronze_takes_what_was_committed_then_asks_before_it_accepts_a_loss(
    spark: SparkSession, kafka: KafkaSettings, tmp_path: Path
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"))
    send_in_transaction(kafka, b"aborted", commit=False)
    send_in_transaction(kafka, b"committed", commit=True)
    ingest(lake, kafka)
    assert landed(lake) == [b"committed"], "bronze holds a record that was never committed"

    send(kafka, b"forgotten")
    with admin(kafka) as client:
        place = TopicPartition(TOPIC, 0)
        client.delete_records({place: -1}, timeout_ms=10_000)
    send(kafka, b"kept")
    with pytest.raises(DataError, match=r"no longer holds records .*fail_on_data_loss=false"):
        ingest(lake, kafka)
    assert landed(lake) == [b"committed"], "a refused batch was written"
    ingest(lake, kafka, "ingest.fail_on_data_loss=false")
    assert landed(lake) == [b"committed", b"kept"], "an accepted loss lost or doubled more"


def test_a_clock_that_was_set_back_does_not_take_ingest_time_back(
    spark: SparkSession, kafka: KafkaSettings, tmp_path: Path
) -> None:
    """Refine counts the rows after the last ingest time that a batch build has read."""
    lake = Lake(spark, str(tmp_path / "lake"))
    send(kafka, b"before")
    ingest(lake, kafka)
    built = time.time() + 3600  # as if the clock had been an hour ahead until now
    newest = Path(lake.path(BRONZE)) / "_delta_log" / f"{lake.version(BRONZE):020d}.json"
    os.utime(newest, (built, built))
    for value in (b"after", b"after a restart"):
        send(kafka, value)
        ingest(lake, kafka)
    rows = lake.read(BRONZE).where("value LIKE 'after%'").orderBy("offset")
    first, second = (row[0] for row in rows.select(F.unix_micros("ingest_time")).collect())
    assert built * 1_000_000 < first < second


@pytest.mark.parametrize("few", [FEW, 0])
def test_a_small_batch_is_a_file_a_core_and_a_large_one_a_file_a_partition(
    spark: SparkSession,
    kafka: KafkaSettings,
    tmp_path: Path,
    few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(query, "FEW", few)
    lake = Lake(spark, str(tmp_path / "lake"))
    ingest(lake, kafka)
    before = set(lake.read(BRONZE).inputFiles())
    sent = send_to_each_partition(kafka, "user-interactions", b"{}")
    cores = spark.sparkContext.defaultParallelism
    assert sent > cores, "the topic has too few partitions to tell"
    ingest(lake, kafka)
    files = set(lake.read(BRONZE).inputFiles()) - before
    assert len(files) == (cores if few else sent)
    newest = lake.read(BRONZE).where("topic = 'user-interactions'").groupBy("partition").count()
    assert {row.partition for row in newest.collect()} == set(range(sent))


def test_ingest_takes_no_batch_while_the_last_is_not_refined(
    spark: SparkSession, kafka: KafkaSettings, tmp_path: Path
) -> None:
    lake = BusyLake(spark, str(tmp_path / "lake"))
    lake.arrive = lambda: send(kafka, b"{}")
    settings = load_settings(overrides=["ingest.trigger_s=0.01"], environment={})
    send(kafka, b"{}")
    with streaming(lake, load_judge(settings.refine), settings, kafka) as runs:
        follow(*runs, until=lambda: lake.appended.count(BRONZE) > 2)
    first, second = [at for at, table in enumerate(lake.appended) if table == BRONZE][:2]
    assert LEDGER in lake.appended[first:second], "the next batch slowed this one down"


def test_a_stream_that_cannot_reach_kafka_leaves_no_query_running(
    spark: SparkSession, kafka: KafkaSettings, tmp_path: Path
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"))
    away = kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:9", "reach_timeout_s": 1})
    settings = load_settings(environment={})
    with pytest.raises(ServiceError), streaming(lake, load_judge(settings.refine), settings, away):
        pass
    assert not spark.streams.active
