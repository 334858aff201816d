"""The embedded broker: keeps what it is told to keep, dies with its parent, found by its lake."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer
from kafka.admin import NewTopic

from jobs.runtime.errors import ServiceError
from jobs.runtime.kafka.clients import admin, producer, python_options, reach
from jobs.runtime.kafka.embedded_broker import Broker, embedded_broker, kafka_of
from jobs.runtime.settings import KafkaSettings, Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


def lake_settings(root: Path) -> Settings:
    return load_settings(overrides=[f"lake.root={root}"], environment={})


def at(broker: Broker) -> KafkaSettings:
    kafka = load_settings(environment={}).kafka
    return kafka.model_copy(update={"bootstrap_servers": broker.bootstrap_servers})


def create_topic(kafka: KafkaSettings, topic: str) -> None:
    with admin(kafka) as client:
        client.create_topics(
            [NewTopic(name=topic, num_partitions=1, replication_factor=1)], wait_for_metadata=True
        )


def values(kafka: KafkaSettings, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(topic, **python_options(kafka), auto_offset_reset="earliest")
    try:
        return [next(consumer).value for _ in range(count)]
    finally:
        consumer.close()


def test_a_restart_on_the_same_folder_keeps_data_and_port(tmp_path: Path) -> None:
    with embedded_broker(tmp_path / "broker", keep=True) as first:
        create_topic(at(first), "t")
        with producer(at(first)) as sender:
            sender.send("t", b"kept")
    with embedded_broker(tmp_path / "broker", keep=True) as second:
        assert second.bootstrap_servers == first.bootstrap_servers
        assert values(at(second), "t", 1) == [b"kept"]


def test_a_port_taken_meanwhile_is_replaced_and_the_data_kept(tmp_path: Path) -> None:
    with embedded_broker(tmp_path / "broker", keep=True) as first:
        create_topic(at(first), "t")
        with producer(at(first)) as sender:
            sender.send("t", b"kept")
    taken = (tmp_path / "broker" / "ports").read_text().split()
    with ExitStack() as others:
        for port in taken:
            others.enter_context(socket.create_server(("127.0.0.1", int(port))))
        with embedded_broker(tmp_path / "broker", keep=True) as second:
            assert second.bootstrap_servers != first.bootstrap_servers
            assert values(at(second), "t", 1) == [b"kept"]


def test_a_folder_that_is_not_kept_is_gone_with_every_process(tmp_path: Path) -> None:
    with embedded_broker(tmp_path / "broker", keep=False) as broker:
        processes = [
            psutil.Process(broker.pid),
            *psutil.Process(broker.pid).children(recursive=True),
        ]
    assert not (tmp_path / "broker").exists()
    assert not any(process.is_running() for process in processes)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_parent(tmp_path: Path, end: signal.Signals) -> None:
    job = subprocess.Popen(
        [sys.executable, "-m", "jobs.broker", "--set", f"lake.root={tmp_path}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    assert job.stdout.readline().startswith("broker at 127.0.0.1:")
    started = psutil.Process(job.pid).children(recursive=True)
    assert len(started) == 2
    os.kill(job.pid, end)
    _, alive = psutil.wait_procs(started, timeout=30)
    job.stdout.close()
    assert (job.wait(30), alive) == (130 if end == signal.SIGINT else -end, [])


def test_what_was_acknowledged_outlives_a_kill_of_everything(tmp_path: Path) -> None:
    job = subprocess.Popen(
        [sys.executable, "-m", "jobs.broker", "--set", f"lake.root={tmp_path}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    assert job.stdout.readline().startswith("broker at ")
    with kafka_of(lake_settings(tmp_path)) as kafka:
        create_topic(kafka, "t")
        with producer(kafka) as sender:
            sender.send("t", b"kept")
    job.kill()
    job.wait()
    job.stdout.close()
    with kafka_of(lake_settings(tmp_path)) as kafka:
        assert values(kafka, "t", 1) == [b"kept"]


def test_jobs_of_one_lake_share_the_broker_that_runs(tmp_path: Path) -> None:
    settings = lake_settings(tmp_path)
    with kafka_of(settings) as first:
        with kafka_of(settings) as second:
            assert second == first
        reach(first)
    assert not (tmp_path / "broker.json").exists()


def test_a_notice_left_by_a_dead_broker_is_ignored(tmp_path: Path) -> None:
    notice = {"bootstrap_servers": "127.0.0.1:9", "pid": os.getpid(), "started": 0.0}
    (tmp_path / "broker.json").write_text(json.dumps(notice))
    with kafka_of(lake_settings(tmp_path)) as kafka:
        reach(kafka)


def test_a_kafka_that_does_not_answer_is_one_clear_error_in_time() -> None:
    kafka = load_settings(
        overrides=["kafka.bootstrap_servers=127.0.0.1:9", "kafka.reach_timeout_s=1"],
        environment={},
    ).kafka
    started = time.monotonic()
    with pytest.raises(ServiceError, match=r"in 1 s: 127\.0\.0\.1:9: Connection refused") as raised:
        reach(kafka)
    assert time.monotonic() - started < 5
    assert "\n" not in str(raised.value)
