"""Commands against a broker: in every topic or in none, once, and never dropped in silence."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import ProducerFencedError
from pyspark.sql import SparkSession

from jobs.commands import main
from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.kafka.clients import describe_topics, partitions_of, python_options
from jobs.runtime.kafka.embedded_broker import embedded_broker
from jobs.runtime.kafka.publisher import (
    CommandNotPublished,
    CommandOutcomeUnknown,
    ProducerFenced,
    Publisher,
)
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.kafka.transactions import Transactions
from jobs.runtime.lake.lake import Lake
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.together import drain
from jobs.runtime.profiles.commands import CommandRejected, Commands, open_commands
from jobs.runtime.profiles.ratings import LakeRatings
from jobs.runtime.settings import KafkaSettings, Settings, load_settings
from tests.support.commands import Ratings
from transforms.commands.profile import RateContent, RecordView, UpdatePreferences

ROOT = Path(__file__).resolve().parents[2]
STORE, COPY = "user-profile-events", "user-preference-updates"
REGISTRY = load_registry()


def settings_of(kafka: KafkaSettings, *overrides: str) -> Settings:
    address = f"kafka.bootstrap_servers={kafka.bootstrap_servers}"
    return load_settings(overrides=[address, *overrides], environment={})


@contextmanager
def commands_of(kafka: KafkaSettings, *overrides: str) -> Iterator[Commands]:
    settings = settings_of(kafka, *overrides)
    with open_commands(settings, settings.kafka, REGISTRY, Ratings()) as commands:
        yield commands


def prefer(user_id: str) -> UpdatePreferences:
    now = datetime.now(UTC)
    return UpdatePreferences(command_id="c-1", user_id=user_id, at=now, changes={"autoplay": True})


def places(kafka: KafkaSettings, topics: list[str]) -> list[TopicPartition]:
    return [TopicPartition(*place) for place in partitions_of(describe_topics(kafka, topics))]


def records(
    kafka: KafkaSettings, user_id: str, isolation_level: str = "read_committed"
) -> list[tuple[str, bytes]]:
    """(topic, value) of all records of the user that a reader sees, up to the logs' ends."""
    consumer = KafkaConsumer(
        **python_options(kafka), isolation_level=isolation_level, auto_offset_reset="earliest"
    )
    try:
        assigned = places(kafka, [STORE, COPY])
        consumer.assign(assigned)
        ends = consumer.end_offsets(assigned)
        seen = []
        while any(consumer.position(place) < ends[place] for place in assigned):
            for batch in consumer.poll(1000).values():
                seen += [(r.topic, r.value) for r in batch if r.key == user_id.encode()]
        return seen
    finally:
        consumer.close()


def ends(kafka: KafkaSettings) -> dict[TopicPartition, int]:
    consumer = KafkaConsumer(**python_options(kafka))
    try:
        return consumer.end_offsets(places(kafka, [STORE, COPY]))
    finally:
        consumer.close()


@pytest.fixture(scope="module")
def kafka(base_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A broker with playhead's own topics."""
    with embedded_broker(tmp_path_factory.mktemp("commands"), keep=False) as running:
        address = {"bootstrap_servers": running.bootstrap_servers}
        kafka = base_settings.kafka.model_copy(update=address)
        apply_topics(kafka, load_topics("local"))
        yield kafka


def test_an_update_of_preferences_is_in_both_topics_with_the_same_bytes(
    kafka: KafkaSettings,
) -> None:
    command = prefer("both")
    with commands_of(kafka) as commands:
        receipt = commands.send(command)
    found = records(kafka, "both")
    assert sorted(topic for topic, _ in found) == sorted([STORE, COPY]) == sorted(receipt.topics)
    assert len({value for _, value in found}) == 1
    assert json.loads(found[0][1])["eventId"] == receipt.event_id


def test_a_repeat_has_the_same_bytes_from_another_process_too(kafka: KafkaSettings) -> None:
    command = prefer("repeat")
    for _ in range(2):
        with commands_of(kafka) as commands:
            commands.send(command)
    found = records(kafka, "repeat")
    assert len(found) == 4
    assert len({value for _, value in found}) == 1


def test_one_publisher_sends_commands_of_every_kind_one_after_another(
    kafka: KafkaSettings,
) -> None:
    who = {"user_id": "kinds", "at": datetime.now(UTC), "title_id": "t"}
    sent = [
        prefer("kinds"),
        RecordView(command_id="c-2", watch_s=60, completion_percentage=5, **who),
        RateContent(command_id="c-3", stars=4, **who),
    ]
    with commands_of(kafka) as commands:
        expected = {commands.send(command).event_id for command in sent}
    found = [json.loads(value)["eventId"] for topic, value in records(kafka, "kinds")]
    assert set(found) == expected
    assert len(found) == 4


def test_threads_that_share_a_publisher_lose_nothing(kafka: KafkaSettings) -> None:
    with commands_of(kafka) as commands:
        threads = [
            threading.Thread(
                target=commands.send, args=[replace(prefer("threads"), command_id=f"c-{n}")]
            )
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = records(kafka, "threads")
    assert len(found) == len(set(found)) == 16


def test_a_rejected_command_moves_no_offset(kafka: KafkaSettings) -> None:
    before = ends(kafka)
    with commands_of(kafka) as commands, pytest.raises(CommandRejected) as raised:
        commands.send(replace(prefer("rejected"), changes={"autoplay": "yes"}))
    assert (raised.value.path, raised.value.rule) == ("$.data.preferences.autoplay", "type")
    assert ends(kafka) == before


def test_a_transaction_that_fails_midway_is_seen_by_no_reader_of_committed_records(
    kafka: KafkaSettings,
) -> None:
    publisher = Publisher(kafka, settings_of(kafka, "commands.deadline_s=3").commands)
    with pytest.raises(CommandNotPublished):
        publisher.publish("c-1", [STORE, "no-such-topic"], b"midway", b"{}")
    publisher.close()
    assert (STORE, b"{}") in records(kafka, "midway", "read_uncommitted")
    assert records(kafka, "midway") == []


def test_what_a_dead_producer_left_open_is_aborted_by_the_next_of_its_id(
    kafka: KafkaSettings,
) -> None:
    dead = Transactions(kafka, "heir", timeout_s=60)
    dead.begin([STORE, COPY], b"heir", b"{}", within_s=10)
    with commands_of(kafka, "commands.transactional_id=heir") as commands:
        commands.send(prefer("heir"))
        assert len(records(kafka, "heir")) == 2
    dead.abandon()
    assert len(records(kafka, "heir", "read_uncommitted")) == 4


def test_a_newer_producer_fences_the_older_for_good(kafka: KafkaSettings) -> None:
    name = "commands.transactional_id=shared"
    with commands_of(kafka, name) as older, commands_of(kafka, name) as newer:
        older.send(prefer("fenced"))
        newer.send(prefer("fenced"))
        for _ in range(2):
            with pytest.raises(ProducerFenced, match="taken transactional id shared"):
                older.send(prefer("fenced"))
        newer.send(prefer("fenced"))
    assert len(records(kafka, "fenced", "read_uncommitted")) == 6


def test_a_producer_fenced_between_two_records_is_told_so(kafka: KafkaSettings) -> None:
    older, newer = (Transactions(kafka, "between", timeout_s=60) for _ in range(2))
    older.begin([STORE, COPY], b"between", b"{}", within_s=10)
    older.commit(within_s=10)
    newer.begin([STORE, COPY], b"between", b"{}", within_s=10)

    def once_the_first_is_refused() -> Iterator[str]:
        assert older._client is not None
        yield STORE
        until = time.monotonic() + 10
        while not older._client._transaction_manager.has_fatal_error():
            assert time.monotonic() < until, "the broker took a fenced producer's record"
            threading.Event().wait(0.01)
        yield COPY

    with pytest.raises(ProducerFencedError):
        older.begin(once_the_first_is_refused(), b"between", b"{}", within_s=10)
    newer.commit(within_s=10)
    newer.abandon()


class Outage:
    """A broker of a test's own that can be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running = ExitStack()
        self.kafka = load_settings(environment={}).kafka
        self.start()
        apply_topics(self.kafka, load_topics("local"))

    def start(self) -> None:
        broker = self.running.enter_context(embedded_broker(self.folder, keep=True))
        address = {"bootstrap_servers": broker.bootstrap_servers}
        self.kafka = self.kafka.model_copy(update=address)

    def stop(self) -> None:
        self.running.close()


@pytest.fixture
def outage(tmp_path: Path) -> Iterator[Outage]:
    outage = Outage(tmp_path / "broker")
    yield outage
    outage.stop()


@pytest.mark.slow
@pytest.mark.parametrize("was_connected", [True, False])
def test_a_broker_back_inside_the_deadline_gets_the_command_once(
    outage: Outage, was_connected: bool
) -> None:
    with (
        commands_of(outage.kafka, "commands.deadline_s=60") as commands,
        ThreadPoolExecutor() as pool,
    ):
        if was_connected:
            commands.send(prefer("before"))
        outage.stop()
        sending = pool.submit(commands.send, prefer("during"))
        outage.start()
        sending.result()
    assert sorted(topic for topic, _ in records(outage.kafka, "during")) == sorted([STORE, COPY])


@pytest.mark.slow
def test_a_commit_without_an_answer_is_reported_as_unknown_and_may_be_repeated(
    outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Transactions.begin

    def begin_and_lose_the_broker(*given: Any, **named: Any) -> None:
        begin(*given, **named)
        outage.stop()

    command = prefer("unknown")
    with commands_of(outage.kafka, "commands.deadline_s=4") as commands:
        monkeypatch.setattr(Transactions, "begin", begin_and_lose_the_broker)
        with pytest.raises(CommandOutcomeUnknown, match=r"command c-1.*repeat the command"):
            commands.send(command)
        monkeypatch.undo()
        outage.start()
        assert len(records(outage.kafka, "unknown")) in (0, 2)
        commands.send(command)
    found = records(outage.kafka, "unknown")
    assert {topic for topic, _ in found} == {STORE, COPY}
    assert len({value for _, value in found}) == 1


@pytest.mark.slow
def test_while_a_broker_is_away_later_commands_fail_at_once_until_one_gets_through(
    outage: Outage,
) -> None:
    bounds = ["deadline_s=5", "circuit_failures=1", "circuit_open_s=1"]
    with commands_of(outage.kafka, *(f"commands.{bound}" for bound in bounds)) as commands:
        outage.stop()
        with pytest.raises(CommandNotPublished, match=r"KafkaTimeoutError|Connection refused"):
            commands.send(prefer("circuit"))
        with pytest.raises(CommandNotPublished, match="the circuit is open for another"):
            commands.send(prefer("circuit"))
        outage.start()
        commands.send(prefer("circuit"))
        commands.send(prefer("circuit"))
    assert len(records(outage.kafka, "circuit")) == 4


def run(kafka: KafkaSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    place = ["--set", f"kafka.bootstrap_servers={kafka.bootstrap_servers}"]
    name, *others = arguments
    return subprocess.run(
        [sys.executable, "-m", "jobs.commands", name, *place, *others],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_repeats_what_it_printed(kafka: KafkaSettings) -> None:
    command = ["update-preferences", "shell", "autoplay=false", "language=en-GB"]
    first = run(kafka, *command)
    assert (first.returncode, first.stderr) == (0, "")
    repeat = run(kafka, *command, *first.stdout.splitlines()[0].split())
    assert repeat.stdout == first.stdout
    found = records(kafka, "shell")
    assert len(found) == 4
    assert len({value for _, value in found}) == 1
    preferences = json.loads(found[0][1])["data"]["preferences"]
    assert preferences == {"language": "en-GB", "autoplay": False}


def test_the_command_line_views_and_rates(kafka: KafkaSettings) -> None:
    assert run(kafka, "view", "cli", "t", "--watched=60", "--completed=5").returncode == 0
    assert run(kafka, "rate", "cli", "t", "4.5", "--previous=3").returncode == 0
    data = {
        json.loads(value)["eventType"]: json.loads(value)["data"]
        for _, value in records(kafka, "cli")
    }
    assert data == {
        "ContentViewed": {"watchDuration": 60, "completionPercentage": 5.0},
        "ContentRated": {"rating": 4.5, "previousRating": 3.0},
    }


def test_the_command_line_says_why_it_refused(kafka: KafkaSettings) -> None:
    before = ends(kafka)
    refused = run(kafka, "rate", "cli", "t", "7")
    assert refused.returncode == 2
    assert "$.data.rating" in refused.stderr
    assert "(maximum)" in refused.stderr
    assert ends(kafka) == before


def test_a_broker_away_beyond_the_deadline_is_reported_with_command_and_address() -> None:
    away = load_settings(environment={}).kafka.model_copy(
        update={"bootstrap_servers": "127.0.0.1:9"}
    )
    began = time.monotonic()
    with (
        commands_of(away, "commands.deadline_s=1") as commands,
        pytest.raises(
            CommandNotPublished, match=r"command c-1, Kafka at 127\.0\.0\.1:9.* refused"
        ) as raised,
    ):
        commands.send(prefer("away"))
    assert time.monotonic() - began < 3
    assert (raised.value.command_id, raised.value.broker) == ("c-1", "127.0.0.1:9")


@pytest.mark.slow
def test_a_rating_names_the_one_that_the_lake_holds(
    spark: SparkSession, kafka: KafkaSettings, tmp_path: Path
) -> None:
    """From the shell through Kafka, bronze, silver and gold, and back into the next command."""
    place = {
        "kafka.bootstrap_servers": kafka.bootstrap_servers,
        "lake.root": str(tmp_path / "lake"),
    }
    overrides = [f"{key}={value}" for key, value in place.items()]
    settings = load_settings(overrides=overrides, environment={})
    lake = Lake(spark, settings.lake.root)
    options = [part for override in overrides for part in ("--set", override)]
    for stars in ("3", "4.5"):
        rated = CliRunner().invoke(main, ["rate", "reader", "title_7", stars, *options])
        assert rated.exit_code == 0, rated.output
        drain(lake, load_judge(settings.refine), settings, kafka)
    rows = lake.read("silver.ratings").where("user_id = 'reader'").orderBy("event_time").collect()
    assert [(row.half_stars, row.previous_half_stars) for row in rows] == [(6, None), (9, 6)]
    assert LakeRatings(lake).rating("reader", "title_7") == 9
