"""Gold tables on disk: a base with one row a key, and partials that were not yet folded into it.

A micro-batch appends the partials of all folds as one commit, under its sequence number. A base
records, as the version of its Delta transaction, the sequence number through which partials are
folded in. What a base and the partials after that number hold together is the table, at any
moment, whatever was killed in between: the number is part of the base's own commit.
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
    """All gold tables after one micro-batch.

    Attributes:
        sequence: of the micro-batch, or through which a rebuild went; NOTHING before either.
        partials: the Delta version of gold.partials.
        bases: by fold, the base's Delta version and the number through which it is folded.
    """

    sequence: int
    partials: int
    bases: Mapping[str, tuple[int, int]]


def snapshot(lake: Lake) -> Snapshot:
    """The newest gold; DataError if rebuilds or compactions never leave it whole."""
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
    """A gold table as it was: one row a key, `fold.columns`."""
    version, through = at.bases[fold.name]
    base = lake.read_declared(f"gold.{fold.name}", version)
    partials = lake.read_declared(PARTIALS, at.partials)
    return merge(fold, base.unionByName(_pending_partials(partials, fold, through)))


def read_gold(lake: Lake, fold: Fold) -> DataFrame:
    """A gold table, current to the last micro-batch: one row a key, `fold.columns`."""
    partials = lake.version(PARTIALS)  # before the base: none falls between
    return read_gold_at(
        lake, fold, Snapshot(NOTHING, partials, {fold.name: folded_through(lake, fold)})
    )


def folded_through(lake: Lake, fold: Fold) -> tuple[int, int]:
    """A base's Delta version, and the sequence number through which it is folded."""
    version, through = lake.transaction(f"gold.{fold.name}", FOLDED_THROUGH)
    return version, NOTHING if through is None else through


def append_partials(lake: Lake, facts: DataFrame, transaction: Transaction) -> None:
    """Fold `facts` by every fold and append the results as one commit."""
    labelled = (_with_table_name(fold, evaluate(fold, facts)) for fold in FOLDS.values())
    partials = reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), labelled)
    lake.append(
        PARTIALS, partials.crossJoin(_sequence_column(lake, transaction.version)), transaction
    )


def compact(lake: Lake) -> None:
    """Fold all partials into the bases, then drop them; readers see the same table throughout."""
    drop_partials(lake, fold_in(lake))


def fold_in(lake: Lake, at_once: int = len(FOLDS)) -> int:
    """Fold the partials that are there into the bases, so many at once; through which number."""
    partials = lake.read(PARTIALS, lake.version(PARTIALS))
    newest: int | None = partials.agg(F.max("sequence")).collect()[0][0]
    if newest is None:
        return NOTHING
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        list(pool.map(lambda fold: _fold_in(lake.isolated(), fold, newest), FOLDS.values()))
    return newest


def drop_partials(lake: Lake, through: int) -> None:
    """Drop the partials through a number to which all bases are folded."""
    if through != NOTHING:
        lake.delete(PARTIALS, f"sequence <= {through}")


class Compaction:
    """Compacts beside a stream that goes on appending partials.

    Folding in takes as long as several batches, and waits for nobody. Dropping is quick, but
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
        """Start to fold in what was appended until now, unless an earlier start is not ended."""
        if self._folding_in is None:
            self._folding_in = self._pool.submit(fold_in, self._lake, at_once=1)

    def end(self, *, wait: bool = False) -> None:
        """Drop what is folded in, if that is done or shall be waited for; raise what failed."""
        if self._folding_in is not None and (wait or self._folding_in.done()):
            folded_in, self._folding_in = self._folding_in, None
            drop_partials(self._lake, folded_in.result())


def rebuild(lake: Lake, facts: DataFrame, through: int) -> None:
    """Replace every base by the fold of all `facts`, as if folded through that number."""
    transaction = Transaction(FOLDED_THROUGH, through)

    def fill(fold: Fold) -> None:
        lake.replace(f"gold.{fold.name}", evaluate(fold, facts), transaction)

    with ThreadPoolExecutor(max_workers=len(FOLDS)) as pool:
        list(pool.map(fill, FOLDS.values()))


def _fold_in(lake: Lake, fold: Fold, newest: int) -> None:
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
    """The column `sequence`, joined to rows: a literal would be compiled anew in every batch."""
    return F.broadcast(lake.spark.sql(f"VALUES ({sequence}L) AS batch(sequence)"))


def _pending_partials(partials: DataFrame, fold: Fold, through: int) -> DataFrame:
    of_fold = (F.col("gold_table") == fold.name) & (F.col("sequence") > through)
    return partials.where(of_fold).select(*fold.columns)


def _with_table_name(fold: Fold, rows: DataFrame) -> DataFrame:
    return rows.withColumn("gold_table", F.lit(fold.name))
