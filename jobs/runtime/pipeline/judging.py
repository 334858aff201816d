"""Judging: the records of bronze by the contracts and time bounds of a job."""

from __future__ import annotations

from pyspark.sql import DataFrame

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.lake.tables import QUARANTINE
from jobs.runtime.settings import RefineSettings
from transforms.events.judge import TimeBounds, judge
from transforms.silver.deduplication import without_repeats
from transforms.silver.quarantine import quarantined
from transforms.silver.tables import silver_of


def judged(bronze: DataFrame, settings: RefineSettings) -> DataFrame:
    """Rows of bronze, streaming or batch, as `judge` gives them."""
    bounds = TimeBounds(settings.future_tolerance_s, settings.oldest_event_days)
    return judge(bronze, load_registry(), bounds)


def silver_rows(family: str, judged: DataFrame) -> DataFrame:
    """The accepted rows of one family, of those that `judged` gives, as rows of its table."""
    return silver_of(family, judged, load_registry())


def accepted_events(bronze: DataFrame, settings: RefineSettings) -> DataFrame:
    """The events of bronze as refine accepts them, each once, for `silver_rows`."""
    return without_repeats(judged(bronze, settings)).where("reason IS NULL")


def rows_of(table: str, judged: DataFrame) -> DataFrame:
    """The rows of one of `tables_of`, of those that `judged` gives."""
    if table == QUARANTINE:
        return quarantined(judged)
    return silver_rows(table.removeprefix("silver."), judged)
