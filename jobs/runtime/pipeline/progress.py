"""Progress: the versions of bronze that a generation has read, by its ledger and its checkpoint."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import functions as F

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.erasure_log import history_begins
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER, QUARANTINE
from jobs.runtime.pipeline.gold import NOTHING
from jobs.runtime.streams.checkpoints import read_whole
from jobs.runtime.streams.queries import RECOMPUTE, REFINE
from transforms.instants import instant_of
from transforms.silver.tables import FAMILIES

BUILD = RECOMPUTE  # application of a batch build's transactions, whose version is bronze's


OUTPUTS = (*(f"silver.{family}" for family in FAMILIES), QUARANTINE)


def read_whole_through(lake: Lake) -> int:
    """The last version of bronze.events that the generation's refine has read completely.

    After an erasure at least the version that history begins with: an erasure begins when all is
    read, and older versions cannot be read after it.

    Returns:
        A Delta version; the newest if the refine checkpoint is lost, NOTHING if nothing was read.
    """
    begins = history_begins(lake)
    return max(_read_through(lake), NOTHING if begins is None else begins[0])


def _read_through(lake: Lake) -> int:
    """As `read_whole_through`, without regard to erasures."""
    _, sequence = lake.transaction(LEDGER, REFINE)
    _, built = lake.transaction(LEDGER, BUILD)
    if sequence is None:
        return NOTHING if built is None else built
    read = read_whole(lake.checkpoint(REFINE), sequence, exactly=False)
    return lake.version(BRONZE) if read is None else read[lake.table_id(BRONZE)]


def ingested_through(lake: Lake, version: int, *, after: datetime | None = None) -> datetime | None:
    """The last ingest time in a version of bronze.events.

    Args:
        lake: the lake, at any generation.
        version: Delta version, or NOTHING.
        after: instant in UTC that it must be after, to pass over older rows; None: any.

    Returns:
        An instant in UTC; None if the version is NOTHING or has no such rows.
    """
    if version == NOTHING:
        return None
    rows = lake.read(BRONZE, version)
    if after is not None:
        rows = rows.where(F.col("ingest_time") > F.lit(after))
    last = rows.agg(F.max(F.unix_micros("ingest_time"))).collect()[0][0]
    return None if last is None else instant_of(last)


def refuse_unreadable(lake: Lake, bronze_version: int, newest: int) -> None:
    """Refuse a version of bronze.events that does not exist or cannot be read completely.

    Args:
        lake: the lake, at any generation.
        bronze_version: Delta version asked for.
        newest: newest Delta version that may be asked for.

    Raises:
        SettingsError: the version is before the beginning of history or after `newest`, or its log
            or files are gone.
    """
    begins = history_begins(lake)
    oldest = 0 if begins is None else begins[0]
    if not oldest <= bronze_version <= newest:
        raise SettingsError(
            f"there is no version {bronze_version} of {BRONZE} to build from",
            f"oldest: {oldest}, newest: {newest}",
        )
    if not lake.can_read(BRONZE, bronze_version):
        raise SettingsError(
            f"version {bronze_version} of {BRONZE} can no longer be read: its log or files of it "
            "are gone",
            f"name a newer one; the newest is {newest}"
            if bronze_version < newest
            else f"restore the files of {lake.path(BRONZE)} from a copy: no version is newer",
        )
