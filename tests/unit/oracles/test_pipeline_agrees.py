"""Batch and oracle agree on every record's fate and every gold row of a faulty simulation."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.producers.faults import WAYS, Faults
from jobs.producers.population import Population
from jobs.producers.simulation import Clock, Simulation
from jobs.runtime.contracts.registry import load_registry
from tests.oracles.pipeline import Bounds, Outcome, Raw, outcome
from tests.support.shapes import bronze_of, table_of
from transforms.events.judge import TimeBounds, judge
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.fold import evaluate
from transforms.gold.tables import FOLDS
from transforms.silver.deduplication import deduplicate
from transforms.silver.tables import silver_of

BOUNDS = Bounds()
EVENTS = 3000
UNTIL = 1_790_000_000_000_000
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def records() -> list[Raw]:
    """Three days of a small population, every fault at work, over two partitions a topic."""
    run = Simulation(
        Population(users=40, titles=12, seed=5),
        EVENTS,
        Clock(UNTIL - 3 * DAY, 3 * DAY / EVENTS),
        Faults.parse(",".join(f"{name}=0.04" for name in WAYS), seed=5),
    )
    sent = [record for chunk in range(run.chunks) for record in run.records(chunk)]
    return [
        Raw(record.topic, sum(record.key) % 2, offset, record.key, record.value, UNTIL + offset)
        for offset, record in enumerate(sent)
    ]


@pytest.fixture(scope="module")
def expected(records: list[Raw]) -> Outcome:
    return outcome(records, BOUNDS)


@pytest.fixture(scope="module")
def kept(spark: SparkSession, records: list[Raw]) -> DataFrame:
    bounds = TimeBounds(BOUNDS.future_tolerance_s, BOUNDS.oldest_event_days)
    bronze = bronze_of(spark, records)
    return deduplicate(judge(bronze, load_registry(), bounds)).persist()


def test_fates_agree(kept: DataFrame, expected: Outcome) -> None:
    ends = kept.selectExpr(
        "topic", "partition", "offset", "if(reason IS NULL, 'silver.' || family, 'quarantine')"
    ).collect()
    assert {(topic, partition, offset): end for topic, partition, offset, end in ends} == {
        place: fate.end for place, fate in expected.fates.items() if fate.end != "duplicate"
    }


@pytest.mark.parametrize("name", FOLDS)
def test_gold_agrees(name: str, kept: DataFrame, expected: Outcome) -> None:
    accepted = kept.where("reason IS NULL")
    silver = {
        table: silver_of(table.split(".")[1], accepted, load_registry()) for table in FACT_SOURCES
    }
    assert table_of(FOLDS[name], evaluate(FOLDS[name], facts(silver))) == expected.gold[name]
    assert expected.gold[name]
