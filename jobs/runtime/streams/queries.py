"""The queries and jobs that keep a checkpoint or hold a lock in a lake: the one list of them.

The name of a query is also the application of its Delta transactions.
"""

from __future__ import annotations

INGEST, REFINE, FOLD, ATTRIBUTE = "ingest", "refine", "fold", "attribute"
RECOMPUTE, MAINTAIN, RELEASE = "recompute", "maintain", "release"

OF_A_GENERATION = (REFINE, FOLD, ATTRIBUTE)  # one checkpoint in every generation
READING_SILVER = (FOLD, ATTRIBUTE)
OF_THE_LAKE = (INGEST, RECOMPUTE, MAINTAIN)  # one checkpoint or lock for all generations
