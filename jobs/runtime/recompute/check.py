"""The recompute check: compare gold with its batch recompute; nothing is written."""

from __future__ import annotations

import logging

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.generations import generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, QUARANTINE
from jobs.runtime.pipeline.judging import Judge
from jobs.runtime.pipeline.progress import ingested_through, refuse_unreadable
from jobs.runtime.recompute.comparison import changed_folds
from jobs.runtime.recompute.parity import Build, Parity, build_of, compare, pin_generation
from jobs.runtime.settings import RefineSettings
from jobs.runtime.spark.persistence import materialize
from transforms.events.bronze import PLACE
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.fold import evaluate
from transforms.gold.parity import EVIDENCE, Side
from transforms.silver.deduplication import deduplicate

log = logging.getLogger(__name__)


def recompute(
    lake: Lake, judge: Judge, settings: RefineSettings, bronze_version: int | None = None
) -> Parity:
    """Compare gold with its batch recompute from one version of bronze; nothing is written.

    Args:
        lake: the generation to check.
        judge: judge of bronze records.
        settings: settings of refine, of which the duplicate horizon counts.
        bronze_version: Delta version of bronze.events; None: the newest.

    Returns:
        The rows compared, and those that differ, by cause.

    Raises:
        SettingsError: the version does not exist or can no longer be read.
    """
    if bronze_version is None:
        bronze_version = lake.version(BRONZE)
    refuse_unreadable(lake, bronze_version, lake.version(BRONZE))
    log.info("recomputing from %s at version %d", BRONZE, bronze_version)
    bronze = lake.read(BRONZE, bronze_version)
    with materialize(deduplicate(judge.judge(bronze))) as unique:
        silver = {t: judge.silver_rows(t.split(".")[1], unique) for t in FACT_SOURCES}
        with materialize(facts(silver, *EVIDENCE)) as recomputed:
            side = Side(recomputed, _ends(unique), ingested_through(lake, bronze_version))
            new = Build(lambda fold: evaluate(fold, recomputed), lambda: side)
            old, horizon_h = build_of(pin_generation(lake)), settings.duplicate_horizon_h
            changed = changed_folds(generations(lake)[lake.generation].folds)
            return compare(lake, old, new, horizon_h, changed)


def _ends(unique: DataFrame) -> DataFrame:
    """The table and signature that a recompute would give each record.

    Args:
        unique: judged records without duplicates.

    Returns:
        PLACE, event_id, held_in (table) and held_by (signature), as in `Side.holdings`.
    """
    silver = F.concat(F.lit("silver."), "family")
    return unique.select(
        *PLACE,
        "event_id",
        F.when(F.col("reason").isNull(), silver).otherwise(QUARANTINE).alias("held_in"),
        F.col("judged_by").alias("held_by"),
    )
