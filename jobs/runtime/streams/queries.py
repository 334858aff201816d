"""The queries and jobs that keep a checkpoint or hold a lock in a lake: the one list of them.

The name of a query is also the application of its Delta transactions.
"""

from __future__ import annotations

INGEST, REFINE, FOLD, ATTRIBUTE = "ingest", "refine", "fold", "attribute"
RECOMPUTE, MAINTAIN, RELEASE, ERASE = "recompute", "maintain", "release", "erase"
TUNE, TRAIN, PROMOTE, SCORE, PUBLISH = "tune", "train", "promote", "score", "publish"
QUALITY, RESULTS, PROFILE = "quality", "results", "profile"

OF_A_GENERATION = (REFINE, FOLD, ATTRIBUTE)  # one checkpoint in every generation
READING_SILVER = (FOLD, ATTRIBUTE)
OF_THE_LAKE = (  # one checkpoint or lock for all generations; an erasure runs beside none of them
    *(INGEST, RECOMPUTE, MAINTAIN, TUNE, TRAIN, PROMOTE, SCORE, PUBLISH),
    *(QUALITY, RESULTS, PROFILE),
)
