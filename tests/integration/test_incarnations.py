"""A topic deleted and made anew loses no record in silence, and its places are its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaProducer
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.kafka.clients import python_options
from jobs.runtime.kafka.offsets import held_back
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.incarnations import OFFSET_BITS
from jobs.runtime.pipeline.ingest import ingesting
from jobs.runtime.settings import KafkaSettings, Settings, load_settings
from jobs.runtime.streams.query import follow
from tests.support.kafka_topics import make_anew

TOPIC = "system-health"
ACCEPTING = load_settings(overrides=["ingest.fail_on_data_loss=false"], environment={})
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kafka(kafka_with_topics: KafkaSettings) -> KafkaSettings:
    return kafka_with_topics


@pytest.fixture
def lake(spark: SparkSession, kafka: KafkaSettings, tmp_path: Path) -> Lake:
    """A lake that has landed three records of the topic, which is then made anew."""
    make_anew(kafka, TOPIC)
    send(kafka, b"first", 3)
    lake = Lake(spark, str(tmp_path))
    ingest(lake, kafka)
    return lake


def send(kafka: KafkaSettings, text: bytes, count: int) -> None:
    producer = KafkaProducer(**python_options(kafka))
    for number in range(count):
        producer.send(TOPIC, key=b"api", value=b"%s %d" % (text, number), partition=0)
    producer.close()


def ingest(lake: Lake, kafka: KafkaSettings, settings: Settings | None = None) -> None:
    configured = settings or load_settings(environment={})
    with ingesting(lake, configured, kafka, available_now=True) as run:
        follow(run)


def held(lake: Lake) -> dict[int, bytes]:
    """What bronze holds of the topic, by offset."""
    rows = lake.read(BRONZE).where(F.col("topic") == TOPIC).select("offset", "value").collect()
    assert len({row.offset for row in rows}) == len(rows), "a place names two records"
    return {row.offset: bytes(row.value) for row in rows}


@pytest.mark.parametrize(
    ("count", "lose"),
    [(5, False), (2, True)],
    ids=["grown past the old offset", "smaller, and the checkpoint deleted"],
)
def test_a_topic_made_anew_is_refused_then_landed_from_its_start_under_places_of_its_own(
    lake: Lake, kafka: KafkaSettings, count: int, lose: bool
) -> None:
    make_anew(kafka, TOPIC)
    send(kafka, b"second", count)
    if lose:
        Path(lake.shared_checkpoint("ingest")).rename(Path(lake.root, "lost"))
    with pytest.raises(DataError, match=f"topic {TOPIC} was deleted and made anew"):
        ingest(lake, kafka)
    assert len(held(lake)) == 3, "what was refused has landed"

    ingest(lake, kafka, ACCEPTING)
    expected = {number: b"first %d" % number for number in range(3)}
    expected |= {(1 << OFFSET_BITS) + n: b"second %d" % n for n in range(count)}
    assert held(lake) == expected

    send(kafka, b"third", 1)
    ingest(lake, kafka)
    expected[(1 << OFFSET_BITS) + count] = b"third 0"
    assert held(lake) == expected, "the new incarnation is not read on"


def test_a_lake_that_has_not_recorded_ids_tells_a_smaller_topic_by_its_offsets(
    lake: Lake, kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_anew(kafka, TOPIC)
    send(kafka, b"second", 2)
    monkeypatch.setattr(Lake, "transactions", lambda *_: {})
    with pytest.raises(DataError, match="made anew"):
        ingest(lake, kafka)


def test_a_topic_made_anew_while_it_is_read_stops_the_query(
    lake: Lake, kafka: KafkaSettings
) -> None:
    configured = load_settings(overrides=["ingest.trigger_s=0.2"], environment={})
    with ingesting(lake, configured, kafka, available_now=False) as run:
        make_anew(kafka, TOPIC)
        send(kafka, b"second", 9)
        with pytest.raises(DataError, match="made anew while it was read"):
            follow(run)
    assert set(held(lake).values()) == {b"first %d" % number for number in range(3)}


def test_records_behind_an_open_transaction_are_told_with_who_holds_them(
    kafka: KafkaSettings,
) -> None:
    make_anew(kafka, TOPIC)
    producer = KafkaProducer(**python_options(kafka), transactional_id="who-hangs")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(TOPIC, key=b"api", value=b"open", partition=0).get(timeout=10)
    send(kafka, b"behind", 4)
    try:
        [waiting] = held_back(kafka, [TOPIC])
        assert (waiting.topic, waiting.partition, waiting.records) == (TOPIC, 0, 5)
        assert waiting.holder == "who-hangs"
        assert "5 records of system-health, partition 0, are held back by" in str(waiting)
    finally:
        producer.commit_transaction()
        producer.close()
    assert held_back(kafka, [TOPIC]) == []
