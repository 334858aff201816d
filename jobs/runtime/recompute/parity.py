"""Parity of two generations: gold compared row by row, each difference with its cause.

Both generations may be streaming meanwhile. Each is looked at as of one of its micro-batches, so
that its gold is the fold of silver at known versions; what one of them has read and the other has
not is in flight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, reduce

from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, PARITY, QUARANTINE, TABLES
from jobs.runtime.pipeline.gold import NOTHING, Snapshot, read_gold_at, snapshot
from jobs.runtime.pipeline.progress import OUTPUTS, ingested_through, read_whole_through
from jobs.runtime.spark.persistence import materialize
from jobs.runtime.streams.checkpoints import BATCH_BITS, read_whole, remembered_value
from jobs.runtime.streams.queries import FOLD
from transforms.events.bronze import PLACE
from transforms.gold import parity
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.fold import Fold
from transforms.gold.tables import FOLDS

EXAMPLES = 5


EMPTY = 0  # the version of a table that was only created


@dataclass(frozen=True)
class Parity:
    """How two builds of gold compare.

    Attributes:
        compared: rows of the newer build.
        causes: differing rows by cause.
        tables: the same by gold table.
        examples: some differing rows as JSON, by gold table and cause.
    """

    compared: int
    causes: Counter[str]
    tables: Mapping[str, Counter[str]] = field(default_factory=dict)
    examples: Mapping[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def differing(self) -> int:
        """Rows that are not identical on both sides."""
        return self.causes.total()

    @property
    def unexplained(self) -> int:
        """Differing rows without a named cause: must be none."""
        return self.causes[parity.UNEXPLAINED]


@dataclass(frozen=True)
class PinnedGeneration:
    """A generation as of one micro-batch of its fold.

    Attributes:
        lake: the generation.
        gold: its gold then.
        folded: the version of each source of gold that it is the fold of.
        silver: newer versions, of all that refine writes.
        read_through: the version of bronze.events that refine had read whole; NOTHING: none.
    """

    lake: Lake
    gold: Snapshot
    folded: Mapping[str, int]
    silver: Mapping[str, int]
    read_through: int


def pin_generation(lake: Lake) -> PinnedGeneration:
    """Pin a generation; what its streams do from now on is not in it."""
    read_through = read_whole_through(lake)  # before silver, so that silver holds all of it
    gold = snapshot(lake)
    silver = {table: lake.version(table) for table in OUTPUTS}
    folded = _folded_versions(lake, gold, {table: silver[table] for table in FACT_SOURCES})
    return PinnedGeneration(lake, gold, folded, silver, read_through)


@dataclass(frozen=True)
class Build:
    """One side of a comparison.

    Attributes:
        gold: the rows of a fold.
        side: the evidence; asked for only when something differs.
    """

    gold: Callable[[Fold], DataFrame]
    side: Callable[[], parity.Side]


def build_of(looked: PinnedGeneration) -> Build:
    """A generation as a side of a comparison."""
    return Build(lambda fold: read_gold_at(looked.lake, fold, looked.gold), lambda: _side(looked))


def compare(
    lake: Lake, old: Build, new: Build, horizon_h: int, refolded: Mapping[str, bool]
) -> Parity:
    """Compare two builds of gold.

    Args:
        lake: the lake whose bronze both were built from.
        old: the one to be judged.
        new: the one built by the present code.
        horizon_h: refine.duplicate_horizon_h.
        refolded: for each fold, was it declared otherwise on the old side?
    """
    compared = 0
    tables: dict[str, Counter[str]] = {}
    examples: dict[tuple[str, str], list[str]] = {}
    with _Evidence(lake, old, new, horizon_h) as evidence:
        for name, fold in FOLDS.items():
            with (
                materialize(new.gold(fold)) as rows,
                materialize(parity.differences(fold, old.gold(fold), rows)) as differing,
            ):
                compared += rows.count()
                tables[name] = Counter()
                if differing.take(1):
                    with evidence.explained(fold, differing, refolded=refolded[name]) as told:
                        tables[name] = _count_causes(told)
                        examples |= {
                            (name, cause): _examples(told, cause) for cause in tables[name]
                        }
    return Parity(compared, sum(tables.values(), Counter()), tables, examples)


def store_parity(lake: Lake, found: Parity, old: PinnedGeneration, new: PinnedGeneration) -> None:
    """Add a comparison to ops.parity: a row a gold table and cause, or one without a cause."""
    lake.ensure([PARITY])
    now, fence = datetime.now(UTC), min(old.read_through, new.read_through)
    heading = (now, new.lake.generation, old.lake.generation, fence)
    rows = [
        (*heading, f"gold.{name}", cause, count, found.examples.get((name, cause or ""), []))
        for name, causes in found.tables.items()
        for cause, count in (causes or {None: 0}).items()
    ]
    written = lake.spark.createDataFrame(rows, TABLES[PARITY].schema).coalesce(1)
    lake.append(PARITY, written, Transaction("parity", lake.version(PARITY)))


class _Evidence:
    """What the sides hold and have read; gathered only when something differs.

    Frames are kept as rows: their plans would otherwise grow into each other, join by join.
    """

    def __init__(self, lake: Lake, old: Build, new: Build, horizon_h: int) -> None:
        self._lake = lake
        self._builds = (old, new)
        self._horizon_h = horizon_h
        self._stack = ExitStack()

    def __enter__(self) -> _Evidence:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def _sides(self) -> tuple[parity.Side, parity.Side]:
        old, new = (build.side() for build in self._builds)
        return self._kept(old), self._kept(new)

    @cached_property
    def _events(self) -> DataFrame:
        bronze, erasing = self._lake.read(BRONZE), _has_deletions(self._lake)
        history = parity.History(bronze, erasing, self._horizon_h)
        return self._stack.enter_context(
            materialize(parity.event_differences(*self._sides, history))
        )

    def explained(
        self, fold: Fold, differing: DataFrame, *, refolded: bool
    ) -> AbstractContextManager[DataFrame]:
        """`transforms.gold.parity.explain_differences`, materialized for the block."""
        events, sides = self._events, self._sides
        return materialize(
            parity.explain_differences(fold, differing, events, *sides, refolded=refolded)
        )

    def _kept(self, side: parity.Side) -> parity.Side:
        return replace(side, facts=self._stack.enter_context(materialize(side.facts)))


def _side(looked: PinnedGeneration) -> parity.Side:
    lake = looked.lake
    silver = {table: lake.read_declared(table, at) for table, at in looked.folded.items()}
    holdings = [_holdings(lake, table, version) for table, version in looked.silver.items()]
    return parity.Side(
        facts(silver, *parity.EVIDENCE),
        reduce(DataFrame.unionAll, holdings),
        ingested_through(lake, looked.read_through),
    )


def _holdings(lake: Lake, table: str, version: int) -> DataFrame:
    signature = "judged_by" if table == QUARANTINE else "refined_by"
    return lake.read_declared(table, version).select(
        *PLACE,
        "event_id",
        F.lit(table).alias("held_in"),
        F.col(signature).alias("held_by"),
    )


def _folded_versions(lake: Lake, gold: Snapshot, newest: Mapping[str, int]) -> Mapping[str, int]:
    """The versions of its sources that gold is the fold of."""
    where = lake.checkpoint(FOLD)
    if gold.sequence == NOTHING:
        return dict.fromkeys(newest, EMPTY)
    generation = (gold.sequence + 1) >> BATCH_BITS
    starts = remembered_value(where, "starts", generation) or {}
    before = {table: max(version - 1, EMPTY) for table, version in starts.items()}
    if (generation << BATCH_BITS) - 1 == gold.sequence:
        return before or newest
    read = read_whole(where, gold.sequence, exactly=True)
    if read is None:
        return newest
    ids = {table: lake.table_id(table) for table in newest}
    return {table: read.get(ids[table], before.get(table, EMPTY)) for table in newest}


def _has_deletions(lake: Lake) -> bool:
    history = DeltaTable.forPath(lake.spark, lake.path(BRONZE)).history()
    return bool(history.where("operation IN ('DELETE', 'MERGE')").take(1))


def _count_causes(told: DataFrame) -> Counter[str]:
    return Counter({row["cause"]: row["count"] for row in told.groupBy("cause").count().collect()})


def _examples(told: DataFrame, cause: str) -> list[str]:
    rows = told.where(F.col("cause") == cause).select(F.to_json(F.struct("*")).alias("row"))
    return [row["row"] for row in rows.limit(EXAMPLES).collect()]
