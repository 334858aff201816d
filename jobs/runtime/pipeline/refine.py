"""Refine: bronze.events to silver tables, quarantine and ledger, exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.erasure_log import history_begins, refuse_unfinished
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER, RELEASED
from jobs.runtime.pipeline.judging import Judge
from jobs.runtime.pipeline.ledger import Fate, fates_of, ledger_rows, tables_of
from jobs.runtime.pipeline.progress import BUILD, OUTPUTS, ingested_through
from jobs.runtime.settings import RefineSettings
from jobs.runtime.spark.persistence import materialize
from jobs.runtime.streams.checkpoints import Checkpoint, open_checkpoint
from jobs.runtime.streams.observation import Observation, Observed
from jobs.runtime.streams.queries import REFINE
from jobs.runtime.streams.query import Run, coalesce_if_few, start
from transforms.events.bronze import PLACE
from transforms.silver.deduplication import deduplicate_stream
from transforms.silver.release import released_events, without_copies

RELEASE = "release"  # application of jobs.release's transactions


@contextmanager
def refining(
    lake: Lake, judge: Judge, settings: RefineSettings, *, available_now: bool
) -> Iterator[Run]:
    """Run the refine query on its locked checkpoint, as jobs/refine.py describes it.

    Args:
        lake: the lake, at the generation to refine into.
        judge: contracts and time bounds.
        settings: trigger, batch size and duplicate horizon.
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
    with open_checkpoint(where, REFINE, definition="1", last_sequence=last_sequence) as checkpoint:
        if checkpoint.is_new:
            _refuse_cut_off(lake)
        observation = _observation(lake, checkpoint)
        yield start(
            _new_events(lake, judge, settings, observation),
            checkpoint,
            trigger_s=settings.trigger_s,
            available_now=available_now,
            write_batch=RefineWriter(lake, judge, checkpoint, observation).write,
        )


def _observation(lake: Lake, checkpoint: Checkpoint) -> Observation:
    """An observation of bronze that counts rows after those of the generation's batch build."""
    last_built = checkpoint.remembered("built", lambda: _last_built(lake))
    after = None if last_built is None else datetime.fromisoformat(last_built)
    return Observation("ingest_time", after)


def _new_events(
    lake: Lake, judge: Judge, settings: RefineSettings, observation: Observation
) -> DataFrame:
    """The stream's judged rows, deduplicated, without those that the batch build holds.

    In a generation that was built in batch, the stream begins a duplicate horizon before the end of
    the build, so that its state knows the event_ids of that time; rows that the build holds are
    filtered out at the end.

    Args:
        lake: the lake, at the generation to refine into.
        judge: contracts and time bounds.
        settings: batch size, and duplicate horizon in hours.
        observation: counter of the rows read.

    Returns:
        A streaming DataFrame with the columns of `Judge.judge`.
    """
    horizon_h, most = settings.duplicate_horizon_h, settings.max_bytes_per_batch
    begins, after = history_begins(lake), observation.after
    bronze, unmet = lake.stream(BRONZE, max_bytes=most), _released_ids(lake)
    if after is not None:
        since = after - timedelta(hours=horizon_h)
        if begins is None or begins[1] < since:
            bronze = lake.stream(BRONZE, since=since, max_bytes=most)
        else:
            bronze = lake.stream(BRONZE, from_version=begins[0], max_bytes=most)
            unmet += _built_ids(lake, since, after)
    rows = _without_copies_of(judge.judge(observation.of(bronze)), unmet)
    return deduplicate_stream(rows, horizon_h).where(observation.counts)


def _without_copies_of(rows: DataFrame, unmet: Sequence[DataFrame]) -> DataFrame:
    """Drop copies of events whose event_id the stream's state lacks.

    Args:
        rows: judged rows.
        unmet: event_id and PLACE of such events, one DataFrame for each source.
    """
    return without_copies(rows, reduce(DataFrame.unionAll, unmet)) if unmet else rows


def _released_ids(lake: Lake) -> list[DataFrame]:
    """The event_id and PLACE of events that jobs.release has made of quarantined records.

    Returns:
        One DataFrame; none if nothing was released.
    """
    if lake.transaction(RELEASED, RELEASE)[1] is None:
        return []
    return [released_events(lake.read(RELEASED))]


def _built_ids(lake: Lake, since: datetime, built: datetime) -> list[DataFrame]:
    """The event_id and PLACE of the batch build's rows that an erasure has cut off from replay.

    Args:
        lake: the lake, at the generation that was built.
        since: first ingest time, inclusive.
        built: last ingest time, inclusive.

    Returns:
        One DataFrame for each table of OUTPUTS.
    """
    within = (F.col("ingest_time") >= F.lit(since)) & (F.col("ingest_time") <= F.lit(built))
    return [lake.read(table).where(within).select("event_id", *PLACE) for table in OUTPUTS]


def _refuse_cut_off(lake: Lake) -> None:
    """Refuse a new checkpoint that would have to read bronze from before an erasure.

    Raises:
        DataError: no batch build covers the time before the erasure.
    """
    begins, (_, built) = history_begins(lake), lake.transaction(LEDGER, BUILD)
    if begins is not None and (built is None or built < begins[0]):
        raise DataError(
            f"{REFINE}: the checkpoint of generation {lake.generation} is lost, and {BRONZE} from "
            f"before version {begins[0]} is erased",
            "build the next generation: python -m jobs.recompute --switch",
        )


def _last_built(lake: Lake) -> str | None:
    """The last ingest time that the generation's batch build has read.

    Returns:
        ISO 8601, UTC; None without a build, or if it read no rows.
    """
    _, version = lake.transaction(LEDGER, BUILD)
    last = None if version is None else ingested_through(lake, version)
    return None if last is None else last.isoformat()


@dataclass(frozen=True)
class RefineWriter:
    """Writes micro-batches of judged, deduplicated records.

    The order is the guarantee:

    1. The batch is read once and materialized, and its fates are counted.
    2. Every silver table, and quarantine, gets its rows under the batch's sequence number. A
       repeat of the batch skips the tables that already have them.
    3. The ledger gets the counts, which must add up to what was read. The batch is sealed.

    Attributes:
        lake: the lake to write to.
        judge: contracts that shape the rows of each table.
        checkpoint: checkpoint that numbers the batches.
        observation: counter of the rows read.
    """

    lake: Lake
    judge: Judge
    checkpoint: Checkpoint
    observation: Observation

    def write(self, batch: DataFrame, batch_id: int) -> None:
        """Write one micro-batch, as the function given to foreachBatch.

        Args:
            batch: rows of `Judge.judge`, deduplicated.
            batch_id: Spark's id of the batch.

        Raises:
            DataError: records lie behind the watermark, or more records were written than read.
        """
        sequence = self.checkpoint.sequence(batch_id)
        with materialize(batch) as rows:
            fates = fates_of(rows)  # 1
            read = self.observation.made(self.lake.spark, REFINE)
            _refuse_late(read)
            if read.events:
                self._append(
                    coalesce_if_few(self._new(rows, read), read.events), fates, sequence
                )  # 2
                self._seal(read.events, fates, sequence)  # 3

    def _append(self, rows: DataFrame, fates: Iterable[Fate], sequence: int) -> None:
        """Append rows to each table that the fates name, up to four tables in parallel."""

        def append(table: str) -> None:
            """Append the rows of one table under the batch's sequence number."""
            self.lake.append(
                table, self.judge.table_rows(table, rows), Transaction(REFINE, sequence)
            )

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
