"""Reruns of a recompute: what an earlier run of the same instant has done already.

A run is named by the version of bronze that was the newest at its instant, and by the digest of
what the build is made by; ops.generations and ops.parity hold what became of it.
"""

from __future__ import annotations

from pyspark.sql import functions as F

from jobs.runtime.lake.generations import Action, Generation, generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARITY
from transforms.gold.parity import UNEXPLAINED


def find_build(lake: Lake, bronze_version: int, definition: str) -> Generation | None:
    """The newest complete build of a version of bronze by a definition; None: there is none.

    A retired one counts if it was live once: its run came to its end.
    """
    complete = [
        each
        for each in generations(lake).values()
        if (each.bronze_version, each.definition) == (bronze_version, definition)
        and (each.is_complete or Action.SWITCHED in each.actions)
    ]
    return complete[-1] if complete else None


def is_compared(lake: Lake, generation: int) -> bool:
    """Is parity of a generation with the live one, which `lake` is, on record, and does it hold?"""
    if not lake.has(PARITY):
        return False
    pair = (F.col("generation") == generation) & (F.col("against") == lake.generation)
    rows = lake.read(PARITY).where(pair)
    newest = rows.groupBy("at").agg(F.count_if(F.col("cause") == UNEXPLAINED).alias("unexplained"))
    last = newest.orderBy(F.desc("at")).first()
    return last is not None and last.unexplained == 0
