"""The ledger read: did every record end as exactly one silver row, quarantine row or duplicate?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import functions as F

from jobs.runtime.checkpoints import BATCH_BITS
from jobs.runtime.lake import Lake
from jobs.runtime.tables import BRONZE, LEDGER, QUARANTINE
from transforms.silver.tables import FAMILIES

BUILT = 0  # generation in the sequence number of a batch build; checkpoints count from 1
RELEASED = "released"
ERASED = "erased"
MOVED = (RELEASED, ERASED)  # fates after another one
End = tuple[str, str | None]  # fate and detail, as the ledger names them


@dataclass(frozen=True)
class Conservation:
    """What became of the records of bronze, by the ledger and by the tables themselves.

    Attributes:
        bronze: rows of bronze.events.
        arrived: records that refine read, by the ledger.
        silver: rows by family.
        quarantined: rows by reason.
        duplicates: counted by the ledger.
        agreed: do the tables hold what the ledger says?
        erased: records that left bronze, and their end, with a user; counted nowhere else.
    """

    bronze: int
    arrived: int
    silver: Mapping[str, int]
    quarantined: Mapping[str, int]
    duplicates: int
    agreed: bool
    erased: int

    @property
    def conserved(self) -> bool:
        """Nothing is lost, nothing counted twice."""
        ends = sum(self.silver.values()) + sum(self.quarantined.values()) + self.duplicates
        return self.agreed and self.bronze == self.arrived == ends


def conservation(lake: Lake) -> Conservation:
    """Hold the tables against the ledger of the batch build and the newest refine checkpoint."""
    ledger = lake.read(LEDGER)
    generation = F.shiftright("sequence", BATCH_BITS)
    newest = ledger.agg(F.max(generation)).collect()[0][0]
    of_newest = ledger.where(generation.isin(BUILT, newest))
    sums = of_newest.groupBy("fate", "detail").agg(F.sum("events"))
    entered = {(fate, detail): events for fate, detail, events in sums.collect()}
    told = _ends(entered)
    silver = {family: lake.read(f"silver.{family}").count() for family in FAMILIES}
    reasons = lake.read(QUARANTINE).groupBy("reason").count().collect()
    quarantined = {row["reason"]: row["count"] for row in reasons}
    held = {("silver", family): rows for family, rows in silver.items() if rows}
    held |= {("quarantine", reason): rows for reason, rows in quarantined.items()}
    return Conservation(
        bronze=lake.read(BRONZE).count(),
        arrived=told.pop(("arrived", None), 0),
        silver=silver,
        quarantined=quarantined,
        duplicates=told.pop(("duplicate", None), 0),
        agreed=told == held,
        erased=sum(events for (fate, _), events in entered.items() if fate == ERASED),
    )


def _ends(told: Mapping[End, int]) -> dict[End, int]:
    """The sums of the ledger without what was released from quarantine, and what was erased."""
    ends = Counter({end: events for end, events in told.items() if end[0] not in MOVED})
    for (fate, detail), events in told.items():
        if fate == RELEASED:
            ends["quarantine", detail] -= events
        elif fate == ERASED:
            was, _, named = str(detail).partition("/")
            ends[was, named or None] -= events
            ends["arrived", None] -= events
    return {end: events for end, events in ends.items() if events}
