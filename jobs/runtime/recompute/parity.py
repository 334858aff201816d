"""Parity of two generations: gold compared row by row, each difference with its cause.

Both generations may be streaming meanwhile. Each is pinned at one of its micro-batches, so that its
gold is the fold of silver at known versions; what only one of them has read is in flight.
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
    """The result of comparing two builds of gold.

    Attributes:
        compared: number of rows of the newer build.
        causes: number of differing rows, by cause.
        tables: number of differing rows, by gold table and cause.
        examples: some differing rows as JSON, by gold table and cause.
    """

    compared: int
    causes: Counter[str]
    tables: Mapping[str, Counter[str]] = field(default_factory=dict)
    examples: Mapping[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def differing(self) -> int:
        """The number of rows that are not identical on both sides."""
        return self.causes.total()

    @property
    def unexplained(self) -> int:
        """The number of differing rows without a named cause: must be 0."""
        return self.causes[parity.UNEXPLAINED]


@dataclass(frozen=True)
class PinnedGeneration:
    """A generation pinned at one micro-batch of its fold.

    Attributes:
        lake: the generation.
        gold: snapshot of its gold.
        folded: Delta version of each source of gold that it is the fold of.
        silver: newer Delta versions, of all tables that refine writes.
        read_through: Delta version of bronze.events that refine had read whole; NOTHING: none.
    """

    lake: Lake
    gold: Snapshot
    folded: Mapping[str, int]
    silver: Mapping[str, int]
    read_through: int


def pin_generation(lake: Lake) -> PinnedGeneration:
    """Pin a generation at its newest micro-batch; what its streams do later is not in it."""
    read_through = read_whole_through(lake)  # before silver, so that silver holds all of it
    gold = snapshot(lake)
    silver = {table: lake.version(table) for table in OUTPUTS}
    folded = _folded_versions(lake, gold, {table: silver[table] for table in FACT_SOURCES})
    return PinnedGeneration(lake, gold, folded, silver, read_through)


@dataclass(frozen=True)
class Build:
    """One side of a comparison.

    Attributes:
        gold: function from a fold to its rows.
        side: function that returns the evidence; called only when something differs.
    """

    gold: Callable[[Fold], DataFrame]
    side: Callable[[], parity.Side]


def build_of(looked: PinnedGeneration) -> Build:
    """A pinned generation as a side of a comparison."""
    return Build(lambda fold: read_gold_at(looked.lake, fold, looked.gold), lambda: _side(looked))


def compare(
    lake: Lake, old: Build, new: Build, horizon_h: int, refolded: Mapping[str, bool]
) -> Parity:
    """Compare two builds of gold, and explain the differences.

    Args:
        lake: the lake whose bronze both were built from.
        old: the build to be judged.
        new: the build by the present code.
        horizon_h: duplicate horizon in hours.
        refolded: whether the old side was folded by another declaration, by fold.

    Returns:
        The rows compared, and those that differ, by cause.
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
                if not differing.isEmpty():
                    with evidence.explained(fold, differing, refolded=refolded[name]) as told:
                        tables[name] = _count_causes(told)
                        examples |= {
                            (name, cause): _examples(told, cause) for cause in tables[name]
                        }
    return Parity(compared, sum(tables.values(), Counter()), tables, examples)


def store_parity(lake: Lake, found: Parity, old: PinnedGeneration, new: PinnedGeneration) -> None:
    """Append a comparison to ops.parity.

    One row for each gold table and cause; a table without differences has one row without a cause.

    Args:
        lake: the lake to write to.
        found: the result of the comparison.
        old: the generation compared with.
        new: the generation compared.
    """
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
    """What each side holds and has read; computed only when something differs.

    Frames are materialized: their plans would otherwise grow into each other, join by join.

    Args:
        lake: the lake whose bronze both sides were built from.
        old: the old side.
        new: the new side.
        horizon_h: duplicate horizon in hours.
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
        """The evidence of the old and of the new side, facts materialized."""
        old, new = (build.side() for build in self._builds)
        return self._kept(old), self._kept(new)

    @cached_property
    def _events(self) -> DataFrame:
        """The rows of `event_differences`, materialized."""
        bronze, erasing = self._lake.read(BRONZE), _has_deletions(self._lake)
        history = parity.History(bronze, erasing, self._horizon_h)
        return self._stack.enter_context(
            materialize(parity.event_differences(*self._sides, history))
        )

    def explained(
        self, fold: Fold, differing: DataFrame, *, refolded: bool
    ) -> AbstractContextManager[DataFrame]:
        """The rows of `transforms.gold.parity.explain_differences`, materialized for the block.

        Args:
            fold: the gold table.
            differing: rows of `differences`.
            refolded: whether the old side was folded by another declaration.
        """
        events, sides = self._events, self._sides
        return materialize(
            parity.explain_differences(fold, differing, events, *sides, refolded=refolded)
        )

    def _kept(self, side: parity.Side) -> parity.Side:
        """A side with its facts materialized until the evidence is closed."""
        return replace(side, facts=self._stack.enter_context(materialize(side.facts)))


def _side(looked: PinnedGeneration) -> parity.Side:
    """The evidence of a pinned generation."""
    lake = looked.lake
    silver = {table: lake.read_declared(table, at) for table, at in looked.folded.items()}
    holdings = [_holdings(lake, table, version) for table, version in looked.silver.items()]
    return parity.Side(
        facts(silver, *parity.EVIDENCE),
        reduce(DataFrame.unionAll, holdings),
        ingested_through(lake, looked.read_through),
    )


def _holdings(lake: Lake, table: str, version: int) -> DataFrame:
    """The records of one table of silver or quarantine, in the columns of `Side.holdings`."""
    signature = "judged_by" if table == QUARANTINE else "refined_by"
    return lake.read_declared(table, version).select(
        *PLACE,
        "event_id",
        F.lit(table).alias("held_in"),
        F.col(signature).alias("held_by"),
    )


def _folded_versions(lake: Lake, gold: Snapshot, newest: Mapping[str, int]) -> Mapping[str, int]:
    """The Delta versions of the sources that gold is the fold of.

    Args:
        lake: the generation.
        gold: snapshot of its gold.
        newest: Delta version of each source now, for a checkpoint that does not know better.

    Returns:
        Delta version, by source; EMPTY for a source of which nothing is folded.
    """
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
    """Whether rows have ever been deleted from bronze, by the history of its Delta log."""
    history = DeltaTable.forPath(lake.spark, lake.path(BRONZE)).history()
    return not history.where("operation IN ('DELETE', 'MERGE')").isEmpty()


def _count_causes(told: DataFrame) -> Counter[str]:
    """The number of differing rows by cause."""
    return Counter({row["cause"]: row["count"] for row in told.groupBy("cause").count().collect()})


def _examples(told: DataFrame, cause: str) -> list[str]:
    """At most EXAMPLES differing rows of a cause, as JSON."""
    rows = told.where(F.col("cause") == cause).select(F.to_json(F.struct("*")).alias("row"))
    return [row["row"] for row in rows.limit(EXAMPLES).collect()]
