"""Progress: how far a generation has read bronze, by its ledger and its checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyspark.sql import functions as F

from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.erasure_log import history_begins
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER, QUARANTINE
from jobs.runtime.pipeline.gold import NOTHING
from jobs.runtime.streams.checkpoints import read_whole
from jobs.runtime.streams.queries import RECOMPUTE, REFINE
from transforms.silver.tables import FAMILIES

BUILD = RECOMPUTE  # the application of a batch build's writes; its version is bronze's


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


OUTPUTS = (*(f"silver.{family}" for family in FAMILIES), QUARANTINE)


def read_whole_through(lake: Lake) -> int:
    """The version of bronze that refine has read whole; of a lost checkpoint, all of it.

    An erasure begins when all is read, and older versions cannot be read after it.
    """
    begins = history_begins(lake)
    return max(_read_through(lake), NOTHING if begins is None else begins[0])


def _read_through(lake: Lake) -> int:
    _, sequence = lake.transaction(LEDGER, REFINE)
    _, built = lake.transaction(LEDGER, BUILD)
    if sequence is None:
        return NOTHING if built is None else built
    read = read_whole(lake.checkpoint(REFINE), sequence, exactly=False)
    return lake.version(BRONZE) if read is None else read[lake.table_id(BRONZE)]


def ingested_through(lake: Lake, version: int) -> datetime | None:
    """The last ingest time in a version of bronze.events; None if it is empty."""
    if version == NOTHING:
        return None
    last = lake.read(BRONZE, version).agg(F.max(F.unix_micros("ingest_time"))).collect()[0][0]
    return None if last is None else EPOCH + timedelta(microseconds=last)


def refuse_unreadable(lake: Lake, bronze_version: int, newest: int) -> None:
    """SettingsError if a version of bronze.events is not there, or no longer whole.

    Args:
        lake: any generation of it.
        bronze_version: the version asked for.
        newest: the newest version that may be asked for.
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
            f"name a newer one; the newest is {newest}",
        )
