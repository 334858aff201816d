"""The promises as assertions on a lake: nothing lost or doubled, stream, batch, oracle equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyspark.sql import functions as F

from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.gold import read_gold
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.ledger import conservation
from jobs.runtime.recompute.check import recompute
from jobs.runtime.settings import KafkaSettings, Settings
from tests.oracles.pipeline import Bounds, Place, Raw, outcome
from tests.support.kafka_topics import committed
from tests.support.shapes import table_of
from transforms.gold.tables import FOLDS

INCARNATION = 2**48  # offsets of a topic's n-th incarnation begin at n times this


class Former(NamedTuple):
    """What a topic held when it was deleted, by topic, partition and Kafka's offset."""

    topic: str
    held: Mapping[Place, bytes | None]


def assert_promises(lake: Lake, settings: Settings, raws: Sequence[Raw]) -> None:
    """Hold the tables of a lake against the oracle's view of what arrived, and the recompute's."""
    assert_outcome(lake, settings, raws)
    assert recompute(lake, load_judge(settings.refine), settings.refine).differing == 0, (
        "batch differs from stream"
    )


def assert_outcome(lake: Lake, settings: Settings, raws: Sequence[Raw]) -> None:
    """Hold the tables of a lake against the oracle's view of the records that arrived."""
    refine = settings.refine
    expected = outcome(raws, Bounds(refine.future_tolerance_s, refine.oldest_event_days))
    kept = conservation(lake)
    assert kept.conserved, f"a record was lost or counted twice: {kept}"
    ends = [fate.end for fate in expected.fates.values()]
    assert kept.duplicates == ends.count("duplicate"), "duplicates are not those of the oracle"
    assert sum(kept.quarantined.values()) == ends.count("quarantine"), "quarantine differs"
    for name, fold in FOLDS.items():
        streamed = table_of(fold, read_gold(lake, fold))
        assert streamed == expected.gold[name], f"gold.{name}: stream differs from oracle"


def assert_landed(lake: Lake, kafka: KafkaSettings, former: Sequence[Former]) -> None:
    """Hold bronze against what Kafka holds, and what it held of topics that were made anew.

    What was not landed of a topic when it was deleted is lost, from some record of a partition on;
    what was landed has stayed.
    """
    raws = landed(lake)
    bronze = {raw.place: raw.value for raw in raws}
    assert len(bronze) == len(raws), "a place names two records"
    count = Counter[str]()
    for topic, held in former:
        there = _of_incarnation(bronze, topic, count[topic])
        last = {partition: offset for (_, partition, offset) in sorted(there)}
        whole = {place: held[place] for place in held if place[2] <= last.get(place[1], -1)}
        assert there == whole, f"{topic}: records were lost before the last that has landed"
        count[topic] += 1
    topics = list(load_topics("local"))
    now = {place for topic in topics for place in _of_incarnation(bronze, topic, count[topic])}
    held = committed(kafka, topics)
    assert now == held.keys(), f"Kafka holds {len(held)} records, bronze {len(now)} of them"
    for topic in topics:
        own = {place: value for place, value in held.items() if place[0] == topic}
        assert _of_incarnation(bronze, topic, count[topic]) == own, f"{topic} differs"


def _of_incarnation(
    bronze: Mapping[Place, bytes | None], topic: str, number: int
) -> dict[Place, bytes | None]:
    """The records of an incarnation, by Kafka's offset."""
    return {
        (topic, partition, offset % INCARNATION): value
        for (name, partition, offset), value in bronze.items()
        if name == topic and offset // INCARNATION == number
    }


def landed(lake: Lake) -> list[Raw]:
    """What bronze holds, as the oracle's records."""
    arrival = F.unix_micros("kafka_timestamp")
    rows = lake.read(BRONZE).select("topic", "partition", "offset", "key", "value", arrival)
    return [
        Raw(topic, partition, offset, _bytes(key), _bytes(value), at)
        for topic, partition, offset, key, value, at in rows.collect()
    ]


def _bytes(value: bytearray | None) -> bytes | None:
    return None if value is None else bytes(value)
