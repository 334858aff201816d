"""What tests do to topics, and what Kafka says that they hold."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import click
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from jobs.runtime.kafka.clients import admin, describe_topics, partitions_of, python_options
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.settings import KafkaSettings
from tests.oracles.pipeline import Place

LONGEST_S = 120.0
TRANSACTION_TIMEOUT_MS = 600_000  # longer than anybody waits here: it is ended by its id
SPEAKS = "the transaction is open"


def make_anew(kafka: KafkaSettings, topic: str) -> None:
    """Delete a topic, and create it again as it is declared."""
    until = time.monotonic() + LONGEST_S
    with admin(kafka) as client:
        client.delete_topics([topic])
        while topic in client.list_topics():
            assert time.monotonic() < until, f"{topic} is not gone in {LONGEST_S:g} s"
    apply_topics(kafka, load_topics("local"))


def committed(kafka: KafkaSettings, topics: Sequence[str]) -> dict[Place, bytes | None]:
    """Every committed record that Kafka holds: its value, by topic, partition and Kafka's offset.

    Ends before the first record of a transaction that is open.
    """
    partitions = partitions_of(describe_topics(kafka, topics))
    places = [TopicPartition(topic, number) for topic, number in partitions]
    consumer = KafkaConsumer(
        **python_options(kafka), isolation_level="read_committed", enable_auto_commit=False
    )
    held: dict[Place, bytes | None] = {}
    try:
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends, until = consumer.end_offsets(places), time.monotonic() + LONGEST_S
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < until, f"{topics} are not read in {LONGEST_S:g} s"
            for records in consumer.poll(timeout_ms=200, max_records=10_000).values():
                held |= {(r.topic, r.partition, r.offset): r.value for r in records}
    finally:
        consumer.close()
    return held


def leave_transaction_open(kafka: KafkaSettings, transactional_id: str, topic: str) -> None:
    """Let a producer of its own process send to each partition of a topic, and kill -9 it.

    What it sent holds back the records of others, until `abort_transaction`.
    """
    command = [sys.executable, "-m", __name__, str(kafka.bootstrap_servers)]
    with subprocess.Popen([*command, transactional_id, topic], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        process.kill()
    assert SPEAKS in line, f"the producer said {line!r}"


def abort_transaction(kafka: KafkaSettings, transactional_id: str) -> None:
    """End the open transaction of a producer that is gone, as Kafka does after its timeout."""
    producer = KafkaProducer(**python_options(kafka), transactional_id=transactional_id)
    producer.init_transactions()
    producer.close()


def _open_transaction(bootstrap_servers: str, transactional_id: str, topic: str) -> None:
    producer = KafkaProducer(
        bootstrap_servers=bootstrap_servers,
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
    )
    producer.init_transactions()
    producer.begin_transaction()
    partitions = sorted(producer.partitions_for(topic))
    for sent in [producer.send(topic, b"never committed", partition=n) for n in partitions]:
        sent.get(timeout=LONGEST_S)
    click.echo(SPEAKS)
    time.sleep(LONGEST_S)


if __name__ == "__main__":
    _open_transaction(*sys.argv[1:])
