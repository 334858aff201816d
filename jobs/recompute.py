"""Recompute: the gold tables in batch from bronze, compared with the streamed ones row by row."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass

import click
from pyspark.sql import DataFrame

from jobs.contracts import load_registry
from jobs.runtime.cli import job
from jobs.runtime.errors import DataError
from jobs.runtime.gold import read_gold
from jobs.runtime.lake import Lake
from jobs.runtime.session import spark_session
from jobs.runtime.settings import RefineSettings, Settings
from jobs.runtime.tables import BRONZE
from transforms.events.judge import TimeBounds, judge
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.fold import Fold, evaluate
from transforms.gold.parity import UNEXPLAINED, differences, event_differences, explained
from transforms.gold.tables import FOLDS
from transforms.silver.refine import silver_of, slim, without_repeats

log = logging.getLogger(__name__)

EXAMPLES = 5


@dataclass(frozen=True)
class Parity:
    """How streamed and recomputed gold compare.

    Attributes:
        compared: rows of the recomputed tables.
        causes: differing rows by cause.
    """

    compared: int
    causes: Counter[str]

    @property
    def differing(self) -> int:
        """Rows that are not identical on both sides."""
        return self.causes.total()

    @property
    def unexplained(self) -> int:
        """Differing rows without a named cause: must be none."""
        return self.causes[UNEXPLAINED]


@job
@click.option("--bronze-version", type=int, help="Recompute as of this version. Default: newest.")
def main(settings: Settings, bronze_version: int | None) -> None:
    """Recompute the gold tables from bronze and compare them with the streamed ones.

    Reads bronze.events, silver.* and gold.*; writes nothing. Exits non-zero if a row differs
    without a named cause.
    """
    lake = Lake(spark_session("recompute", settings.spark), settings.lake.root)
    parity = recompute(lake, settings.refine, bronze_version)
    log.info("%s rows compared, %s differ", f"{parity.compared:,}", f"{parity.differing:,}")
    for cause, rows in sorted(parity.causes.items()):
        log.info("  %-16s %s", cause, f"{rows:,}")
    if parity.unexplained:
        raise DataError(
            f"{parity.unexplained:,} gold rows differ from the recompute without a cause",
            "the examples above name keys: look their events up in silver and bronze",
        )


def recompute(lake: Lake, settings: RefineSettings, bronze_version: int | None = None) -> Parity:
    """Compare every gold table with its batch recompute from one version of bronze."""
    if bronze_version is None:
        bronze_version = lake.version(BRONZE)
    log.info("recomputing from %s at version %d", BRONZE, bronze_version)
    accepted = accepted_events(lake.read(BRONZE, bronze_version), settings).persist()
    recomputed = facts({t: silver_of(t.split(".")[1], accepted) for t in FACT_SOURCES}).persist()
    streamed = facts({table: lake.read(table) for table in FACT_SOURCES})
    events = event_differences(streamed, recomputed).persist()
    compared, causes = 0, Counter[str]()
    for fold in FOLDS.values():
        rows = evaluate(fold, recomputed).persist()
        compared += rows.count()
        causes += _causes(fold, differences(fold, read_gold(lake, fold), rows), events)
        rows.unpersist()
    for frame in (events, recomputed, accepted):
        frame.unpersist()
    return Parity(compared, causes)


def accepted_events(bronze: DataFrame, settings: RefineSettings) -> DataFrame:
    """The events of bronze as refine accepts them, each once, for `silver_of`."""
    bounds = TimeBounds(settings.future_tolerance_s, settings.oldest_event_days)
    judged = slim(judge(bronze, load_registry(), bounds))
    return without_repeats(judged).where("reason IS NULL")


def _causes(fold: Fold, differing: DataFrame, events: DataFrame) -> Counter[str]:
    differing = differing.persist()
    try:
        return (
            _counted(fold, explained(fold, differing, events)) if differing.take(1) else Counter()
        )
    finally:
        differing.unpersist()


def _counted(fold: Fold, differing: DataFrame) -> Counter[str]:
    counted = Counter(
        {row["cause"]: row["count"] for row in differing.groupBy("cause").count().collect()}
    )
    for row in differing.where(f"cause = '{UNEXPLAINED}'").limit(EXAMPLES).collect():
        log.error("gold.%s differs at %s", fold.name, row.asDict(recursive=True))
    return counted


if __name__ == "__main__":
    main()
