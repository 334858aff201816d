"""Fold: silver events to the gold tables, exactly once, all tables in one commit a batch."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import click
from pyspark.sql import DataFrame

from jobs.runtime.checkpoints import Checkpoint, open_checkpoint
from jobs.runtime.cli import job
from jobs.runtime.gold import append_partials, compact, folded_through, rebuild
from jobs.runtime.lake import Lake, Transaction
from jobs.runtime.session import spark_session
from jobs.runtime.settings import FoldSettings, Settings
from jobs.runtime.streams import follow, start
from jobs.runtime.tables import PARTIALS
from transforms.gold.facts import FACT_COLUMNS, FACT_SOURCES, facts
from transforms.gold.tables import FOLDS

log = logging.getLogger(__name__)

QUERY = "fold"
BASES = [f"gold.{name}" for name in FOLDS]


@job
@click.option("--available-now", is_flag=True, help="Fold what silver holds now, then end.")
def main(settings: Settings, available_now: bool) -> None:
    """Fold silver events into the gold tables.

    Reads silver.playback and silver.ratings; appends the partial statistics of each micro-batch
    to gold.partials and folds them into gold.<table> every fold.compact_every_batches. With a
    new checkpoint, or after a change of a fold's declaration, it first rebuilds the gold tables
    from silver in batch and streams on from there.
    """
    lake = Lake(spark_session(QUERY, settings.spark), settings.lake.root)
    fold(lake, settings.fold, available_now=available_now)


def fold(lake: Lake, settings: FoldSettings, *, available_now: bool) -> None:
    """Run the fold query until it ends or is stopped; see `main`."""
    lake.ensure([*FACT_SOURCES, *BASES, PARTIALS])
    with open_checkpoint(
        lake.checkpoint(QUERY),
        QUERY,
        definition=definition(),
        last_sequence=_last_sequence(lake),
    ) as checkpoint:
        sources = {
            table: lake.stream(table, from_version=version, max_bytes=settings.max_bytes_per_batch)
            for table, version in _starts(lake, checkpoint).items()
        }
        batches = Batches(lake, checkpoint, settings.compact_every_batches)
        stream = facts(sources).writeStream
        run = start(
            stream,
            checkpoint,
            trigger_s=settings.trigger_s,
            available_now=available_now,
            write_batch=batches.write,
        )
        follow(run)
    if available_now:
        compact(lake)


def definition() -> str:
    """A digest of everything that decides what a fold of given silver rows is."""
    return hashlib.sha256(repr((FOLDS, FACT_SOURCES, FACT_COLUMNS)).encode()).hexdigest()


def _starts(lake: Lake, checkpoint: Checkpoint) -> Mapping[str, int]:
    """The silver version from which each source is streamed; what lies before is in the bases.

    The versions are written into the checkpoint before the bases are rebuilt, so that a rebuild
    which was killed is finished, table by table, at the same versions.
    """
    starts: dict[str, int] = checkpoint.remembered(
        "starts", lambda: {table: lake.version(table) for table in FACT_SOURCES}
    )
    if checkpoint.is_new and (checkpoint.generation > 1 or any(starts.values())):
        log.info("%s: rebuilding the gold tables from silver at versions %s", QUERY, starts)
        before = {table: lake.read(table, max(v - 1, 0)) for table, v in starts.items()}
        rebuild(lake, facts(before), through=checkpoint.before_first)
    return starts


def _last_sequence(lake: Lake) -> int:
    _, appended = lake.transaction(PARTIALS, QUERY)
    return max(appended or 0, *(folded_through(lake, fold)[1] for fold in FOLDS.values()))


@dataclass(frozen=True)
class Batches:
    """Writes micro-batches of facts, one commit each, and compacts now and then."""

    lake: Lake
    checkpoint: Checkpoint
    compact_every: int

    def write(self, batch: DataFrame, batch_id: int) -> None:
        """Write one micro-batch; for foreachBatch."""
        kept = batch.persist()
        try:
            append_partials(self.lake, kept, Transaction(QUERY, self.checkpoint.sequence(batch_id)))
        finally:
            kept.unpersist()
        if batch_id % self.compact_every == self.compact_every - 1:
            compact(self.lake)


if __name__ == "__main__":
    main()
