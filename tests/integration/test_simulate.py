"""Simulated events on their way to Kafka: in bulk by Spark, and at a rate by one process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, TopicPartition
from pyspark.sql import SparkSession

from jobs.producers.bulk import send_in_bulk
from jobs.producers.faults import Faults
from jobs.producers.population import CHUNK, Population
from jobs.producers.records import Record
from jobs.producers.sending import publish, require_topics
from jobs.producers.simulation import Clock, Simulation
from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.clients import python_options
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.settings import KafkaSettings, Settings
from tests.support.brokers import broker_in

EVENTS = 2 * CHUNK + 500
PLAN = Faults.parse("duplicates=0.05,malformed=0.05,wrong_key=0.05", seed=1)


@pytest.fixture
def kafka(
    base_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaSettings]:
    """A broker without any topic."""
    with broker_in(tmp_path_factory.mktemp("broker"), base_settings.kafka) as kafka:
        yield kafka


def received(kafka: KafkaSettings) -> Counter[Record]:
    consumer = KafkaConsumer(**python_options(kafka))
    partitions = [
        TopicPartition(topic, partition)
        for topic in load_topics("local")
        for partition in consumer.partitions_for_topic(topic) or ()
    ]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    left = sum(consumer.end_offsets(partitions).values())
    records: Counter[Record] = Counter()
    for record in consumer:
        records[Record(record.topic, record.key, record.value)] += 1
        left -= 1
        if left == 0:
            break
    consumer.close()
    return records


def test_all_that_is_simulated_arrives_once(spark: SparkSession, kafka: KafkaSettings) -> None:
    with pytest.raises(ServiceError, match=r"lacks the topics content-.*jobs\.topics"):
        require_topics(kafka)
    apply_topics(kafka, load_topics("local"))
    require_topics(kafka)

    run = Simulation(Population(100, 20, 1), EVENTS, Clock(1_790_000_000_000_000, 1000), PLAN)
    made = [record for chunk in range(run.chunks) for record in run.records(chunk)]
    send_in_bulk(spark, range(1), run.records, kafka)
    send_in_bulk(spark, range(1, run.chunks), run.records, kafka)
    assert received(kafka) == Counter(made)

    began = time.monotonic()
    publish(made[:100], 100, kafka, rate_per_s=100)
    assert time.monotonic() - began >= 0.99
    assert received(kafka) == Counter(made) + Counter(made[:100])
