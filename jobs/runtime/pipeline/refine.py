"""Refine: bronze.events to silver tables, quarantine and ledger, exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import DataFrame

from jobs.runtime.errors import DataError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.erasure_log import refuse_unfinished
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER, RELEASED
from jobs.runtime.pipeline.fate_report import FateReport
from jobs.runtime.pipeline.judging import Judge
from jobs.runtime.pipeline.ledger import (
    Fate,
    fates_of,
    ledger_rows,
    refuse_unbalanced,
    tables_of,
)
from jobs.runtime.pipeline.progress import OUTPUTS
from jobs.runtime.pipeline.scatter import Count, counts_of, gather, scattered_dates
from jobs.runtime.pipeline.starting_point import (
    StartingPoint,
    refuse_lost_checkpoint,
    starting_point,
)
from jobs.runtime.settings import RefineSettings
from jobs.runtime.spark.persistence import materialize
from jobs.runtime.streams.checkpoints import Checkpoint, open_checkpoint
from jobs.runtime.streams.observation import Observation, Observed
from jobs.runtime.streams.queries import REFINE, RELEASE
from jobs.runtime.streams.query import FEW, Run, coalesce_if_few, discard_if_outrun, start
from transforms.silver.deduplication import deduplicate_stream


@contextmanager
def refining(
    lake: Lake, judge: Judge, settings: RefineSettings, *, available_now: bool
) -> Iterator[Run]:
    """Run the refine query on its locked checkpoint, as jobs/refine.py describes it.

    Args:
        lake: the lake, at the generation to refine into.
        judge: contracts and time bounds.
        settings: trigger, batch size, duplicate horizon, and the share of refused records that is
            warned of.
        available_now: whether to process what bronze holds now and end.

    Yields:
        The started query; the caller stops it.

    Raises:
        DataError: a release or an erasure is unfinished, another process holds the checkpoint, or a
            lost checkpoint would need bronze from before an erasure.
    """
    lake.ensure([BRONZE, *OUTPUTS, RELEASED, LEDGER])
    _refuse_unfinished(lake)
    refuse_unfinished(lake, REFINE)
    _, last_sequence = lake.transaction(LEDGER, REFINE)
    where = lake.checkpoint(REFINE)
    discard_if_outrun(lake, REFINE, [BRONZE], lambda: refuse_lost_checkpoint(lake))
    with open_checkpoint(where, REFINE, definition="1", last_sequence=last_sequence) as checkpoint:
        begin = starting_point(lake, checkpoint, settings.duplicate_horizon_h)
        observation = Observation("ingest_time", begin.built)
        read = observation.of(begin.bronze(lake, settings.max_bytes_per_batch))
        events = begin.without_copies(judge.judge(read))
        report = FateReport(REFINE, settings, available_now=available_now)
        yield start(
            deduplicate_stream(events, settings.duplicate_horizon_h).where(observation.counts),
            checkpoint,
            trigger_s=settings.trigger_s,
            available_now=available_now,
            write_batch=RefineWriter(lake, judge, checkpoint, observation, begin, report).write,
        )
        report.end()


@dataclass(frozen=True)
class RefineWriter:
    """Writes micro-batches of judged, deduplicated records.

    The order is the guarantee:

    1. The batch is read once and materialized, and its fates are counted: each record has one.
    2. Every silver table, and quarantine, gets its rows under the batch's sequence number. A
       repeat of the batch skips the tables that already have them.
    3. The ledger gets the counts: what was read and has no other fate is a duplicate. The batch is
       sealed.

    Attributes:
        lake: the lake to write to.
        judge: contracts that shape the rows of each table.
        checkpoint: checkpoint that numbers the batches.
        observation: counter of the rows read.
        begin: starting point of the query.
        report: counter of the fates for the log.
    """

    lake: Lake
    judge: Judge
    checkpoint: Checkpoint
    observation: Observation
    begin: StartingPoint
    report: FateReport

    def write(self, batch: DataFrame, batch_id: int) -> str | None:
        """Write one micro-batch, as the function given to foreachBatch.

        Args:
            batch: rows of `Judge.judge`, deduplicated.
            batch_id: Spark's id of the batch.

        Returns:
            How many records were refused, for the batch's line in the log; None without records.

        Raises:
            DataError: records lie behind the watermark, or a record has no end, or two.
        """
        sequence = self.checkpoint.sequence(batch_id)
        with materialize(batch) as rows:
            counts = counts_of(rows)  # 1
            fates = fates_of(counts)
            read = self.observation.made(self.lake.spark, REFINE)
            _refuse_late(read)
            refuse_unbalanced(read.events, fates, self._dropped(read), sequence)
            if not read.events:
                return None
            spread = counts if read.events > FEW else []  # few rows become one partition
            written = coalesce_if_few(self._new(rows, read), read.events)
            self._append(written, fates, spread, sequence)  # 2
            self._seal(read.events, fates, sequence)  # 3
        return self.report.add(read.events, fates)

    def _dropped(self, read: Observed) -> int | None:
        """The number of duplicates among the events read, as the stateful operator counted them.

        Returns:
            None where it counts others too, or others drop some.
        """
        built = self.begin.built
        replays = built is not None and (read.oldest_us or 0) <= built.timestamp() * 1_000_000
        return None if replays or self.begin.unread else read.dropped

    def _append(
        self, rows: DataFrame, fates: Iterable[Fate], counts: Sequence[Count], sequence: int
    ) -> None:
        """Append rows to each table that the fates name, up to four tables in parallel.

        Args:
            rows: rows of the batch.
            fates: their ends.
            counts: counts by date, of which dates are gathered that lie scattered.
            sequence: sequence number of the batch.
        """

        def append(table: str) -> None:
            """Append the rows of one table under the batch's sequence number."""
            dates = scattered_dates(counts, table.removeprefix("silver."))
            written = gather(self.judge.table_rows(table, rows), dates)
            self.lake.append(table, written, Transaction(REFINE, sequence))

        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(append, tables_of(fates)))

    def _seal(self, events: int, fates: list[Fate], sequence: int) -> None:
        """Append the counts of the batch to ops.ledger."""
        ledger = ledger_rows(self.lake, events, fates, sequence, datetime.now(UTC))
        self.lake.append(LEDGER, ledger, Transaction(REFINE, sequence))

    def _new(self, rows: DataFrame, read: Observed) -> DataFrame:
        """The rows that no earlier checkpoint has written already.

        A checkpoint made anew replays bronze from its start to restore the event_ids in its state;
        what silver and quarantine already hold is recognised by its event_id.
        """
        if not self.checkpoint.is_replaying(read.oldest_us):
            return rows
        written = (self.lake.read(table).select("event_id") for table in OUTPUTS)
        return rows.join(reduce(DataFrame.unionAll, written), "event_id", "left_anti")


def _refuse_late(read: Observed) -> None:
    """Raise DataError if a batch has records that the stateful operator dropped as late."""
    if read.oldest_us is not None and read.oldest_us < read.watermark_ms * 1000:
        raise DataError(
            f"{REFINE}: bronze has records ingested before the watermark: the clock of the ingest "
            "job stepped back by more than the duplicate horizon",
            "set the clock right and raise refine.duplicate_horizon_h above the step",
        )


def _refuse_unfinished(lake: Lake) -> None:
    """Raise DataError if a release was killed before its end."""
    with ThreadPoolExecutor() as pool:
        told = pool.map(lambda table: lake.transaction(table, RELEASE), (RELEASED, LEDGER))
        (_, decided), (_, done) = told
    if decided != done:
        raise DataError(
            f"{REFINE}: release {decided} was killed before its end",
            "finish it: python -m jobs.release --finish",
        )
