"""jobs.topics against a broker: safe to repeat, all or nothing, and the clock is the broker's."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer

from jobs.runtime.errors import ServiceError, SettingsError
from jobs.runtime.kafka.clients import admin, producer, python_options
from jobs.runtime.kafka.embedded_broker import Broker, embedded_broker
from jobs.runtime.kafka.topic_changes import apply_topics, plan_steps, take_steps
from jobs.runtime.kafka.topics import Topic, load_topics
from jobs.runtime.settings import KafkaSettings

ROOT = Path(__file__).resolve().parents[2]


def topic(**stated: object) -> Topic:
    return load_topics("local")["system-health"].model_copy(update=stated)


def actions(kafka: KafkaSettings, declared: dict[str, Topic]) -> dict[str, str]:
    with admin(kafka) as client:
        return {step.name: step.action for step in plan_steps(client, kafka, declared)}


def partitions(kafka: KafkaSettings, name: str) -> int:
    with admin(kafka) as client:
        return len(client.describe_topics([name])[0]["partitions"])


def test_a_second_run_finds_nothing_to_do(broker: KafkaSettings) -> None:
    declared = {"repeat-a": topic(), "repeat-b": topic(key="userId", partitions=3)}
    assert actions(broker, declared) == {"repeat-a": "create", "repeat-b": "create"}
    apply_topics(broker, declared)
    assert actions(broker, declared) == {"repeat-a": "unchanged", "repeat-b": "unchanged"}


def test_a_changed_setting_reaches_the_topic(broker: KafkaSettings) -> None:
    apply_topics(broker, {"changing": topic()})
    longer = {"changing": topic(retention_days=30)}
    assert actions(broker, longer) == {"changing": "update"}
    apply_topics(broker, longer)
    assert actions(broker, longer) == {"changing": "unchanged"}


def test_a_refused_topic_keeps_all_others_from_changing(broker: KafkaSettings) -> None:
    apply_topics(broker, {"keyed": topic(key="userId")})
    with pytest.raises(SettingsError, match="keyed: key userId -> titleId"):
        apply_topics(broker, {"unborn": topic(), "keyed": topic(key="titleId")})
    assert actions(broker, {"unborn": topic()}) == {"unborn": "create"}


def test_growth_that_was_asked_for_is_done(broker: KafkaSettings) -> None:
    apply_topics(broker, {"growing": topic(partitions=1)})
    more = {"growing": topic(partitions=2)}
    with pytest.raises(SettingsError, match="--grow growing"):
        apply_topics(broker, more)
    assert partitions(broker, "growing") == 1
    with admin(broker) as client:
        take_steps(client, broker, plan_steps(client, broker, more, grow=["growing"]))
    assert partitions(broker, "growing") == 2


def test_a_topic_made_by_hand_is_taken_over_with_its_key(broker: KafkaSettings) -> None:
    with admin(broker) as client:
        client.create_topics({"by-hand": {"num_partitions": 1, "replication_factor": 1}})
    apply_topics(broker, {"by-hand": topic(key="userId")})
    assert actions(broker, {"by-hand": topic(key="titleId")}) == {"by-hand": "refused"}


def test_arrival_time_is_the_brokers_clock_whatever_the_producer_says(
    broker: KafkaSettings,
) -> None:
    apply_topics(broker, {"clocked": topic()})
    before_ms = int(time.time() * 1000)
    client = KafkaProducer(**python_options(broker))
    client.send("clocked", b"x", timestamp_ms=86_400_000).get(timeout=30)
    client.close()
    consumer = KafkaConsumer("clocked", **python_options(broker), auto_offset_reset="earliest")
    record = next(consumer)
    consumer.close()
    assert before_ms <= record.timestamp <= int(time.time() * 1000)


def test_a_topic_that_does_not_exist_is_named_with_the_command_that_creates_it(
    broker: KafkaSettings,
) -> None:
    with (
        pytest.raises(ServiceError, match=r"no topic nowhere.*python -m jobs\.topics"),
        producer(broker, max_block_ms=500) as sender,
    ):
        sender.send("nowhere", b"x")


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Broker]:
    """A broker on which no other test has made a topic."""
    with embedded_broker(tmp_path, keep=False) as running:
        yield running


def test_the_command_plans_without_doing_and_then_does(untouched: Broker) -> None:
    def run(*options: str) -> list[list[str]]:
        place = ["--set", f"kafka.bootstrap_servers={untouched.bootstrap_servers}"]
        done = subprocess.run(
            [sys.executable, "-m", "jobs.topics", *place, *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.split()[:2] for line in done.stdout.splitlines()]

    names = list(load_topics("local"))
    assert run("--plan") == [[name, "create"] for name in names]
    assert run() == [[name, "create"] for name in names]
    assert run() == [[name, "unchanged"] for name in names]
