"""Reruns of a recompute: what an earlier run of the same instant has already done.

A run is identified by the version of bronze that was the newest at its instant, and by the digest
of the build's definition; ops.generations and ops.parity record its outcome.
"""

from __future__ import annotations

from pyspark.sql import functions as F

from jobs.runtime.lake.generations import Action, Generation, generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import PARITY
from transforms.gold.parity import UNEXPLAINED


def find_build(lake: Lake, bronze_version: int, definition: str) -> Generation | None:
    """The newest complete build of a version of bronze by a definition.

    A retired one counts if it was live once: its run completed.

    Args:
        lake: any generation of the lake.
        bronze_version: Delta version of bronze.events.
        definition: digest of the build's definition.

    Returns:
        The generation; None if there is none.
    """
    complete = [
        each
        for each in generations(lake).values()
        if (each.bronze_version, each.definition) == (bronze_version, definition)
        and (each.is_complete or Action.SWITCHED in each.actions)
    ]
    return complete[-1] if complete else None


def is_compared(lake: Lake, generation: int) -> bool:
    """Whether ops.parity records a comparison without unexplained differences.

    Args:
        lake: the live generation, which was compared with.
        generation: number of the generation compared.

    Returns:
        True if the newest comparison of the two has no unexplained difference.
    """
    if not lake.has(PARITY):
        return False
    pair = (F.col("generation") == generation) & (F.col("against") == lake.generation)
    rows = lake.read(PARITY).where(pair)
    newest = rows.groupBy("at").agg(F.count_if(F.col("cause") == UNEXPLAINED).alias("unexplained"))
    last = newest.orderBy(F.desc("at")).select("unexplained").first()
    return last is not None and last.unexplained == 0
