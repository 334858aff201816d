"""Ingest time in the order of the batches, also when the machine's clock was set back."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.progress import ingested_through
from jobs.runtime.streams.queries import INGEST

log = logging.getLogger(__name__)

TICK = timedelta(milliseconds=1)  # the resolution of Spark's batch times and of commit times


class IngestClock:
    """Gives each batch an ingest time after that of every batch before it.

    Refine tells by ingest time which rows a batch build has read: a row that were older than those
    would be counted nowhere.

    Args:
        last: instant after which the next ingest time lies, UTC; None: it may be any.
    """

    def __init__(self, last: datetime | None) -> None:
        self._last = last

    def next(self, now: datetime) -> datetime:
        """The ingest time of the next batch.

        Args:
            now: time of the batch by the machine's clock, UTC.

        Returns:
            `now`, or the instant right after the last ingest time, if that is later.
        """
        time = now
        if self._last is not None and now <= self._last:
            time = self._last + TICK
            behind = self._last - now
            if behind > TICK:
                log.warning(
                    "%s: the clock is %s behind the batch before: ingest_time goes on from there "
                    "-> set the clock of this machine",
                    INGEST,
                    behind,
                )
        self._last = time
        return time

    def stamp(self, batch: DataFrame, now: datetime) -> DataFrame:
        """Correct the ingest time of a batch, which Spark took from the machine's clock.

        Args:
            batch: rows with ingest_time, the next batch.
            now: time of the batch by the machine's clock, UTC.

        Returns:
            The same rows; their ingest_time is `next`.
        """
        time = self.next(now)
        if time == now:
            return batch
        return batch.withColumn("ingest_time", F.lit(time.isoformat()).cast("timestamp"))


def ingest_clock(lake: Lake) -> IngestClock:
    """The clock of an ingest that goes on with what bronze.events holds.

    Ingest times lie before the last commit, but for those that a clock gave which was ahead. Of
    files without such times only the footers are read.

    Args:
        lake: lake that has bronze.events.
    """
    version = lake.version(BRONZE)
    committed = lake.commit_time(BRONZE, version)
    return IngestClock(ingested_through(lake, version, after=committed) or committed)
