"""Judging: one set of contracts and time bounds for all the records that a job judges."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame

from jobs.runtime.contracts.registry import load_registry
from jobs.runtime.lake.tables import QUARANTINE
from jobs.runtime.settings import RefineSettings
from transforms.contracts.registry import Registry
from transforms.events.judge import TimeBounds, definition, judge
from transforms.silver.deduplication import deduplicate
from transforms.silver.quarantine import quarantine_rows
from transforms.silver.tables import silver_of


@dataclass(frozen=True)
class Judge:
    """Judges records of bronze; loaded once a job and passed down.

    Attributes:
        registry: contracts to judge by.
        bounds: how far an event time may lie from its arrival.
    """

    registry: Registry
    bounds: TimeBounds

    def judge(self, bronze: DataFrame) -> DataFrame:
        """Rows of bronze, streaming or batch, as `transforms.events.judge` gives them."""
        return judge(bronze, self.registry, self.bounds)

    def accepted_events(self, bronze: DataFrame) -> DataFrame:
        """The events of bronze as refine accepts them, each once, for `silver_rows`."""
        return deduplicate(self.judge(bronze)).where("reason IS NULL")

    def silver_rows(self, family: str, judged: DataFrame) -> DataFrame:
        """The accepted rows of one family, of those that `judge` gives, as rows of its table."""
        return silver_of(family, judged, self.registry)

    def table_rows(self, table: str, judged: DataFrame) -> DataFrame:
        """The rows of a silver table or of quarantine, of those that `judge` gives."""
        if table == QUARANTINE:
            return quarantine_rows(judged)
        return self.silver_rows(table.removeprefix("silver."), judged)

    @property
    def definition(self) -> str:
        """A digest of everything that decides the judgement of a record."""
        return definition(self.registry, self.bounds)


def load_judge(settings: RefineSettings) -> Judge:
    """The judge of conf/schemas and of the time bounds in the settings.

    Raises:
        SettingsError: a contract cannot be read.
    """
    bounds = TimeBounds(settings.future_tolerance_s, settings.oldest_event_days)
    return Judge(load_registry(), bounds)
