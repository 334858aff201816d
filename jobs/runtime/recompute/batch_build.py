"""The batch build of a generation's silver: what refine does, in batch, table by table.

Every table is one Delta transaction of the application BUILD at bronze's version, the ledger the
last of them; so a build that was killed is finished by repeating it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from pyspark import StorageLevel
from pyspark.sql import functions as F

from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER, PARTIALS, TABLES
from jobs.runtime.pipeline.fate_report import report_build
from jobs.runtime.pipeline.fold import BASES, definitions
from jobs.runtime.pipeline.judging import Judge
from jobs.runtime.pipeline.ledger import (
    Fate,
    fates_of,
    ledger_rows,
    refuse_unbalanced,
    tables_of,
)
from jobs.runtime.pipeline.progress import BUILD, OUTPUTS
from jobs.runtime.pipeline.scatter import counts_of, gather, scattered_dates
from jobs.runtime.settings import RefineSettings
from jobs.runtime.spark.persistence import materialize
from transforms import provenance
from transforms.events.bronze import PLACE
from transforms.silver.deduplication import duplicate_places
from transforms.silver.tables import FAMILIES

GOLD = [*BASES, PARTIALS]
SEQUENCE = 0  # of a build, in the ledger; the sequence numbers of streams are greater


def build_definition(judge: Judge) -> str:
    """The digest of everything that determines what a build makes of given bronze rows."""
    families = (family.definition for family in FAMILIES.values())
    return provenance.digest(judge.definition, *families, repr(definitions()))


def build_silver(lake: Lake, judge: Judge, settings: RefineSettings, bronze_version: int) -> int:
    """Fill silver, quarantine and ledger of an empty generation in batch.

    Args:
        lake: the generation to fill.
        judge: judge of bronze records.
        settings: share of refused records that is warned of.
        bronze_version: Delta version of bronze.events to build from.

    Returns:
        The number of records in that version of bronze.

    Raises:
        DataError: a record has no end, or two.
    """
    lake = lake.in_small_parts()
    lake.ensure([LEDGER])
    bronze = lake.read(BRONZE, bronze_version)
    arrived = bronze.count()
    if lake.transaction(LEDGER, BUILD)[1] == bronze_version:
        return arrived
    with (
        ThreadPoolExecutor(max_workers=2) as pool,
        materialize(judge.judge(bronze), StorageLevel.DISK_ONLY) as every,
        materialize(duplicate_places(every)) as later,
    ):
        # in parallel with judging: creating tables takes time, not work
        tables = pool.submit(lake.ensure, [*OUTPUTS, *GOLD])
        rows = every.join(F.broadcast(later), PLACE, "left_anti")
        counts = counts_of(rows)
        fates = fates_of(counts)
        refuse_unbalanced(arrived, fates, later.count(), SEQUENCE)
        tables.result()

        def write(table: str) -> None:
            """Append the rows of one table, under the build's transaction."""
            dates = scattered_dates(counts, table.removeprefix("silver."))
            written = gather(judge.table_rows(table, rows), dates)
            lake.append(table, written, Transaction(BUILD, bronze_version))

        list(pool.map(write, tables_of(fates)))
    seal(lake, arrived, fates, settings, bronze_version)
    return arrived


def seal(
    lake: Lake, arrived: int, fates: Sequence[Fate], settings: RefineSettings, bronze_version: int
) -> None:
    """Write the ledger of a build, which marks its silver as complete, and log its counts.

    Args:
        lake: the generation that was built.
        arrived: number of records in bronze.
        fates: number of records, by where they ended.
        settings: share of refused records that is warned of.
        bronze_version: Delta version of bronze.events that was built from.

    Raises:
        DataError: more records have an end than arrived.
    """
    refuse_unbalanced(arrived, fates, None, SEQUENCE)
    ledger = ledger_rows(lake, arrived, fates, SEQUENCE, datetime.now(UTC))
    lake.append(LEDGER, ledger, Transaction(BUILD, bronze_version))
    report_build(BUILD, arrived, fates, settings)


def carry_over(live: Lake, new: Lake, bronze_version: int) -> None:
    """Copy the tables that are declared as carried from one generation to the next.

    Args:
        live: the generation to copy from.
        new: the generation to copy to.
        bronze_version: Delta version of bronze.events that was built from.
    """
    for table, declared in TABLES.items():
        if declared.carried and live.has(table):
            new.ensure([table])
            new.replace(table, live.read(table), Transaction(BUILD, bronze_version))
