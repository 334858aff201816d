"""The ledger: how many records a batch read and what became of them; and its balance.

A record ends as a silver row, a quarantine row or a counted duplicate. Duplicates leave no row, so
they are the rest: what the batch read, counted at its source apart from its rows, less the rows
with another end. The rest must be what deduplication says that it dropped, or the batch stops
before it writes. That is not known of a batch of which some rows are read for their event_ids
alone, or are copies of events that the stream does not read, nor on a cluster, where tasks are
repeated; there a row that was lost would be counted as a duplicate. `conservation` compares the
tables with bronze and with the ledger, and a recompute looks for the duplicates in all of bronze
again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, LEDGER, QUARANTINE, TABLES
from jobs.runtime.pipeline.scatter import Count
from jobs.runtime.streams.checkpoints import BATCH_BITS
from jobs.runtime.streams.queries import REFINE
from transforms.silver.tables import FAMILIES

BUILT = 0  # generation in the sequence number of a batch build; checkpoints count from 1


RELEASED = "released"


ERASED = "erased"


MOVED = (RELEASED, ERASED)  # fates that follow another one


End = tuple[str, str | None]  # fate and detail, as the ledger names them


class Entry(NamedTuple):
    """A count of records with the same end, from ops.ledger.

    Attributes:
        sequence: sequence number of a batch, or of any of several batches of one checkpoint.
        fate: end of the records: `arrived`, `silver`, `quarantine`, `duplicate`, RELEASED or
            ERASED.
        detail: family, reason, or the end that an erased record had.
        events: number of records.
    """

    sequence: int
    fate: str
    detail: str | None
    events: int


@dataclass(frozen=True)
class Conservation:
    """The balance of bronze: its records by end, from the ledger and from the tables themselves.

    Attributes:
        bronze: rows of bronze.events.
        arrived: records that refine read and that were not erased, by the ledger.
        silver: rows of the silver tables, by family.
        quarantined: rows of silver.quarantine, by reason.
        duplicates: duplicates, by the ledger.
        agreed: whether the tables hold what the ledger says.
        released: records that left quarantine; they are counted where they went.
        erased: records that left bronze, and their end, with a user; counted nowhere else.
    """

    bronze: int
    arrived: int
    silver: Mapping[str, int]
    quarantined: Mapping[str, int]
    duplicates: int
    agreed: bool
    released: int
    erased: int

    @property
    def conserved(self) -> bool:
        """Whether nothing is lost and nothing is counted twice."""
        return self.agreed and self.bronze == self.arrived and not self.missing

    @property
    def missing(self) -> int:
        """Records of bronze without an end, negative if some have more than one."""
        ends = sum(self.silver.values()) + sum(self.quarantined.values()) + self.duplicates
        return self.bronze - ends

    @property
    def unread(self) -> int:
        """Records of bronze that refine has not read yet."""
        return self.bronze - self.arrived


def conservation(lake: Lake) -> Conservation:
    """Balance the tables against the ledger of the batch build and the newest refine checkpoint.

    Args:
        lake: the lake, at the generation to balance.
    """
    sums = (
        lake.read(LEDGER)
        .groupBy(F.shiftright("sequence", BATCH_BITS), "fate", "detail")
        .agg(F.max("sequence").alias("sequence"), F.sum("events").alias("events"))
        .select(*Entry._fields)
    )
    reasons = lake.read(QUARANTINE).groupBy("reason").count().collect()
    return balance(
        [Entry(*row) for row in sums.collect()],
        lake.read(BRONZE).count(),
        {family: lake.read(f"silver.{family}").count() for family in FAMILIES},
        {row["reason"]: row["count"] for row in reasons},
    )


def balance(
    entries: Iterable[Entry], bronze: int, silver: Mapping[str, int], quarantined: Mapping[str, int]
) -> Conservation:
    """Balance row counts of tables against the ledger.

    Args:
        entries: rows of ops.ledger; those of the batch build and of the newest checkpoint count.
        bronze: number of rows of bronze.events.
        silver: number of rows, by family.
        quarantined: number of rows, by reason.
    """
    by_checkpoint: dict[int, Counter[End]] = {}
    for sequence, fate, detail, events in entries:
        by_checkpoint.setdefault(sequence >> BATCH_BITS, Counter())[fate, detail] += events
    entered = Counter[End]()
    for generation in {BUILT, max(by_checkpoint, default=BUILT)}:
        entered.update(by_checkpoint.get(generation, {}))
    told = _ends(entered)
    held = {("silver", family): rows for family, rows in silver.items() if rows}
    held |= {("quarantine", reason): rows for reason, rows in quarantined.items()}
    return Conservation(
        bronze=bronze,
        arrived=told.pop(("arrived", None), 0),
        silver=silver,
        quarantined=quarantined,
        duplicates=told.pop(("duplicate", None), 0),
        agreed=told == held,
        released=_total(entered, RELEASED),
        erased=_total(entered, ERASED),
    )


def _total(entered: Mapping[End, int], wanted: str) -> int:
    """The number of records with a fate, whatever the detail."""
    return sum(events for (fate, _), events in entered.items() if fate == wanted)


def _ends(told: Mapping[End, int]) -> dict[End, int]:
    """The ledger's sums net of releases and erasures.

    Args:
        told: number of records, by fate and detail.

    Returns:
        Number of records by fate and detail, without RELEASED, ERASED and zeros: released records
        no longer count as quarantined, erased ones neither as arrived nor by the end that they had.
    """
    ends = Counter({end: events for end, events in told.items() if end[0] not in MOVED})
    for (fate, detail), events in told.items():
        if fate == RELEASED:
            ends["quarantine", detail] -= events
        elif fate == ERASED:
            was, _, named = str(detail).partition("/")
            ends[was, named or None] -= events
            ends["arrived", None] -= events
    return {end: events for end, events in ends.items() if events}


class Fate(NamedTuple):
    """A count of records of a batch with the same end.

    Attributes:
        family: family of the silver table; None for quarantine.
        reason: reason of the rejection; None for silver.
        events: number of records.
    """

    family: str | None
    reason: str | None
    events: int


def tables_of(fates: Iterable[Fate]) -> set[str]:
    """The names of the tables that records with these fates are written to."""
    return {f"silver.{fate.family}" if fate.family else QUARANTINE for fate in fates}


def refuse_unbalanced(
    events: int, fates: Sequence[Fate], dropped: int | None, sequence: int
) -> None:
    """Refuse a batch or a build of which records have no end, or two, before it is sealed.

    Args:
        events: number of records read, duplicates included.
        fates: number of records to write, by end.
        dropped: number of records dropped as duplicates, counted where they were dropped; None:
            not known, so only records that nobody read are refused.
        sequence: sequence number of the batch, 0 for a build.

    Raises:
        DataError: records are lost, or counted twice; names the batch.
    """
    written = sum(fate.events for fate in fates)
    rest = events - written
    if rest < 0 or dropped not in (None, rest):
        dropped = dropped or 0
        raise DataError(
            f"{REFINE}: batch {sequence} read {events} records, of which {written} have an end and "
            f"{dropped} are duplicates: {_difference(rest - dropped)}",
            "start again: the batch is repeated; if it persists this is a defect of playhead",
        )


def _difference(missing: int) -> str:
    """How many records are missing, or too many."""
    return f"{missing} are lost" if missing > 0 else f"{-missing} are counted twice"


def ledger_rows(
    lake: Lake, events: int, fates: Sequence[Fate], sequence: int, at: datetime
) -> DataFrame:
    """The rows of ops.ledger for a batch: arrived, each fate, and what is left as duplicates.

    Args:
        lake: lake whose session makes the rows.
        events: number of records read, duplicates included, counted apart from `fates`, and held
            against them by `refuse_unbalanced`.
        fates: number of records written, by end.
        sequence: sequence number of the batch.
        at: time of the entry, UTC.

    Returns:
        Rows with the columns of ops.ledger, in one partition.
    """
    duplicates = events - sum(fate.events for fate in fates)
    rows = [
        (sequence, "arrived", None, events, at),
        (sequence, "duplicate", None, duplicates, at),
        *((sequence, *_ledger_end(fate), fate.events, at) for fate in fates),
    ]
    return lake.spark.createDataFrame(rows, TABLES[LEDGER].schema).coalesce(1)


def fates_of(counts: Iterable[Count]) -> list[Fate]:
    """Sum counts of a batch over their dates.

    Args:
        counts: counts by end and date.
    """
    sums = Counter[tuple[str | None, str | None]]()
    for count in counts:
        sums[count.family, count.reason] += count.events
    return [Fate(family, reason, events) for (family, reason), events in sums.items()]


def _ledger_end(fate: Fate) -> tuple[str, str | None]:
    """The fate and detail under which the ledger counts records."""
    return ("quarantine", fate.reason) if fate.reason else ("silver", fate.family)
