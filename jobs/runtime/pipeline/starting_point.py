"""Where refine starts in bronze, and the events that it must know without reading them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.erasure_log import history_begins
from jobs.runtime.lake.generations import generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER, RELEASED
from jobs.runtime.pipeline.gold import NOTHING
from jobs.runtime.pipeline.progress import BUILD, OUTPUTS, ingested_through
from jobs.runtime.streams.checkpoints import Checkpoint
from jobs.runtime.streams.queries import REFINE, RELEASE
from transforms.events.bronze import PLACE
from transforms.instants import EPOCH
from transforms.silver.release import released_events, without_copies

FIRST = 0
NEXT_GENERATION = "build the next generation: python -m jobs.recompute --switch"


@dataclass(frozen=True)
class StartingPoint:
    """Where a refine query starts in bronze.

    A generation streamed from the start reads all of bronze. One that was built in batch starts a
    duplicate horizon before the end of the build, so that its state knows the event_ids of that
    time, or behind an erasure, which cuts off what lies before.

    Attributes:
        built: last ingest time that the generation's batch build has read, UTC; rows up to it are
            read for their event_ids alone. None: there was no build.
        since: first ingest time that is read, UTC, inclusive. None: `version` decides.
        version: Delta version of bronze that is read first; without effect if `since` is given.
        unread: event_id and PLACE of events that the stream does not read, one DataFrame for each
            source.
    """

    built: datetime | None
    since: datetime | None
    version: int
    unread: tuple[DataFrame, ...]

    def bronze(self, lake: Lake, max_bytes: str) -> DataFrame:
        """Stream the rows of bronze from here on.

        Args:
            lake: the lake, at the generation to refine into.
            max_bytes: size of a micro-batch in bytes, such as `256m`.

        Returns:
            A streaming DataFrame with the columns of bronze.events.
        """
        if self.since is None:
            return lake.stream(BRONZE, from_version=self.version, max_bytes=max_bytes)
        rows = lake.stream(BRONZE, since=self.since, max_bytes=max_bytes)
        return rows.where(F.col("ingest_time") >= F.lit(self.since.isoformat()).cast("timestamp"))

    def without_copies(self, rows: DataFrame) -> DataFrame:
        """Drop judged rows that copy an event which the stream does not read."""
        return (
            without_copies(rows, reduce(DataFrame.unionAll, self.unread)) if self.unread else rows
        )


def starting_point(lake: Lake, checkpoint: Checkpoint, horizon_h: int) -> StartingPoint:
    """The starting point of a refine query.

    Args:
        lake: the lake, at the generation to refine into.
        checkpoint: of the query, locked.
        horizon_h: duplicate horizon in hours.

    Raises:
        DataError: the checkpoint is new and cannot find its place in bronze, as
            `refuse_lost_checkpoint` says.
    """
    begins = history_begins(lake)
    if checkpoint.is_new:
        _refuse_erased(lake)
    kept = checkpoint.remembered("built", lambda: _as_text(_built(lake)))
    built, released = None if kept is None else datetime.fromisoformat(kept), _released_ids(lake)
    if built is None:
        return StartingPoint(None, None, FIRST, released)
    since = built - timedelta(hours=horizon_h)
    if begins is None or begins[1] < since or lake.oldest_commit(BRONZE) > begins[0]:
        return StartingPoint(built, since, FIRST, released)
    return StartingPoint(built, None, begins[0], (*released, *_built_ids(lake, since, built)))


def refuse_lost_checkpoint(lake: Lake) -> None:
    """Stop if a new checkpoint of refine could not find its place in bronze.

    Args:
        lake: the lake, at the generation to refine into.

    Raises:
        DataError: it could not; names the next generation as the remedy.
    """
    _refuse_erased(lake)
    _built(lake)


def _refuse_erased(lake: Lake) -> None:
    """Raise DataError if a new checkpoint would have to read what is erased from bronze."""
    begins, (_, build) = history_begins(lake), lake.transaction(LEDGER, BUILD)
    if begins is not None and (build is None or build < begins[0]):
        raise DataError(
            f"{REFINE}: generation {lake.generation} needs a new checkpoint, and {BRONZE} from "
            f"before version {begins[0]} is erased",
            NEXT_GENERATION,
        )


def _built(lake: Lake) -> datetime | None:
    """The last ingest time that the generation's batch build has read.

    Args:
        lake: the lake, at the generation to refine into.

    Returns:
        An instant in UTC; None if there was no build, or nothing to build from.

    Raises:
        DataError: the build did not record it, and Delta has forgotten the version that was built
            from.
    """
    _, build = lake.transaction(LEDGER, BUILD)
    if build is None:
        return None
    own = generations(lake).get(lake.generation)
    if own is not None and own.ingested_through is not None:
        return None if own.ingested_through == EPOCH else own.ingested_through
    if NOTHING < build < lake.oldest_commit(BRONZE):
        raise DataError(
            f"{REFINE}: generation {lake.generation} needs a new checkpoint, and Delta has "
            f"forgotten version {build} of {BRONZE}, which an older playhead built it from",
            NEXT_GENERATION,
        )
    return ingested_through(lake, build)


def _as_text(at: datetime | None) -> str | None:
    """An instant as a checkpoint stores it, None as itself."""
    return None if at is None else at.isoformat()


def _released_ids(lake: Lake) -> tuple[DataFrame, ...]:
    """The event_id and PLACE of events that jobs.release has made of quarantined records."""
    if lake.transaction(RELEASED, RELEASE)[1] is None:
        return ()
    return (released_events(lake.read(RELEASED)),)


def _built_ids(lake: Lake, since: datetime, built: datetime) -> list[DataFrame]:
    """The event_id and PLACE of the batch build's rows that an erasure has cut off from replay.

    Args:
        lake: the lake, at the generation that was built.
        since: first ingest time, inclusive.
        built: last ingest time, inclusive.
    """
    within = (F.col("ingest_time") >= F.lit(since)) & (F.col("ingest_time") <= F.lit(built))
    return [lake.read(table).where(within).select("event_id", *PLACE) for table in OUTPUTS]
