"""The promises as assertions on a lake: nothing lost or doubled, stream, batch, oracle equal."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import functions as F

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.gold import read_gold
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.ledger import conservation
from jobs.runtime.recompute.check import recompute
from jobs.runtime.settings import Settings
from tests.oracles.pipeline import Bounds, Raw, outcome
from tests.support.shapes import table_of
from transforms.gold.tables import FOLDS


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
