"""Tables that have grown old: Delta has forgotten all commits but the newest."""

from __future__ import annotations

import os
import time
from pathlib import Path

from jobs.runtime.lake.lake import Lake

AGE_S = 40 * 86_400  # Delta keeps a commit for 30 days


def age(lake: Lake, *tables: str) -> None:
    """Let tables grow old: Delta's own clean-up, at a checkpoint of the log, forgets commits.

    The newest commit is made now: no row is younger than its commit.
    """
    then = time.time() - AGE_S
    for table in tables:
        folder = Path(lake.path(table), "_delta_log")
        for file in folder.iterdir():
            os.utime(file, (then, then))
        nothing = lake.spark._jvm.scala.Option.empty()  # type: ignore[union-attr]
        lake._log(table).checkpointAndCleanUpDeltaLog(lake._snapshot(table), nothing)
        for file in folder.iterdir():
            os.utime(file)
        assert lake.oldest_commit(table) == lake.version(table), f"{table} has forgotten nothing"
