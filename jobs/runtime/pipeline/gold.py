"""Gold tables in storage: a base with one row a key, and partials not yet folded into it.

A micro-batch appends the partials of all folds as one commit, under its sequence number. A base
records, as the version of its Delta transaction, the sequence number through which partials are
folded in. The base and the partials after that number are together the table, at any moment,
wherever a writer was killed: the number is part of the base's own commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARTIALS
from jobs.runtime.streams.queries import FOLD
from transforms.gold.fold import Fold, evaluate, merge
from transforms.gold.tables import FOLDS

FOLDED_THROUGH = "folded-through"
NOTHING = -1
SNAPSHOT_TRIES = 5


@dataclass(frozen=True)
class Snapshot:
    """Pins of all gold tables, after one micro-batch.

    Attributes:
        sequence: sequence number of the micro-batch, or the one that a rebuild went through;
            NOTHING before either.
        partials: Delta version of gold.partials.
        bases: Delta version of the base and the sequence number that it is folded through, by fold.
    """

    sequence: int
    partials: int
    bases: Mapping[str, tuple[int, int]]


def snapshot(lake: Lake) -> Snapshot:
    """Pin the newest state of all gold tables.

    Raises:
        DataError: rebuilds or compactions left gold incomplete at each of SNAPSHOT_TRIES attempts.
    """
    for _ in range(SNAPSHOT_TRIES):
        partials, appended = lake.transaction(PARTIALS, FOLD)
        sequence = NOTHING if appended is None else appended
        bases = {name: folded_through(lake, fold) for name, fold in FOLDS.items()}
        furthest = max(through for _, through in bases.values())
        if furthest <= sequence:
            return Snapshot(sequence, partials, bases)
        if {through for _, through in bases.values()} == {furthest}:
            return Snapshot(furthest, partials, bases)
    raise DataError("gold is being rebuilt", "run this again when jobs.fold has finished that")


def read_gold_at(lake: Lake, fold: Fold, at: Snapshot) -> DataFrame:
    """Read a gold table as of a snapshot.

    Args:
        lake: the lake that the snapshot was taken of.
        fold: declaration of the table.
        at: snapshot to read.

    Returns:
        One row a key, with the columns of `fold.columns`.
    """
    version, through = at.bases[fold.name]
    base = lake.read_declared(f"gold.{fold.name}", version)
    partials = lake.read_declared(PARTIALS, at.partials)
    return merge(fold, base.unionByName(_pending_partials(partials, fold, through)))


def read_gold(lake: Lake, fold: Fold) -> DataFrame:
    """Read a gold table, current to the last micro-batch.

    Args:
        lake: the lake, at the generation to read.
        fold: declaration of the table.

    Returns:
        One row a key, with the columns of `fold.columns`.
    """
    partials = lake.version(PARTIALS)  # pinned before the base, so that none is missed
    return read_gold_at(
        lake, fold, Snapshot(NOTHING, partials, {fold.name: folded_through(lake, fold)})
    )


def folded_through(lake: Lake, fold: Fold) -> tuple[int, int]:
    """The state of a base.

    Returns:
        The base's Delta version, and the sequence number that it is folded through; NOTHING before
        the first compaction or rebuild.
    """
    version, through = lake.transaction(f"gold.{fold.name}", FOLDED_THROUGH)
    return version, NOTHING if through is None else through


def append_partials(lake: Lake, facts: DataFrame, transaction: Transaction) -> None:
    """Evaluate every fold over the facts of a micro-batch and append the partials in one commit.

    Args:
        lake: the lake to write to.
        facts: rows of `transforms.gold.facts.facts`.
        transaction: identity of the write; its version is the partials' sequence number.
    """
    labelled = (_with_table_name(fold, evaluate(fold, facts)) for fold in FOLDS.values())
    partials = reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), labelled)
    lake.append(
        PARTIALS, partials.crossJoin(_sequence_column(lake, transaction.version)), transaction
    )


def compact(lake: Lake) -> None:
    """Compact all current partials into the bases, then delete them, unnoticed by readers."""
    drop_partials(lake, fold_in(lake))


def fold_in(lake: Lake, at_once: int = len(FOLDS)) -> int:
    """Compact all current partials into the bases.

    Args:
        lake: the lake.
        at_once: number of tables to compact in parallel.

    Returns:
        The highest sequence number folded in; NOTHING if there were no partials.
    """
    partials = lake.read(PARTIALS, lake.version(PARTIALS))
    newest: int | None = partials.agg(F.max("sequence")).collect()[0][0]
    if newest is None:
        return NOTHING
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        list(pool.map(lambda fold: _fold_in(lake.isolated(), fold, newest), FOLDS.values()))
    return newest


def drop_partials(lake: Lake, through: int) -> None:
    """Delete the partials through a sequence number that all bases are folded through."""
    if through != NOTHING:
        lake.delete(PARTIALS, f"sequence <= {through}")


class Compaction:
    """Compacts beside a stream that goes on appending partials.

    Folding in takes as long as several batches, and runs in the background. Deleting is quick, but
    Delta refuses it if partials are appended meanwhile: it is left to a moment between batches.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._folding_in: Future[int] | None = None

    def __enter__(self) -> Compaction:
        return self

    def __exit__(self, *error: object) -> None:
        self.end(wait=True)

    def begin(self) -> None:
        """Start to fold in the partials appended so far, unless an earlier start has not ended."""
        if self._folding_in is None:
            self._folding_in = self._pool.submit(fold_in, self._lake, at_once=1)

    def end(self, *, wait: bool = False) -> None:
        """Delete the partials that a finished compaction has folded in, and raise its error if any.

        Args:
            wait: whether to wait for a compaction that is still running.
        """
        if self._folding_in is not None and (wait or self._folding_in.done()):
            folded_in, self._folding_in = self._folding_in, None
            drop_partials(self._lake, folded_in.result())


def rebuild(lake: Lake, facts: DataFrame, through: int) -> None:
    """Replace every base by the fold of all facts, as if folded through a sequence number.

    Args:
        lake: the lake to write to.
        facts: all facts, as `transforms.gold.facts.facts` returns them.
        through: sequence number that the bases then count as folded through.
    """
    transaction = Transaction(FOLDED_THROUGH, through)

    def fill(fold: Fold) -> None:
        """Replace the base of one fold."""
        lake.replace(f"gold.{fold.name}", evaluate(fold, facts), transaction)

    with ThreadPoolExecutor(max_workers=len(FOLDS)) as pool:
        list(pool.map(fill, FOLDS.values()))


def _fold_in(lake: Lake, fold: Fold, newest: int) -> None:
    """Compact the partials of one fold into its base, in one MERGE.

    Args:
        lake: an isolated lake.
        fold: declaration of the table.
        newest: sequence number to fold through.
    """
    partials = lake.read(PARTIALS).where(F.col("sequence") <= newest)
    version, through = folded_through(lake, fold)
    if through >= newest:
        return
    table, key = f"gold.{fold.name}", list(fold.key)
    pending = _pending_partials(partials, fold, through)
    touched = lake.read(table, version).join(pending.select(key).distinct(), key, "left_semi")
    rows = merge(fold, touched.unionByName(pending))
    lake.upsert(table, rows, key, Transaction(FOLDED_THROUGH, newest))


def _sequence_column(lake: Lake, sequence: int) -> DataFrame:
    """One row with the column `sequence`, to be joined to others.

    A literal would be compiled anew in every batch.
    """
    return F.broadcast(lake.spark.sql(f"VALUES ({sequence}L) AS batch(sequence)"))


def _pending_partials(partials: DataFrame, fold: Fold, through: int) -> DataFrame:
    """The partials of a fold after a sequence number, with the columns of `fold.columns`."""
    of_fold = (F.col("gold_table") == fold.name) & (F.col("sequence") > through)
    return partials.where(of_fold).select(*fold.columns)


def _with_table_name(fold: Fold, rows: DataFrame) -> DataFrame:
    """Add the column `gold_table`, the name of the fold."""
    return rows.withColumn("gold_table", F.lit(fold.name))
