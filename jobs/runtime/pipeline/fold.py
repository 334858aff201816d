"""Fold: silver events to the gold tables, exactly once, one commit a batch for all tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.generations import Action, record_action
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import FRESHNESS, PARTIALS
from jobs.runtime.pipeline.gold import Compaction, append_partials, folded_through, rebuild
from jobs.runtime.settings import FoldSettings
from jobs.runtime.spark.persistence import materialize
from jobs.runtime.streams.checkpoints import Checkpoint, open_checkpoint
from jobs.runtime.streams.queries import FOLD
from jobs.runtime.streams.query import (
    Run,
    coalesce_if_few,
    discard_if_outrun,
    start,
    start_versions,
)
from jobs.runtime.telemetry.freshness import Freshness, arrivals_of
from transforms import provenance
from transforms.gold import facts as facts_module
from transforms.gold import fold as fold_module
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.tables import FOLDS

log = logging.getLogger(__name__)


BASES = [f"gold.{name}" for name in FOLDS]


@contextmanager
def folding(lake: Lake, settings: FoldSettings, *, available_now: bool) -> Iterator[Run]:
    """Run the fold query on its locked checkpoint, as jobs/fold.py describes it.

    Args:
        lake: the lake, at the generation to fold.
        settings: trigger, batch size and compaction interval.
        available_now: whether to process what silver holds now and end.

    Yields:
        The started query; the caller stops it.

    Raises:
        DataError: another process holds the checkpoint.
    """
    lake.ensure([*FACT_SOURCES, *BASES, PARTIALS, FRESHNESS])
    discard_if_outrun(lake, FOLD, list(FACT_SOURCES))
    with (
        open_checkpoint(
            lake.checkpoint(FOLD),
            FOLD,
            definition=provenance.digest(repr(definitions())),
            last_sequence=_last_sequence(lake),
        ) as checkpoint,
        Compaction(lake) as compaction,
    ):
        sources = {
            table: lake.stream(table, from_version=version, max_bytes=settings.max_bytes_per_batch)
            for table, version in _starts(lake, checkpoint).items()
        }
        freshness, every = Freshness(lake, "gold"), settings.compact_every_batches
        batches = FoldWriter(lake, checkpoint, freshness, compaction, every)
        try:
            yield start(
                facts(sources),
                checkpoint,
                trigger_s=settings.trigger_s,
                available_now=available_now,
                write_batch=batches.write,
            )
        finally:
            freshness.flush()


def definitions() -> dict[str, str]:
    """For each fold, a digest of everything that determines its result from given silver rows."""
    code = provenance.code(fold_module, facts_module)
    return {name: provenance.digest(repr(fold), code) for name, fold in FOLDS.items()}


def _starts(lake: Lake, checkpoint: Checkpoint) -> Mapping[str, int]:
    """The version from which each silver table is streamed.

    The bases hold what lies before it. The versions are written into the checkpoint before the
    bases are rebuilt, so that a rebuild which was killed is completed, table by table, at the same
    versions.

    Returns:
        Delta start versions by silver table.
    """
    if checkpoint.is_new:
        record_action(lake, lake.generation, Action.FOLDED, folds=definitions())
    starts = start_versions(lake, checkpoint, FACT_SOURCES)
    if checkpoint.is_new and (checkpoint.generation > 1 or any(starts.values())):
        log.info("%s: rebuilding the gold tables from silver at versions %s", FOLD, starts)
        history = lake.in_small_parts()
        before = {table: history.read(table, max(v - 1, 0)) for table, v in starts.items()}
        rebuild(history, facts(before), through=checkpoint.before_first)
    return starts


def _last_sequence(lake: Lake) -> int:
    """The greatest sequence number in gold, of the partials or of what a base is folded through.

    Returns:
        At least 0.
    """
    _, appended = lake.transaction(PARTIALS, FOLD)
    return max(appended or 0, *(folded_through(lake, fold)[1] for fold in FOLDS.values()))


@dataclass(frozen=True)
class FoldWriter:
    """Writes micro-batches of facts, one commit each, and starts a compaction at intervals.

    Attributes:
        lake: the lake to write to.
        checkpoint: checkpoint that numbers the batches.
        freshness: collector of event ages.
        compaction: compaction that runs beside the stream.
        compact_every: number of batches from one compaction to the next.
    """

    lake: Lake
    checkpoint: Checkpoint
    freshness: Freshness
    compaction: Compaction
    compact_every: int

    def write(self, batch: DataFrame, batch_id: int) -> None:
        """Write one micro-batch, as the function given to foreachBatch.

        Args:
            batch: facts, as `transforms.gold.facts.facts` returns them.
            batch_id: Spark's id of the batch.
        """
        sequence = self.checkpoint.sequence(batch_id)
        with materialize(batch) as facts_of_batch:
            arrivals = arrivals_of(facts_of_batch)
            rows = coalesce_if_few(facts_of_batch, sum(arrivals.values()))
            append_partials(self.lake, rows, Transaction(FOLD, sequence))
        self.freshness.record(arrivals, sequence)
        self.compaction.end()
        if batch_id % self.compact_every == self.compact_every - 1:
            self.freshness.flush()
            self.compaction.begin()
